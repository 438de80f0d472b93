import { ImageSymbolFile } from '../image-symbol-file.ts';
import type { OpenOptions } from '../image-symbol-file.ts';
import { readBaseRelocations } from './base-relocations.ts';
import { readCoffStrings, readCoffSymbols } from './coff-symbols.ts';
import { readDebugDirectory } from './debug-directory.ts';
import type { PeDebugEntry } from './debug-directory.ts';
import { readPeHeader } from './header.ts';
import type { PeHeader } from './header.ts';
import { IMAGE_SCN_CNT_CODE, IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE, readPeSections } from './sections.ts';
import type { PeSection } from './sections.ts';

export interface PeTables {
  readonly header: PeHeader;
  readonly sections: readonly PeSection[];
  readonly debugDirectory: readonly PeDebugEntry[];
}

export function readPeTables(bytes: Uint8Array): PeTables {
  const header = readPeHeader(bytes);
  const sections = readPeSections(bytes, header, readCoffStrings(bytes, header));
  return { header, sections, debugDirectory: readDebugDirectory(bytes, header, sections) };
}

export function openPe(bytes: Uint8Array, options: OpenOptions): ImageSymbolFile {
  const header = readPeHeader(bytes);
  const strings = readCoffStrings(bytes, header);
  const sections = readPeSections(bytes, header, strings);
  return new ImageSymbolFile(
    {
      format: 'pe32+',
      codeBits: 64,
      entry: header.imageBase + BigInt(header.entryRva),
      imageBase: header.imageBase,
      sections: sections.map((section) => ({
        index: section.index,
        name: section.name,
        address: header.imageBase + BigInt(section.rva),
        size: section.virtualSize,
        bytes: section.bytes,
        fileOffset: section.fileOffset,
        compressed: false,
        // GNU ld gives debug sections addresses like all others; what marks them is the name. .reloc is discardable too, and is loaded.
        allocated: !((section.characteristics & IMAGE_SCN_MEM_DISCARDABLE) !== 0 && section.name.startsWith('.debug')),
        executable: (section.characteristics & (IMAGE_SCN_CNT_CODE | IMAGE_SCN_MEM_EXECUTE)) !== 0,
        writable: (section.characteristics & IMAGE_SCN_MEM_WRITE) !== 0,
      })),
      relocationSites: readBaseRelocations(header, sections),
      symbols: strings === undefined ? [] : readCoffSymbols(bytes, header, sections, strings),
    },
    options,
  );
}
