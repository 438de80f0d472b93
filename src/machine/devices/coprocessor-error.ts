import type { Cpu } from '../cpu/cpu.ts';
import type { PortSpace } from '../memory/ports.ts';
import type { Device, Plain } from './device.ts';
import type { IrqLine } from './irq-line.ts';
import { checkedState } from './state.ts';

/** The interrupt of x87 exceptions on the PC/AT. */
export const COPROCESSOR_IRQ = 13;

/**
 * x87 exceptions as MS-DOS knows them, with CR0.NE clear: FERR# sets a latch that raises IRQ 13; a write to port F0h clears it and asserts
 * IGNNE#, under which the handler may use the unit, until FERR# goes away. SDM Vol. 1, 8.7.2 and appendix D.
 */
export class CoprocessorError implements Device {
  readonly name = 'coprocessor-error';
  readonly #irq: IrqLine;
  #latched = false;
  #ignored = false;

  constructor(ports: PortSpace, cpus: readonly Cpu[], irq: IrqLine) {
    this.#irq = irq;
    for (const cpu of cpus) cpu.ferr = (asserted) => this.#ferr(asserted);
    ports.map({
      name: 'coprocessor error',
      base: 0xf0,
      length: 2,
      read: () => 0xff,
      write: () => {
        this.#ignored ||= this.#latched;
        this.#latch(false);
      },
    });
  }

  #ferr(asserted: boolean): void {
    if (!asserted) this.#ignored = false;
    this.#latch(asserted && !this.#ignored);
  }

  #latch(on: boolean): void {
    this.#latched = on;
    this.#irq(on);
  }

  reset(): void {
    this.#ignored = false;
    this.#latch(false);
  }
  snapshot(): Plain {
    return { latched: this.#latched, ignored: this.#ignored };
  }
  restore(state: Plain): void {
    const { latched, ignored } = checkedState(this.name, { latched: false, ignored: false }, state);
    this.#latched = latched;
    this.#ignored = ignored;
  }
  describe(): string {
    return `IRQ 13 ${this.#latched ? 'asserted' : 'not asserted'}, IGNNE# ${this.#ignored ? 'asserted' : 'not asserted'}`;
  }
}
