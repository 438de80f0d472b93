import * as dw from '../constants.ts';
import type { DwarfContext } from '../sections.ts';
import type { Unit } from '../unit.ts';
import { ByteWriter } from '../../byte-writer.ts';

/** New range lists behind the old ones, which stay: lists that nothing was cut from are used on. */
export class AddedRangeLists {
  readonly #context: DwarfContext;
  readonly #rnglists = new ByteWriter();
  readonly #ranges = new ByteWriter();

  constructor(context: DwarfContext) {
    this.#context = context;
    // A contribution of its own (DWARF 5 section 7.28): length (set at the end), version, address size, no segments, no offsets.
    this.#rnglists.bytes([0, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0]);
  }

  /** Returns the new list's offset in the section that the unit's version uses. */
  add(unit: Unit, ranges: readonly number[]): number {
    const { base, section } = this.#context;
    const modern = unit.version >= 5;
    const writer = modern ? this.#rnglists : this.#ranges;
    const at = (modern ? section.rnglists : section.ranges).length + writer.length;
    const address = (offset: number) => writer.sized(unit.addressSize, base.toAddress(offset));
    // DWARF 4 section 2.17.3: the largest address selects a base, 0, so that the rest is absolute.
    if (!modern) {
      writer.sized(unit.addressSize, (1n << BigInt(8 * unit.addressSize)) - 1n);
      writer.sized(unit.addressSize, 0);
    }
    for (let i = 0; i < ranges.length; i += 2) {
      if (modern) writer.bytes([dw.DW_RLE_start_end]);
      address(ranges[i]!);
      address(ranges[i + 1]!);
    }
    if (modern) writer.bytes([dw.DW_RLE_end_of_list]);
    else writer.sized(2 * unit.addressSize, 0);
    return at;
  }

  /** The whole sections; undefined where nothing was added. `old` is .debug_rnglists as it was edited. */
  results(old: Uint8Array): { rnglists: Uint8Array | undefined; ranges: Uint8Array | undefined } {
    const { section } = this.#context;
    const added = this.#rnglists.length > 12;
    if (added) new DataView(this.#rnglists.result().buffer).setUint32(0, this.#rnglists.length - 4, true);
    return {
      rnglists: added ? concatenate(old, this.#rnglists.result()) : undefined,
      ranges: this.#ranges.length > 0 ? concatenate(section.ranges, this.#ranges.result()) : undefined,
    };
  }
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
