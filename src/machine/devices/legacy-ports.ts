import type { PortRange, PortSpace } from '../memory/ports.ts';
import type { Device, Plain } from './device.ts';
import { checkedState } from './state.ts';

/**
 * Ports that firmware and operating systems touch on every PC, where this machine has nothing to say: a `latch` keeps what
 * is written, an `absent` device reads as an undriven bus. Claiming them keeps the log for ports that matter.
 */
interface LegacyRow {
  readonly name: string;
  readonly base: number;
  readonly length: number;
  readonly kind: 'latch' | 'absent';
}

const row = (kind: LegacyRow['kind'], base: number, length: number, name: string): LegacyRow => ({ name, base, length, kind });

export const legacyRows: readonly LegacyRow[] = [
  row('latch', 0x00, 0x10, 'DMA controller 1'),
  row('absent', 0x2e, 2, 'Super I/O'),
  row('absent', 0x4e, 2, 'Super I/O, second'),
  row('absent', 0x62, 1, 'ACPI embedded controller data'),
  row('absent', 0x66, 1, 'ACPI embedded controller command'),
  row('absent', 0x72, 4, 'extended CMOS'),
  row('latch', 0x80, 0x10, 'POST code and DMA pages'),
  row('latch', 0xc0, 0x20, 'DMA controller 2'),
  row('latch', 0xed, 1, 'I/O delay'),
  row('latch', 0xf0, 2, 'coprocessor error'),
  row('absent', 0x170, 8, 'IDE secondary'),
  row('absent', 0x1f0, 8, 'IDE primary'),
  row('absent', 0x200, 8, 'game port'),
  row('absent', 0x278, 8, 'LPT2'),
  row('absent', 0x279, 1, 'ISA PnP address'),
  row('absent', 0x2e8, 8, 'COM4'),
  row('absent', 0x2f8, 8, 'COM2'),
  row('absent', 0x376, 1, 'IDE secondary control'),
  row('absent', 0x378, 8, 'LPT1'),
  row('absent', 0x3b0, 0x30, 'VGA'),
  row('absent', 0x3e8, 8, 'COM3'),
  row('absent', 0x3f0, 8, 'floppy, IDE primary control'),
  row('absent', 0x510, 12, 'fw_cfg'),
  row('absent', 0xa79, 1, 'ISA PnP write data'),
  row('absent', 0x1ce, 3, 'Bochs VBE'),
  row('absent', 0x5658, 2, 'VMware back door'),
];

/** To be constructed last: it takes only what no device has claimed. */
export class LegacyPorts implements Device {
  readonly name = 'legacy-ports';
  /** The latches' ports, all below 100H, and their values by port. */
  readonly #latches: number[] = [];
  readonly #values = new Uint8Array(0x100);

  constructor(ports: PortSpace) {
    const taken = new Set<number>();
    for (const r of ports.ranges()) for (let p = r.base; p < r.base + r.length; p++) taken.add(p);
    for (const { name, base, length, kind } of legacyRows) {
      for (let port = base; port < base + length; port++) {
        if (taken.has(port)) continue;
        taken.add(port);
        ports.map(kind === 'absent' ? absent(name, port) : this.#latch(name, port));
      }
    }
  }

  reset(): void {
    this.#values.fill(0);
  }

  snapshot(): Plain {
    return Object.fromEntries(this.#latches.map((port) => [port.toString(16), this.#values[port]!]));
  }

  restore(state: Plain): void {
    const s = checkedState(this.name, this.snapshot() as Record<string, number>, state);
    for (const [port, value] of Object.entries(s)) this.#values[Number.parseInt(port, 16)] = value;
  }

  describe(): string {
    return `legacy-ports: last POST code ${this.#values[0x80]!}`;
  }

  #latch(name: string, base: number): PortRange {
    const values = this.#values;
    this.#latches.push(base);
    return {
      name,
      base,
      length: 1,
      read: (port) => values[port]!,
      write: (port, _size, value) => void (values[port] = value),
    };
  }
}

function absent(name: string, base: number): PortRange {
  return { name: `${name} (absent)`, base, length: 1, read: (_port, size) => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1), write: () => {} };
}
