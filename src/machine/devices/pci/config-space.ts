import { checkedState, copyState } from '../state.ts';
import type { Plain } from '../device.ts';

/** A configuration register: its power-on value and which bits software can write (PCI 2.1, 6.2). */
export interface ConfigRow {
  readonly name: string;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly value: number;
  readonly writable?: number;
}

export interface PciAddress {
  readonly device: number;
  readonly function: number;
}

/** The 256 bytes of configuration space of one PCI function, built from its rows; all else reads 0 and ignores writes. */
export class PciFunction {
  readonly name: string;
  readonly address: PciAddress;
  readonly rows: readonly ConfigRow[];
  /** After a write that may have changed something. */
  onWrite: (offset: number) => void = () => {};
  readonly #bytes = new Uint8Array(256);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #mask = new Uint8Array(256);

  constructor(name: string, address: PciAddress, rows: readonly ConfigRow[]) {
    this.name = name;
    this.address = address;
    this.rows = rows;
    for (const { offset, size, writable = 0 } of rows) for (let n = 0; n < size; n++) this.#mask[offset + n] = (writable >>> (n * 8)) & 0xff;
    this.#fill();
  }

  reset(): void {
    this.#fill();
    this.onWrite(0);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (size === 4) return this.#view.getUint32(offset, true);
    return size === 2 ? this.#view.getUint16(offset, true) : this.#bytes[offset]!;
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    for (let n = 0; n < size; n++) {
      const mask = this.#mask[offset + n]!;
      this.#bytes[offset + n] = (this.#bytes[offset + n]! & ~mask) | ((value >>> (n * 8)) & mask);
    }
    this.onWrite(offset);
  }

  snapshot(): Plain {
    return copyState([...this.#bytes]);
  }
  restore(state: Plain): void {
    this.#bytes.set(checkedState(`PCI function ${this.name}`, [...this.#bytes], state));
  }

  #fill(): void {
    this.#bytes.fill(0);
    for (const { offset, size, value } of this.rows) for (let n = 0; n < size; n++) this.#bytes[offset + n] = (value >>> (n * 8)) & 0xff;
  }
}

/** The registers every function has: PCI 2.1, figure 6-1. */
export function header(
  vendor: number,
  device: number,
  classCode: number,
  more: { revision?: number; type?: number; command?: number } = {},
): ConfigRow[] {
  return [
    { name: 'vendor', offset: 0x00, size: 2, value: vendor },
    { name: 'device', offset: 0x02, size: 2, value: device },
    { name: 'command', offset: 0x04, size: 2, value: more.command ?? 0, writable: 0x0547 },
    { name: 'status', offset: 0x06, size: 2, value: 0x0280 }, // fast back-to-back, medium DEVSEL
    { name: 'revision', offset: 0x08, size: 1, value: more.revision ?? 0 },
    { name: 'class', offset: 0x09, size: 1, value: classCode & 0xff },
    { name: 'subclass', offset: 0x0a, size: 2, value: classCode >> 8 },
    { name: 'header type', offset: 0x0e, size: 1, value: more.type ?? 0 },
    { name: 'subsystem vendor', offset: 0x2c, size: 2, value: 0 },
    { name: 'interrupt line', offset: 0x3c, size: 1, value: 0, writable: 0xff },
  ];
}
