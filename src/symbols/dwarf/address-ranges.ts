import { ByteReader } from '../byte-reader.ts';
import type { DwarfContext } from './sections.ts';
import { readInitialLength } from './unit.ts';

/**
 * .debug_aranges (DWARF 5 section 6.1.2): the code of units, by offset in .debug_info, as start, end, start, end ... It is asked only about
 * units whose own entry does not say: mostly such as have no code, which the table confirms without decoding them.
 */
export function readAddressRanges(context: DwarfContext): Map<number, number[]> {
  const byUnit = new Map<number, number[]>();
  const reader = new ByteReader(context.section.aranges, '.debug_aranges');
  while (reader.left > 0) {
    const start = reader.pos;
    const { length, offsetSize } = readInitialLength(reader);
    const end = reader.pos + length;
    if (end > reader.end) reader.fail(`set of ${length} bytes does not end inside its section`, start);
    reader.u16();
    const unit = reader.sized(offsetSize);
    const addressSize = reader.u8();
    reader.skip(1);
    // Pairs are aligned to their size, counted from the set's start.
    reader.skip((2 * addressSize - ((reader.pos - start) % (2 * addressSize))) % (2 * addressSize));
    const ranges = byUnit.get(unit) ?? [];
    byUnit.set(unit, ranges);
    while (reader.pos + 2 * addressSize <= end) {
      const low = reader.address(addressSize, context.base);
      const size = reader.sized(addressSize);
      if (low >= 0 && size > 0) ranges.push(low, low + size);
    }
    reader.seek(end);
  }
  return byUnit;
}
