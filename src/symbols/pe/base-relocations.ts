import { ByteReader } from '../byte-reader.ts';
import type { RelocationSite } from '../symbol-file.ts';
import { DIRECTORY_BASE_RELOCATION } from './header.ts';
import type { PeHeader } from './header.ts';
import { bytesAtRva } from './sections.ts';
import type { PeSection } from './sections.ts';

/** Bytes that each kind of base relocation changes: HIGH, LOW, HIGHLOW, HIGHADJ, DIR64 (Microsoft PE Format, "Base Relocation Types"). */
const WIDTH: Readonly<Record<number, number>> = { 1: 2, 2: 2, 3: 4, 4: 2, 10: 8 };

export function readBaseRelocations(header: PeHeader, sections: readonly PeSection[]): RelocationSite[] {
  const directory = header.directories[DIRECTORY_BASE_RELOCATION];
  if (directory === undefined || directory.size === 0) return [];
  const where = 'base relocations';
  const reader = new ByteReader(bytesAtRva(sections, directory.rva, directory.size, where), where);
  const sites: RelocationSite[] = [];
  while (reader.left >= 8) {
    const block = reader.pos;
    const page = reader.u32();
    const size = reader.u32();
    // Padding behind the last block.
    if (size === 0) break;
    if (size < 8 || block + size > reader.end) reader.fail(`block of ${size} bytes does not fit`, block);
    while (reader.pos + 2 <= block + size) {
      const entry = reader.u16();
      const width = WIDTH[entry >> 12];
      if (width !== undefined) sites.push({ address: header.imageBase + BigInt(page + (entry & 0xfff)), size: width });
    }
    reader.seek(block + size);
  }
  return sites;
}
