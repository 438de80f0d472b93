import { ByteReader } from '../byte-reader.ts';
import * as dw from './constants.ts';
import type { Unit } from './unit.ts';

/** Start, end, start, end ... of the list at `offset`, without empty ranges and without discarded code (which lies below the base). */
export function readRangeList(unit: Unit, offset: number): number[] {
  const ranges: number[] = [];
  const add = (start: number, end: number) => {
    if (start >= 0 && end > start) ranges.push(start, end);
  };
  if (unit.version >= 5) readRnglist(unit, offset, add);
  else readDebugRanges(unit, offset, add);
  return ranges;
}

/** .debug_rnglists (DWARF 5 section 7.25). */
function readRnglist(unit: Unit, offset: number, add: (start: number, end: number) => void): void {
  const { context, addressSize } = unit;
  const where = '.debug_rnglists';
  const reader = new ByteReader(context.section.rnglists, where);
  reader.seek(offset);
  let base = unit.lowPc ?? context.base.zero;
  for (;;) {
    const at = reader.pos;
    const kind = reader.u8();
    switch (kind) {
      case dw.DW_RLE_end_of_list:
        return;
      case dw.DW_RLE_base_addressx:
        base = unit.addressAtIndex(reader.uleb());
        break;
      case dw.DW_RLE_startx_endx: {
        const start = unit.addressAtIndex(reader.uleb());
        add(start, unit.addressAtIndex(reader.uleb()));
        break;
      }
      case dw.DW_RLE_startx_length: {
        const start = unit.addressAtIndex(reader.uleb());
        add(start, start + reader.uleb());
        break;
      }
      case dw.DW_RLE_offset_pair: {
        const start = base + reader.uleb();
        add(start, base + reader.uleb());
        break;
      }
      case dw.DW_RLE_base_address:
        base = reader.address(addressSize, context.base);
        break;
      case dw.DW_RLE_start_end: {
        const start = reader.address(addressSize, context.base);
        add(start, reader.address(addressSize, context.base));
        break;
      }
      case dw.DW_RLE_start_length: {
        const start = reader.address(addressSize, context.base);
        add(start, start + reader.uleb());
        break;
      }
      default:
        reader.fail(`range list entry kind ${kind} is not in DWARF 5 section 7.25`, at);
    }
    context.budget.spend(reader.pos - at, where);
  }
}

/** .debug_ranges (DWARF 4 section 2.17.3). */
function readDebugRanges(unit: Unit, offset: number, add: (start: number, end: number) => void): void {
  const { context, addressSize } = unit;
  const where = '.debug_ranges';
  const reader = new ByteReader(context.section.ranges, where);
  reader.seek(offset);
  let base = unit.lowPc;
  const zero = context.base.zero;
  const selector = context.base.fromHalves(addressSize === 8 ? 0xffffffff : 0, 0xffffffff);
  for (;;) {
    const start = reader.address(addressSize, context.base);
    const end = reader.address(addressSize, context.base);
    if (start === zero && end === zero) return;
    if (start === selector) base = end === zero ? undefined : end;
    else if (base === undefined) add(start, end);
    else {
      reader.seek(reader.pos - 2 * addressSize);
      const low = base + reader.sized(addressSize);
      add(low, base + reader.sized(addressSize));
    }
    context.budget.spend(2 * addressSize, where);
  }
}
