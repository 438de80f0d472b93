import { ByteReader } from '../byte-reader.ts';
import { SymbolFileError } from '../errors.ts';
import { refuseOverlaps } from '../section-claims.ts';
import { StringTable } from '../string-table.ts';
import { SHT_NOBITS, SHT_NULL } from './constants.ts';
import { addressWord, ELF_SIZES, word } from './header.ts';
import type { ElfHeader } from './header.ts';

/** One section header, of either class (gABI 4.1 chapter 4, "Sections"). */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
}

export function readSections(bytes: Uint8Array, header: ElfHeader): ElfSection[] {
  const { bits, shoff, shnum } = header;
  const reader = new ByteReader(bytes, 'section headers', shoff, shoff + shnum * ELF_SIZES[bits].section);
  const unnamed: Omit<ElfSection, 'name'>[] = [];
  for (let index = 0; index < shnum; index++) {
    const nameOffset = reader.u32();
    const type = reader.u32();
    const flags = word(reader, bits);
    const address = addressWord(reader, bits);
    const offset = word(reader, bits);
    const size = word(reader, bits);
    const link = reader.u32();
    const info = reader.u32();
    const align = word(reader, bits);
    const entrySize = word(reader, bits);
    unnamed.push({ index, nameOffset, type, flags, address, offset, size, link, info, align, entrySize });
  }
  const names = unnamed[header.shstrndx];
  const where = 'section name table';
  const table = names === undefined || header.shstrndx === 0 ? undefined : new StringTable(contentsOf(bytes, { ...names, name: where }), where);
  const sections = unnamed.map((section) => ({
    ...section,
    name: table === undefined || section.type === SHT_NULL ? '' : table.at(section.nameOffset),
  }));
  refuseOverlaps(
    sections.map((section) => contentsOf(bytes, section).length),
    bytes.length,
  );
  return sections;
}

/** The section's bytes in the file; none for .bss. */
export function contentsOf(bytes: Uint8Array, section: ElfSection): Uint8Array {
  if (section.type === SHT_NOBITS || section.type === SHT_NULL) return bytes.subarray(0, 0);
  const { offset, size } = section;
  if (offset + size > bytes.length) {
    const range = `0x${offset.toString(16)}..0x${(offset + size).toString(16)}`;
    throw new SymbolFileError(
      `its bytes ${range} lie outside the file's 0x${bytes.length.toString(16)} bytes`,
      `section ${section.index} ${section.name}`,
    );
  }
  return bytes.subarray(offset, offset + size);
}
