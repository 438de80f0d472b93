import type { PortSpace } from '../../memory/ports.ts';
import type { Device, Plain } from '../device.ts';
import { hex } from '../hex.ts';
import type { IrqLine } from '../irq-line.ts';
import type { ExternalController } from '../lapic/lapic.ts';
import { checkedState, copyState } from '../state.ts';
import { PicChip, powerOnChip } from './chip.ts';

/** The slave hangs on the master's IR2. */
const CASCADE = 2;
/** Inputs that are edge-triggered on every PC: timer, keyboard, cascade; RTC, coprocessor (PIIX4 data sheet, ELCR). */
const ELCR_WRITABLE = [0xf8, 0xde] as const;

/** The PC's pair of 8259As: ports 20h, A0h, and the edge/level registers 4D0h, 4D1h. */
export class Pic implements Device, ExternalController {
  readonly name = 'pic';
  readonly #master = new PicChip();
  readonly #slave = new PicChip();
  readonly #intr: IrqLine;

  constructor(ports: PortSpace, intr: IrqLine) {
    this.#intr = intr;
    for (const [name, base, chip] of [
      ['master', 0x20, this.#master],
      ['slave', 0xa0, this.#slave],
    ] as const) {
      // prettier-ignore
      ports.map({
        name: `8259 ${name}`,
        base,
        length: 2,
        read: (port) => {
          const value = port === base ? chip.readCommand() : chip.readData();
          this.#settle(); // a poll acknowledges
          return value;
        },
        write: (port, _size, value) => {
          if (port === base) chip.writeCommand(value & 0xff);
          else chip.writeData(value & 0xff);
          this.#settle();
        },
      });
    }
    ports.map({
      name: '8259 edge/level control',
      base: 0x4d0,
      length: 2,
      read: (port, size) => {
        const both = this.#master.s.elcr | (this.#slave.s.elcr << 8);
        return size === 1 ? (both >> ((port & 1) * 8)) & 0xff : both;
      },
      write: (port, size, value) => {
        if (port === 0x4d0) this.#master.setElcr(value & ELCR_WRITABLE[0]);
        const high = size === 1 ? value : value >> 8;
        if (port === 0x4d1 || size > 1) this.#slave.setElcr(high & ELCR_WRITABLE[1]);
        this.#settle();
      },
    });
  }

  /** ISA interrupt line 0..15; 2 is the cascade and has no pin. */
  setLine(irq: number, asserted: boolean): void {
    if (irq === CASCADE) return;
    if (irq < 8) this.#master.setLine(irq, asserted);
    else this.#slave.setLine(irq - 8, asserted);
    this.#settle();
  }

  vector(): number {
    const ir = this.#master.pending();
    if (ir !== CASCADE) return this.#master.s.base | (ir < 0 ? 7 : ir);
    const slave = this.#slave.pending();
    return this.#slave.s.base | (slave < 0 ? 7 : slave);
  }

  /** Both INTA cycles. */
  acknowledge(): number {
    const vector = this.vector();
    if (this.#master.acknowledge() === CASCADE) {
      this.#slave.acknowledge();
      this.#master.setLine(CASCADE, false); // INT drops during INTA: a further request of the slave is a new edge
    }
    this.#settle();
    return vector;
  }

  reset(): void {
    this.#master.s = powerOnChip();
    this.#slave.s = powerOnChip();
    this.#settle();
  }

  snapshot(): Plain {
    return copyState({ master: this.#master.s, slave: this.#slave.s });
  }

  restore(state: Plain): void {
    const { master, slave } = checkedState(this.name, { master: this.#master.s, slave: this.#slave.s }, state);
    this.#master.s = master;
    this.#slave.s = slave;
  }

  describe(): string {
    const line = (name: string, { s }: PicChip): string =>
      `${name}: irr ${hex(s.irr)} imr ${hex(s.imr)} isr ${hex(s.isr)} elcr ${hex(s.elcr)} base ${hex(s.base)}${s.ready ? '' : ' not initialized'}`;
    return `${line('pic master', this.#master)}\n${line('pic slave ', this.#slave)}`;
  }

  /** Carries the slave's INT to the master and the master's to the processor. */
  #settle(): void {
    this.#master.setLine(CASCADE, this.#slave.pending() >= 0);
    this.#intr(this.#master.pending() >= 0);
  }
}
