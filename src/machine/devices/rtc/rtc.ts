import type { Clock, Timer } from '../../clock.ts';
import type { PortSpace } from '../../memory/ports.ts';
import type { Device, Plain } from '../device.ts';
import { RTC_CLOCK } from '../frequency.ts';
import { hex } from '../hex.ts';
import type { IrqLine } from '../irq-line.ts';
import { checkedState, copyState } from '../state.ts';
import { CENTURY, HOURS_24, TIME_REGISTERS, nextAlarm, secondsOf, timeRegisters } from './calendar.ts';

const [A, B, C, D] = [0x0a, 0x0b, 0x0c, 0x0d] as const;
const UIP = 0x80;
const SET = 0x80;
/** Flags in register C and their enables in register B: periodic, alarm, update-ended. */
const [PF, AF, UF, IRQF] = [0x40, 0x20, 0x10, 0x80] as const;
const SECOND = 1e9;
/** UIP rises 244 us before the update (MC146818A, "Update cycle"); the update itself takes no time here. */
const UPDATE_NS = 244_141;

type RtcState = {
  index: number;
  nmiMasked: boolean;
  ram: number[];
  /** The date was `seconds` at the machine's time `origin`. */
  seconds: number;
  origin: number;
  /** Register C was last brought up to date at this time. */
  seen: number;
  flags: number;
};

/**
 * MC146818A real-time clock with 128 bytes of CMOS RAM at ports 70h and 71h. The date is the machine's start date plus its
 * clock. Flags are computed when somebody looks; the clock is armed only for interrupts that are enabled.
 */
export class Rtc implements Device {
  readonly name = 'rtc';
  readonly #clock: Clock;
  readonly #irq8: IrqLine;
  readonly #timer: Timer;
  #s: RtcState;
  readonly #initialRam: readonly number[];

  /** @param cmos battery-backed contents by register */
  constructor(clock: Clock, ports: PortSpace, irq8: IrqLine, cmos: ReadonlyMap<number, number>) {
    this.#clock = clock;
    this.#irq8 = irq8;
    this.#timer = clock.timer('rtc.irq8', () => this.#settle());
    const ram = Array.from({ length: 128 }, (_, n) => cmos.get(n) ?? 0);
    ram[A] = 0x26; // 32.768 kHz divider, 1024 Hz rate
    ram[B] = HOURS_24;
    this.#initialRam = ram;
    this.#s = {
      index: 0,
      nmiMasked: false,
      ram: [...ram],
      seconds: Math.floor(clock.startDate / 1000),
      origin: -(clock.startDate % 1000) * 1e6,
      seen: 0,
      flags: 0,
    };
    ports.map({
      name: 'CMOS and real-time clock',
      base: 0x70,
      length: 2,
      read: (port) => (port === 0x70 ? 0xff : this.#read(this.#s.index)),
      write: (port, _size, value) => {
        if (port === 0x71) return this.#write(this.#s.index, value & 0xff);
        this.#s.index = value & 0x7f;
        this.#s.nmiMasked = (value & 0x80) !== 0;
      },
    });
  }

  /** Port 70h bit 7 keeps NMI from the processor. */
  get nmiMasked(): boolean {
    return this.#s.nmiMasked;
  }

  /** RESET clears the interrupt enables and flags; time and RAM live on their battery. */
  reset(): void {
    const s = this.#s;
    s.ram[B] = s.ram[B]! & ~(PF | AF | UF);
    Object.assign(s, { flags: 0, index: 0, nmiMasked: false, seen: this.#clock.now() });
    this.#settle();
  }

  snapshot(): Plain {
    return copyState(this.#s);
  }
  restore(state: Plain): void {
    this.#s = checkedState(this.name, this.#s, state);
  }

  describe(): string {
    const { ram } = this.#s;
    const date = new Date(this.#secondsAt(this.#clock.now()) * 1000).toISOString().slice(0, 19);
    return `rtc: ${date}Z A ${hex(ram[A]!)} B ${hex(ram[B]!)} C ${hex(this.#flagsNow())} index ${hex(this.#s.index)}${this.nmiMasked ? ' NMI masked' : ''}`;
  }

  /** The CMOS as it was manufactured: what `reset` does not do. */
  clearCmos(): void {
    this.#s.ram = [...this.#initialRam];
    this.#settle();
  }

  #read(index: number): number {
    const { ram } = this.#s;
    const field = (TIME_REGISTERS as readonly number[]).indexOf(index);
    if ((field >= 0 || index === CENTURY) && this.#running) {
      const { registers, century } = timeRegisters(this.#secondsAt(this.#clock.now()), ram[B]!);
      return field >= 0 ? registers[field]! : century;
    }
    if (index === A) return ram[A]! | (this.#updating() ? UIP : 0);
    if (index === C) {
      const flags = this.#flagsNow();
      this.#s.flags = 0;
      this.#settle();
      return flags;
    }
    return index === D ? 0x80 : ram[index]!; // D: the battery is good
  }

  #write(index: number, value: number): void {
    const { ram } = this.#s;
    if (index === C || index === D) return;
    const field = (TIME_REGISTERS as readonly number[]).includes(index) || index === CENTURY;
    this.#flagsNow();
    const ran = this.#running;
    const phase = this.#phase();
    if (ran && (field || index === A || index === B)) this.#freeze();
    if (index === A) ram[A] = value & 0x7f;
    else ram[index] = index === B && (value & SET) !== 0 ? value & ~UF : value; // setting SET clears the update-ended enable
    // Out of divider reset the first update comes after half a second; SET alone does not disturb the divider.
    if (this.#running && (field || !ran)) this.#thaw(index === A ? SECOND / 2 : phase);
    this.#settle();
  }

  /** Time advances: SET is clear and the divider is neither stopped nor held in reset. */
  get #running(): boolean {
    const { ram } = this.#s;
    return (ram[B]! & SET) === 0 && ((ram[A]! >> 4) & 7) === 2;
  }

  #secondsAt(now: number): number {
    return this.#s.seconds + Math.floor((now - this.#s.origin) / SECOND);
  }

  /** Nanoseconds since the last whole second. */
  #phase(): number {
    const t = (this.#clock.now() - this.#s.origin) % SECOND;
    return t < 0 ? t + SECOND : t;
  }

  #updating(): boolean {
    return this.#running && this.#phase() >= SECOND - UPDATE_NS;
  }

  /** The time registers become RAM that software can set. */
  #freeze(): void {
    const { ram } = this.#s;
    const { registers, century } = timeRegisters(this.#secondsAt(this.#clock.now()), ram[B]!);
    TIME_REGISTERS.forEach((r, n) => (ram[r] = registers[n]!));
    ram[CENTURY] = century;
  }

  #thaw(phase: number): void {
    const { ram } = this.#s;
    const registers = TIME_REGISTERS.map((r) => ram[r]!);
    this.#s.seconds = secondsOf(registers, ram[CENTURY]!, ram[B]!);
    this.#s.origin = this.#clock.now() - phase;
  }

  /** Nanoseconds between periodic interrupts as ticks of 32.768 kHz; 0 is off. Rates 1 and 2 are those of 8 and 9. */
  #periodTicks(): number {
    const rate = this.#s.ram[A]! & 15;
    return rate === 0 ? 0 : 1 << ((rate < 3 ? rate + 7 : rate) - 1);
  }

  /** Register C, with all that happened since the last look. */
  #flagsNow(): number {
    const s = this.#s;
    const now = this.#clock.now();
    const period = this.#periodTicks();
    if (period !== 0 && Math.floor(RTC_CLOCK.ticksAt(now) / period) > Math.floor(RTC_CLOCK.ticksAt(s.seen) / period)) s.flags |= PF;
    if (this.#running) {
      const [from, to] = [this.#secondsAt(s.seen), this.#secondsAt(now)];
      if (to > from) s.flags |= UF;
      if (to > from && nextAlarm(from, this.#s.ram) <= to) s.flags |= AF;
    }
    s.seen = now;
    return s.flags | ((s.flags & s.ram[B]! & (PF | AF | UF)) !== 0 ? IRQF : 0);
  }

  /** Drives IRQ8 and arms the clock for the next enabled interrupt. */
  #settle(): void {
    const s = this.#s;
    this.#irq8((this.#flagsNow() & IRQF) !== 0);
    const enabled = s.ram[B]! & ~s.flags;
    const now = this.#clock.now();
    let due = Infinity;
    const period = this.#periodTicks();
    if ((enabled & PF) !== 0 && period !== 0) due = RTC_CLOCK.timeOf((Math.floor(RTC_CLOCK.ticksAt(now) / period) + 1) * period);
    if (this.#running) {
      const present = this.#secondsAt(now);
      const at = (second: number): number => s.origin + (second - s.seconds) * SECOND;
      if ((enabled & UF) !== 0) due = Math.min(due, at(present + 1));
      if ((enabled & AF) !== 0) due = Math.min(due, at(nextAlarm(present, s.ram)));
    }
    this.#clock.arm(this.#timer, due);
  }
}
