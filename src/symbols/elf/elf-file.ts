import { ImageSymbolFile } from '../image-symbol-file.ts';
import type { OpenOptions } from '../image-symbol-file.ts';
import { SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SHF_WRITE, PT_LOAD } from './constants.ts';
import { elfCodeBits } from './code-bits.ts';
import { readElfHeader } from './header.ts';
import type { ElfHeader } from './header.ts';
import { elfRelocationSites } from './relocations.ts';
import { contentsOf, readSections } from './sections.ts';
import type { ElfSection } from './sections.ts';
import { readSegments } from './segments.ts';
import type { ElfSegment } from './segments.ts';
import { readElfSymbols } from './symbols.ts';

/** The tables of an ELF file, all checked to lie inside it. */
export interface ElfTables {
  readonly header: ElfHeader;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
}

export function readElfTables(bytes: Uint8Array): ElfTables {
  const header = readElfHeader(bytes);
  return { header, sections: readSections(bytes, header), segments: readSegments(bytes, header) };
}

export function openElf(bytes: Uint8Array, options: OpenOptions): ImageSymbolFile {
  const { header, sections, segments } = readElfTables(bytes);
  const loaded = segments.filter((segment) => segment.type === PT_LOAD).map((segment) => segment.address);
  return new ImageSymbolFile(
    {
      format: header.bits === 64 ? 'elf64' : 'elf32',
      codeBits: elfCodeBits(bytes, header, sections),
      entry: header.entry,
      imageBase: loaded.reduce((lowest, address) => (address < lowest ? address : lowest), loaded[0] ?? 0n) & ~0xfffn,
      sections: sections.map((section) => ({
        index: section.index,
        name: section.name,
        address: section.address,
        size: section.size,
        bytes: contentsOf(bytes, section),
        fileOffset: section.offset,
        compressed: (section.flags & SHF_COMPRESSED) !== 0,
        allocated: (section.flags & SHF_ALLOC) !== 0,
        executable: (section.flags & (SHF_ALLOC | SHF_EXECINSTR)) === (SHF_ALLOC | SHF_EXECINSTR),
        writable: (section.flags & SHF_WRITE) !== 0,
      })),
      relocationSites: elfRelocationSites(bytes, header, sections),
      symbols: readElfSymbols(bytes, sections, header.bits),
    },
    options,
  );
}
