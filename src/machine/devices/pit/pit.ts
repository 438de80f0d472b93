import type { Clock, Timer } from '../../clock.ts';
import type { PortSpace } from '../../memory/ports.ts';
import type { Device, Plain } from '../device.ts';
import { hex } from '../hex.ts';
import type { IrqLine } from '../irq-line.ts';
import { checkedState, copyState } from '../state.ts';
import { PitCounter, powerOnCounter } from './counter.ts';

/** DRAM refresh toggles port 61H bit 4 every 15.085 us on a PC/AT: 18 clocks of the PIT's input. */
const REFRESH_NS = 15_085;

/** The 8254 at 40h-43h and the system control port 61h around its counter 2 (speaker, and the gate of calibration loops). */
export class Pit implements Device {
  readonly name = 'pit';
  readonly #clock: Clock;
  readonly #irq0: IrqLine;
  readonly #timer: Timer;
  readonly #counters: readonly [PitCounter, PitCounter, PitCounter];
  /** Port 61h bits 0-3: gate 2, speaker data, and the two NMI enables. */
  #control = 0;

  constructor(clock: Clock, ports: PortSpace, irq0: IrqLine) {
    this.#clock = clock;
    this.#irq0 = irq0;
    const now = (): number => clock.now();
    this.#counters = [new PitCounter(now, true), new PitCounter(now, true), new PitCounter(now, false)];
    this.#timer = clock.timer('pit.irq0', () => this.#edge());
    ports.map({
      name: '8254 timer',
      base: 0x40,
      length: 4,
      read: (port) => (port === 0x43 ? 0xff : this.#counters[port & 3]!.read()),
      write: (port, _size, value) => this.#write(port & 3, value & 0xff),
    });
    ports.map({
      name: 'system control port B',
      base: 0x61,
      length: 1,
      read: () => this.#readControl(),
      write: (_port, _size, v) => this.#writeControl(v),
    });
  }

  reset(): void {
    this.#counters.forEach((c, n) => (c.s = powerOnCounter(n !== 2)));
    this.#control = 0;
    this.#drive();
  }

  snapshot(): Plain {
    return copyState({ counters: this.#counters.map((c) => c.s), control: this.#control });
  }

  restore(state: Plain): void {
    const s = checkedState(this.name, { counters: this.#counters.map((c) => c.s), control: this.#control }, state);
    s.counters.forEach((c, n) => (this.#counters[n]!.s = c));
    this.#control = s.control;
  }

  describe(): string {
    const counters = this.#counters.map(
      (c, n) =>
        `pit ${n}: mode ${c.s.mode} count ${c.s.count} now ${c.value()} out ${c.out() ? 1 : 0} gate ${c.s.gate ? 1 : 0}${c.s.bcd ? ' bcd' : ''}`,
    );
    return [...counters, `port 61: ${hex(this.#readControl())}`].join('\n');
  }

  #write(port: number, value: number): void {
    if (port < 3) this.#counters[port]!.write(value);
    else if (value >> 6 === 3) this.#readBack(value);
    else if ((value & 0x30) === 0) return this.#counters[value >> 6]!.latchCount();
    else this.#counters[value >> 6]!.control(value);
    if (port === 0 || (port === 3 && value >> 6 === 0)) this.#drive();
  }

  /** Read-back command: bits 5 and 4 low ask for count and status, bits 3-1 select counters. */
  #readBack(value: number): void {
    this.#counters.forEach((c, n) => {
      if (((value >> (n + 1)) & 1) === 0) return;
      if ((value & 0x20) === 0) c.latchCount();
      if ((value & 0x10) === 0) c.latchStatus();
    });
  }

  /** Channel 0's OUT changed by software. */
  #drive(): void {
    this.#irq0(this.#counters[0].out());
    this.#clock.arm(this.#timer, this.#counters[0].nextEdge());
  }

  #edge(): void {
    const { mode } = this.#counters[0].s;
    if (mode === 2 || mode === 4) this.#irq0(false); // the end of a pulse: this is its rising edge
    this.#drive();
  }

  #readControl(): number {
    const refresh = Math.floor(this.#clock.now() / REFRESH_NS) & 1;
    return this.#control | (refresh << 4) | (this.#counters[2].out() ? 0x20 : 0);
  }

  #writeControl(value: number): void {
    this.#control = value & 0xf;
    this.#counters[2].setGate((value & 1) !== 0);
  }
}
