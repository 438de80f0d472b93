import type { MachineServices } from '../machine-services.ts';
import type { Device, Plain } from './device.ts';
import { IOAPIC_PINS } from './ioapic.ts';
import type { IrqLine } from './irq-line.ts';
import { checkedState } from './state.ts';

const LATCH = 0xe0;
const FLUSH = 0xe4;
const IRQ = 0x2000;
const IO_MEMORY = { base: 0xff00_0000, length: 0x1_0000 } as const;

const mask = (size: 1 | 2 | 4): number => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1);

/**
 * QEMU's pc-testdev, which kvm-unit-tests need: a latch at E0H, interrupt lines at 2000H + pin, 64 KiB of memory that is
 * reached as a device is, and a port that unmaps a page from the emulator's second-level tables (here: nothing to do).
 */
export class PcTestDevice implements Device {
  readonly name = 'pc-testdev';
  #latch = 0;
  #memory = new Uint8Array(IO_MEMORY.length);

  /** @param line the interrupt line of a number: ISA's for 0 to 15, above them the IOAPIC's */
  constructor({ ports, memory }: MachineServices, line: (n: number) => IrqLine) {
    const shift = (port: number): number => (port - LATCH) * 8;
    ports.map({
      name: 'pc-testdev latch',
      base: LATCH,
      length: 4,
      read: (port, size) => ((this.#latch >>> shift(port)) & mask(size)) >>> 0,
      write: (port, size, value) => {
        this.#latch = ((this.#latch & ~(mask(size) << shift(port))) | ((value & mask(size)) << shift(port))) >>> 0;
      },
    });
    ports.map({ name: 'pc-testdev flush', base: FLUSH, length: 4, read: () => 0, write: () => {} });
    ports.map({
      name: 'pc-testdev irq lines',
      base: IRQ,
      length: IOAPIC_PINS,
      read: () => 0,
      write: (port, _size, value) => line(port - IRQ)(value !== 0),
    });
    memory.mapMmio({
      name: 'pc-testdev memory',
      ...IO_MEMORY,
      read: (offset, size) => this.#bytes(offset, size).reduceRight((value, byte) => value * 256 + byte, 0),
      write: (offset, size, value) => {
        for (let n = 0; n < size; n++) this.#memory[offset + n] = value >>> (n * 8);
      },
    });
  }

  reset(): void {
    this.#latch = 0;
    this.#memory.fill(0);
  }
  snapshot(): Plain {
    return { latch: this.#latch, memory: btoa(Array.from(this.#memory, (b) => String.fromCharCode(b)).join('')) };
  }
  restore(state: Plain): void {
    const { latch, memory } = checkedState(this.name, { latch: 0, memory: '' }, state);
    this.#latch = latch;
    this.#memory = Uint8Array.from(atob(memory), (c) => c.charCodeAt(0));
  }
  describe(): string {
    return `pc-testdev: latch ${this.#latch.toString(16)}`;
  }

  #bytes(offset: number, size: number): Uint8Array {
    return this.#memory.subarray(offset, offset + size);
  }
}
