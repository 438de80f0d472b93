import * as elf from './constants.ts';
import type { ElfTables } from './elf-file.ts';
import { encodeSymbols64, writeElf64 } from './elf64-writer.ts';
import { ELF_SIZES } from './header.ts';
import { SymbolFileError } from '../errors.ts';
import { contentsOf } from './sections.ts';
import type { ElfSection } from './sections.ts';
import { readSymbolEntries } from './symbols.ts';
import type { ElfSymbol } from './symbols.ts';

export interface AddedSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly section: number;
}

const encoder = new TextEncoder();

/**
 * The ELF64 file with more symbols, of size 0, at the end of its symbol table; a stripped file gets one. `extents` gives sizes, by address, to
 * symbols that have none.
 */
export function addElf64Symbols(
  bytes: Uint8Array,
  { header, sections, segments }: ElfTables,
  added: readonly AddedSymbol[],
  extents: ReadonlyMap<bigint, number>,
): Uint8Array {
  const all: ElfSection[] = [...sections];
  const replaced = new Map<number, Uint8Array>();
  const append = (section: ElfSection, more: Uint8Array) => {
    const old = replaced.get(section.index) ?? contentsOf(bytes, section);
    replaced.set(section.index, concatenate(old, more));
    return old.length;
  };
  const create = (name: string, type: number, contents: Uint8Array, fields: Partial<ElfSection>): ElfSection => {
    const names = all[header.shstrndx];
    const nameOffset = names === undefined || header.shstrndx === 0 ? 0 : append(names, encoder.encode(`${name}\0`));
    const blank = { flags: 0, address: 0n, offset: 0, size: 0, link: 0, info: 0, align: 1, entrySize: 0 };
    const section: ElfSection = { ...blank, index: all.length, name, nameOffset, type, ...fields };
    replaced.set(section.index, contents);
    all.push(section);
    return section;
  };

  let table = all.find((section) => section.type === elf.SHT_SYMTAB);
  let old = [NULL_SYMBOL];
  if (table === undefined) {
    const link = create('.strtab', elf.SHT_STRTAB, new Uint8Array(1), {}).index;
    table = create('.symtab', elf.SHT_SYMTAB, new Uint8Array(0), { link, info: 1, align: 8, entrySize: ELF_SIZES[64].symbol });
  } else {
    old = readSymbolEntries(bytes, table, 64).map((symbol) => ({ ...symbol, size: symbol.size || missingSize(symbol, extents) }));
  }
  const strings = all[table.link];
  if (strings === undefined) throw new SymbolFileError(`its string table ${table.link} does not exist`, table.name);
  // A string table that was loaded with the program is not at its place any more.
  all[strings.index] = { ...strings, flags: strings.flags & ~elf.SHF_ALLOC };
  const nameOffsets = new Map<string, number>();
  for (const { name } of added) if (!nameOffsets.has(name)) nameOffsets.set(name, append(strings, encoder.encode(`${name}\0`)));
  // Untyped: a label in a function, not a function of its own. Global symbols come last, so the old ones keep their index.
  const entries = added.map(({ name, address, section }) => ({
    ...NULL_SYMBOL,
    nameOffset: nameOffsets.get(name)!,
    info: (elf.STB_GLOBAL << 4) | elf.STT_NOTYPE,
    sectionIndex: section,
    value: address,
  }));
  replaced.set(table.index, encodeSymbols64([...old, ...entries]));
  const wide = all.find((section) => section.type === elf.SHT_SYMTAB_SHNDX && section.link === table.index);
  if (wide !== undefined) append(wide, new Uint8Array(4 * added.length));
  return writeElf64({ header, body: bytes, segments, sections: all, replaced });
}

/** The entry every symbol table begins with. */
const NULL_SYMBOL: ElfSymbol = { nameOffset: 0, info: 0, other: 0, sectionIndex: 0, value: 0n, size: 0 };

function missingSize({ info, value, sectionIndex }: ElfSymbol, extents: ReadonlyMap<bigint, number>): number {
  const type = info & 15;
  const code = (type === elf.STT_NOTYPE || type === elf.STT_FUNC) && sectionIndex !== elf.SHN_UNDEF && sectionIndex !== elf.SHN_ABS;
  return code ? (extents.get(value) ?? 0) : 0;
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
