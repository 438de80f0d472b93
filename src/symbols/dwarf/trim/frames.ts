import { ByteReader } from '../../byte-reader.ts';
import type { LinkBase } from '../../link-base.ts';
import { readInitialLength } from '../unit.ts';
import { putSized } from '../../byte-writer.ts';
import { inside } from './window.ts';
import type { Window } from './window.ts';

/** .debug_frame (DWARF 5 section 6.4.1) in which descriptions of code outside the window describe nothing, and one that reaches out is cut. */
export function trimFrames(section: Uint8Array, base: LinkBase, addressSize: number, window: Window): Uint8Array {
  const out = section.slice();
  const reader = new ByteReader(section, '.debug_frame');
  while (reader.left > 0) {
    const { length, offsetSize } = readInitialLength(reader);
    const end = reader.pos + length;
    if (end > reader.end) reader.fail(`entry of ${length} bytes does not end inside its section`);
    const common = reader.sized(offsetSize);
    // All ones mark a common information entry; size64 reads 64 of them as 2^64.
    if (length > 0 && common < (offsetSize === 4 ? 0xffff_ffff : 2 ** 63)) {
      const at = reader.pos;
      const start = reader.address(addressSize, base);
      const size = reader.sized(addressSize);
      if (!inside(window, start)) out.fill(0, at, at + 2 * addressSize);
      else if (start + size > window.high) putSized(out, at + addressSize, addressSize, window.high - start);
    }
    reader.seek(end);
  }
  return out;
}
