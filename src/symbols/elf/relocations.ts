import { ByteReader } from '../byte-reader.ts';
import type { RelocationSite } from '../symbol-file.ts';
import { ET_REL, RELOCATION_WIDTH, SHF_ALLOC, SHT_REL, SHT_RELA } from './constants.ts';
import { addressWord, ELF_SIZES, word } from './header.ts';
import type { ElfHeader } from './header.ts';
import { contentsOf } from './sections.ts';
import type { ElfSection } from './sections.ts';

/** Places that a loader patches: the dynamic relocations. Those kept by `ld --emit-relocs` are not allocated and nobody applies them. */
export function elfRelocationSites(bytes: Uint8Array, header: ElfHeader, sections: readonly ElfSection[]): RelocationSite[] {
  if (header.type === ET_REL) return [];
  const widths = RELOCATION_WIDTH[header.machine] ?? {};
  const sites: RelocationSite[] = [];
  for (const section of sections) {
    if (!(section.flags & SHF_ALLOC) || (section.type !== SHT_REL && section.type !== SHT_RELA)) continue;
    const contents = contentsOf(bytes, section);
    const size = ELF_SIZES[header.bits][section.type === SHT_RELA ? 'rela' : 'rel'];
    const reader = new ByteReader(contents, section.name);
    for (let at = 0; at + size <= contents.length; at += size) {
      reader.seek(at);
      const address = addressWord(reader, header.bits);
      const info = word(reader, header.bits);
      const type = header.bits === 64 ? info % 0x1_0000_0000 : info & 0xff;
      const width = widths[type];
      if (width !== undefined) sites.push({ address, size: width });
    }
  }
  return sites;
}
