import { ByteWriter } from '../byte-writer.ts';
import { trimDwarf } from '../dwarf/trim/trim-dwarf.ts';
import { SymbolFileError, tryRead } from '../errors.ts';
import { LinkBase } from '../link-base.ts';
import { inRange } from '../link-range.ts';
import type { LinkRange } from '../link-range.ts';
import * as elf from './constants.ts';
import { readElfTables } from './elf-file.ts';
import type { ElfTables } from './elf-file.ts';
import { encodeSymbols64, writeElf64 } from './elf64-writer.ts';
import { contentsOf } from './sections.ts';
import type { ElfSection } from './sections.ts';
import { readSymbolEntries } from './symbols.ts';
import type { ElfSymbol } from './symbols.ts';

/** Indexes of names and addresses that debuggers may use instead of .debug_info: they speak of the whole file. */
const INDEXES = /^\.(debug_(aranges|names|pubnames|pubtypes|gnu_pubnames|gnu_pubtypes|cu_index|tu_index)|gdb_index)$/;

/**
 * An ELF64 file with only what lies in a range of link addresses: sections (cut at the range's ends), symbols, and debug information. It is what
 * gdb is told about a file of which only a part is in memory; of the rest it must believe nothing.
 */
export function trimElf64(bytes: Uint8Array, range: LinkRange): Uint8Array {
  const tables = readElfTables(bytes);
  const code = tables.sections.filter(({ flags }) => (flags & (elf.SHF_ALLOC | elf.SHF_EXECINSTR)) === (elf.SHF_ALLOC | elf.SHF_EXECINSTR));
  const allCode = code.every((section) => section.size === 0 || partOf(section, range)?.size === section.size);
  const memory = tables.sections.flatMap((section) => {
    const part = partOf(section, range);
    // Frame descriptions refer to code by distance; a table that is cut, or is about code that was cut, would mislead.
    const frames = part !== undefined && section.name.startsWith('.eh_frame') && !(allCode && part.size === section.size);
    return part === undefined || frames ? [] : [part];
  });
  const image = imageOf(bytes, tables, memory, range);
  const out = new Sections();
  const newIndex = new Map<number, number>();
  for (const section of memory) {
    const offset = section.type === elf.SHT_NOBITS ? 0 : Number(section.address - range.low);
    newIndex.set(section.index, out.add({ ...section, offset, link: 0, info: 0 }, undefined));
  }
  for (const [section, contents] of debugSections(bytes, tables, code, range)) out.add({ ...section, link: 0, info: 0 }, contents);
  addSymbols(bytes, tables, range, newIndex, out);
  const shstrndx = out.finish();
  return writeElf64({
    header: { ...tables.header, entry: inRange(range, tables.header.entry) ? tables.header.entry : 0n, shstrndx },
    body: image,
    // One segment, so that one address tells gdb where all of it is. Read, write, execute.
    segments: [
      {
        type: elf.PT_LOAD,
        flags: 7,
        offset: 0,
        address: range.low,
        physical: range.low,
        fileSize: image.length,
        memorySize: Number(range.high - range.low),
        align: 4096,
      },
    ],
    sections: out.headers,
    replaced: out.contents,
  });
}

const encoder = new TextEncoder();

/** Section headers and contents of the new file, in order; names are collected on the way. */
class Sections {
  readonly headers: ElfSection[] = [];
  readonly contents = new Map<number, Uint8Array>();
  readonly #names = new ByteWriter();

  constructor() {
    this.#names.bytes([0]);
    this.add({ ...BLANK, type: elf.SHT_NULL, align: 0 }, undefined);
  }

  /** Without contents the section's offset counts in the image. */
  add(section: Omit<ElfSection, 'index'>, contents: Uint8Array | undefined): number {
    const index = this.headers.length;
    const nameOffset = section.name === '' ? 0 : this.#names.length;
    if (section.name !== '') this.#names.bytes(encoder.encode(`${section.name}\0`));
    this.headers.push({ ...section, index, nameOffset });
    if (contents !== undefined) this.contents.set(index, contents);
    return index;
  }

  /** Adds the table of section names and returns its index. */
  finish(): number {
    const index = this.add({ ...BLANK, name: '.shstrtab', type: elf.SHT_STRTAB }, new Uint8Array(0));
    this.contents.set(index, this.#names.result());
    return index;
  }
}

const BLANK = { name: '', nameOffset: 0, type: 0, flags: 0, address: 0n, offset: 0, size: 0, link: 0, info: 0, align: 1, entrySize: 0 } as const;

/** The part of a section that lies in the range, as a section. */
function partOf(section: ElfSection, { low, high }: LinkRange): ElfSection | undefined {
  if (!(section.flags & elf.SHF_ALLOC) || section.type === elf.SHT_NULL) return undefined;
  const end = section.address + BigInt(section.size);
  const from = section.address > low ? section.address : low;
  const to = end < high ? end : high;
  if (from >= to) return undefined;
  return { ...section, address: from, size: Number(to - from) };
}

/** The bytes of the range, as far as the file has any. */
function imageOf(bytes: Uint8Array, { sections }: ElfTables, memory: readonly ElfSection[], { low }: LinkRange): Uint8Array {
  const stored = memory.filter(({ type }) => type !== elf.SHT_NOBITS);
  const image = new Uint8Array(stored.reduce((end, { address, size }) => Math.max(end, Number(address - low) + size), 0));
  for (const part of stored) {
    const whole = sections[part.index]!;
    const skipped = Number(part.address - whole.address);
    image.set(contentsOf(bytes, whole).subarray(skipped, skipped + part.size), Number(part.address - low));
  }
  return image;
}

/** Damaged or compressed debug information is left out: the symbols remain. */
function debugSections(bytes: Uint8Array, { sections }: ElfTables, code: readonly ElfSection[], range: LinkRange): [ElfSection, Uint8Array][] {
  const debug = sections.filter(({ name, flags }) => name.startsWith('.debug_') && !(flags & elf.SHF_ALLOC) && !INDEXES.test(name));
  if (debug.some(({ flags }) => flags & elf.SHF_COMPRESSED)) return [];
  const lowest = code.reduce<bigint | undefined>((low, { address }) => (low === undefined || address < low ? address : low), undefined);
  const contents = new Map(debug.map((section) => [section.name, contentsOf(bytes, section)]));
  if (lowest === undefined || !contents.has('.debug_info')) return [];
  const trimmed = tryRead(() => trimDwarf((name) => contents.get(name), new LinkBase(lowest), range));
  if (trimmed instanceof SymbolFileError) return [];
  const created = [...trimmed.keys()].filter((name) => !contents.has(name)).map((name) => ({ ...BLANK, index: 0, name, type: elf.SHT_PROGBITS }));
  return [...debug, ...created].map((section) => [section, trimmed.get(section.name) ?? contents.get(section.name)!]);
}

function addSymbols(bytes: Uint8Array, { sections }: ElfTables, range: LinkRange, newIndex: ReadonlyMap<number, number>, out: Sections): void {
  const table = sections.find(({ type }) => type === elf.SHT_SYMTAB);
  const strings = table && sections[table.link];
  if (table === undefined || strings === undefined) return;
  const wide = sections.find(({ type, link }) => type === elf.SHT_SYMTAB_SHNDX && link === table.index);
  const wideContents = wide && contentsOf(bytes, wide);
  const wideIndexes = wideContents && new DataView(wideContents.buffer, wideContents.byteOffset, wideContents.byteLength);
  const kept: ElfSymbol[] = [];
  for (const [i, symbol] of readSymbolEntries(bytes, table, 64).entries()) {
    let { sectionIndex } = symbol;
    if (sectionIndex === elf.SHN_XINDEX && wideIndexes && 4 * i + 4 <= wideIndexes.byteLength) sectionIndex = wideIndexes.getUint32(4 * i, true);
    const index = newIndex.get(sectionIndex);
    const type = symbol.info & 15;
    if (index === undefined || type === elf.STT_SECTION || !inRange(range, symbol.value)) continue;
    kept.push({ ...symbol, sectionIndex: index, size: Math.min(symbol.size, Number(range.high - symbol.value)) });
  }
  const isLocal = ({ info }: ElfSymbol) => info >> 4 === elf.STB_LOCAL;
  const nullSymbol: ElfSymbol = { nameOffset: 0, info: 0, other: 0, sectionIndex: 0, value: 0n, size: 0 };
  const locals = kept.filter(isLocal);
  const all = [nullSymbol, ...locals, ...kept.filter((symbol) => !isLocal(symbol))];
  const link = out.add({ ...BLANK, name: '.strtab', type: elf.SHT_STRTAB }, contentsOf(bytes, strings));
  out.add({ ...BLANK, name: '.symtab', type: elf.SHT_SYMTAB, link, info: 1 + locals.length, align: 8, entrySize: 24 }, encodeSymbols64(all));
}
