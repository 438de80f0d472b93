import { ByteReader } from '../byte-reader.ts';
import { StringTable } from '../string-table.ts';
import type { RawSymbol } from '../symbol-file.ts';
import * as elf from './constants.ts';
import { addressWord, ELF_SIZES, word } from './header.ts';
import { contentsOf } from './sections.ts';
import type { ElfSection } from './sections.ts';

/** One symbol table entry as stored (gABI 4.1 chapter 4, "Symbol Table"). */
export interface ElfSymbol {
  readonly nameOffset: number;
  readonly value: bigint;
  readonly size: number;
  readonly info: number;
  readonly other: number;
  readonly sectionIndex: number;
}

export function readSymbolEntries(bytes: Uint8Array, table: ElfSection, bits: 32 | 64): ElfSymbol[] {
  const contents = contentsOf(bytes, table);
  const count = Math.floor(contents.length / ELF_SIZES[bits].symbol);
  const reader = new ByteReader(contents, table.name);
  const symbols: ElfSymbol[] = [];
  for (let i = 0; i < count; i++) {
    const nameOffset = reader.u32();
    if (bits === 64) {
      const info = reader.u8();
      const other = reader.u8();
      const sectionIndex = reader.u16();
      const value = reader.u64();
      symbols.push({ nameOffset, info, other, sectionIndex, value, size: reader.size64() });
    } else {
      const value = addressWord(reader, bits);
      const size = word(reader, bits);
      const info = reader.u8();
      const other = reader.u8();
      symbols.push({ nameOffset, value, size, info, other, sectionIndex: reader.u16() });
    }
  }
  return symbols;
}

/** The defined symbols of .symtab, or of .dynsym in a stripped file. */
export function readElfSymbols(bytes: Uint8Array, sections: readonly ElfSection[], bits: 32 | 64): RawSymbol[] {
  const table = sections.find((section) => section.type === elf.SHT_SYMTAB) ?? sections.find((section) => section.type === elf.SHT_DYNSYM);
  if (table === undefined) return [];
  const strings = sections[table.link];
  const names = new StringTable(strings === undefined ? new Uint8Array(0) : contentsOf(bytes, strings), `${table.name} names`);
  const wide = sections.find((section) => section.type === elf.SHT_SYMTAB_SHNDX && section.link === table.index);
  const wideIndexes = wide && new ByteReader(contentsOf(bytes, wide), wide.name);
  const symbols: RawSymbol[] = [];
  for (const [i, entry] of readSymbolEntries(bytes, table, bits).entries()) {
    const type = entry.info & 15;
    let { sectionIndex } = entry;
    if (sectionIndex === elf.SHN_XINDEX && wideIndexes !== undefined) {
      wideIndexes.seek(i * 4);
      sectionIndex = wideIndexes.u32();
    } else if (sectionIndex >= elf.SHN_LORESERVE && sectionIndex !== elf.SHN_ABS) continue;
    if (sectionIndex === elf.SHN_UNDEF || type === elf.STT_SECTION || type === elf.STT_FILE || type === elf.STT_TLS) continue;
    symbols.push({
      name: names.at(entry.nameOffset),
      address: entry.value,
      size: entry.size,
      kind: type === elf.STT_FUNC || type === elf.STT_GNU_IFUNC ? 'function' : type === elf.STT_OBJECT ? 'object' : 'label',
      global: entry.info >> 4 !== elf.STB_LOCAL,
      section: entry.sectionIndex === elf.SHN_ABS ? undefined : sectionIndex,
    });
  }
  return symbols;
}
