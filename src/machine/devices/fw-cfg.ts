import type { PortSpace } from '../memory/ports.ts';
import type { Device, Plain } from './device.ts';
import { hex } from './hex.ts';
import { checkedState, copyState } from './state.ts';

/** QEMU's firmware configuration device: docs/specs/fw_cfg of QEMU. Selector 510H (word), data 511H (bytes). */
export const FW_CFG_PORT = 0x510;

/** Keys whose meaning is fixed. */
export const FwCfgKey = { signature: 0, id: 1, ramSize: 3, graphics: 4, cpus: 5, maxCpus: 15, files: 0x19 } as const;
/** ID bit 0: the port interface; no DMA. */
const TRADITIONAL = 1;

const bytesOf = (value: number, size: number): number[] => Array.from({ length: size }, (_, n) => Math.floor(value / 2 ** (n * 8)) & 0xff);
const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));

/** What a guest can learn of the machine: numbers are little-endian but for the count of files, of which there are none. */
export function fwCfgItems(ramSize: number, cpus: number): ReadonlyMap<number, readonly number[]> {
  return new Map<number, readonly number[]>([
    [FwCfgKey.signature, ascii('QEMU')],
    [FwCfgKey.id, bytesOf(TRADITIONAL, 4)],
    [FwCfgKey.ramSize, bytesOf(ramSize, 8)],
    [FwCfgKey.graphics, bytesOf(1, 2)],
    [FwCfgKey.cpus, bytesOf(cpus, 2)],
    [FwCfgKey.maxCpus, bytesOf(cpus, 2)],
    [FwCfgKey.files, [0, 0, 0, 0]],
  ]);
}

/** Each byte read moves on in the selected item; past its end, and in an unknown one, there are zeros. */
export class FwCfg implements Device {
  readonly name = 'fw-cfg';
  readonly #items: ReadonlyMap<number, readonly number[]>;
  #s = { key: 0, offset: 0 };

  constructor(ports: PortSpace, items: ReadonlyMap<number, readonly number[]>) {
    this.#items = items;
    ports.map({
      name: 'fw_cfg',
      base: FW_CFG_PORT,
      length: 2,
      read: (port) => (port === FW_CFG_PORT ? 0 : this.#next()),
      // The selector is one word; items cannot be written.
      write: (port, size, value) => {
        if (port === FW_CFG_PORT && size >= 2) this.#s = { key: value & 0xffff, offset: 0 };
      },
    });
  }

  reset(): void {
    this.#s = { key: 0, offset: 0 };
  }
  snapshot(): Plain {
    return copyState(this.#s);
  }
  restore(state: Plain): void {
    this.#s = checkedState(this.name, this.#s, state);
  }
  describe(): string {
    return `fw-cfg: item ${hex(this.#s.key, 4)} at byte ${this.#s.offset}`;
  }

  #next(): number {
    return this.#items.get(this.#s.key)?.[this.#s.offset++] ?? 0;
  }
}
