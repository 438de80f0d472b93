import { SHN_LORESERVE, SHN_XINDEX, PN_XNUM, SHT_NULL } from './constants.ts';
import { ELF_SIZES } from './header.ts';
import type { ElfHeader } from './header.ts';
import type { ElfSection } from './sections.ts';
import type { ElfSymbol } from './symbols.ts';
import type { ElfSegment } from './segments.ts';

/** What a new ELF64 file is made of: the old file's bytes, unchanged, behind new headers, and after them what was replaced. */
export interface Elf64Parts {
  readonly header: Pick<ElfHeader, 'osabi' | 'type' | 'machine' | 'flags' | 'entry' | 'shstrndx'>;
  readonly body: Uint8Array;
  /** Segment and section offsets are offsets in the body. */
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  /** New contents, by section index. */
  readonly replaced: ReadonlyMap<number, Uint8Array>;
}

const PAGE = 4096;

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Writes the file: header, program headers, the old bytes at the next page (so that offsets keep their congruence), the rest at the end. */
export function writeElf64(parts: Elf64Parts): Uint8Array {
  const { header, body, segments, replaced } = parts;
  const sizes = ELF_SIZES[64];
  const bodyAt = align(sizes.header + segments.length * sizes.segment, PAGE);
  let end = bodyAt + body.length;
  const sections = parts.sections.map((section) => {
    const contents = replaced.get(section.index);
    if (contents === undefined) return { ...section, offset: section.type === SHT_NULL ? 0 : section.offset + bodyAt };
    const offset = align(end, 16);
    end = offset + contents.length;
    return { ...section, offset, size: contents.length };
  });
  const shoff = align(end, 16);
  const out = new Uint8Array(shoff + sections.length * sizes.section);
  const view = new DataView(out.buffer);

  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, header.osabi]);
  view.setUint16(16, header.type, true);
  view.setUint16(18, header.machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, header.entry, true);
  view.setBigUint64(32, BigInt(segments.length > 0 ? sizes.header : 0), true);
  view.setBigUint64(40, BigInt(sections.length > 0 ? shoff : 0), true);
  view.setUint32(48, header.flags, true);
  view.setUint16(52, sizes.header, true);
  view.setUint16(54, sizes.segment, true);
  view.setUint16(56, Math.min(segments.length, PN_XNUM), true);
  view.setUint16(58, sizes.section, true);
  view.setUint16(60, sections.length >= SHN_LORESERVE ? 0 : sections.length, true);
  view.setUint16(62, header.shstrndx >= SHN_LORESERVE ? SHN_XINDEX : header.shstrndx, true);

  for (const [i, segment] of segments.entries()) {
    const at = sizes.header + i * sizes.segment;
    view.setUint32(at, segment.type, true);
    view.setUint32(at + 4, segment.flags, true);
    view.setBigUint64(at + 8, BigInt(segment.offset + bodyAt), true);
    view.setBigUint64(at + 16, segment.address, true);
    view.setBigUint64(at + 24, segment.physical, true);
    view.setBigUint64(at + 32, BigInt(segment.fileSize), true);
    view.setBigUint64(at + 40, BigInt(segment.memorySize), true);
    view.setBigUint64(at + 48, BigInt(segment.align), true);
  }
  out.set(body, bodyAt);
  for (const section of sections) {
    const at = shoff + section.index * sizes.section;
    const first = section.index === 0;
    view.setUint32(at, section.nameOffset, true);
    view.setUint32(at + 4, section.type, true);
    view.setBigUint64(at + 8, BigInt(section.flags), true);
    view.setBigUint64(at + 16, section.address, true);
    view.setBigUint64(at + 24, BigInt(section.offset), true);
    // Section 0 holds the counts that do not fit the header (gABI 4.1 chapter 4).
    view.setBigUint64(at + 32, BigInt(first && sections.length >= SHN_LORESERVE ? sections.length : section.size), true);
    view.setUint32(at + 40, first && header.shstrndx >= SHN_LORESERVE ? header.shstrndx : section.link, true);
    view.setUint32(at + 44, first && segments.length >= PN_XNUM ? segments.length : section.info, true);
    view.setBigUint64(at + 48, BigInt(section.align), true);
    view.setBigUint64(at + 56, BigInt(section.entrySize), true);
    const contents = replaced.get(section.index);
    if (contents !== undefined) out.set(contents, section.offset);
  }
  return out;
}

/** Symbol table entries in ELF64's layout. */
export function encodeSymbols64(symbols: readonly ElfSymbol[]): Uint8Array {
  const out = new Uint8Array(symbols.length * ELF_SIZES[64].symbol);
  const view = new DataView(out.buffer);
  for (const [i, symbol] of symbols.entries()) {
    const at = i * ELF_SIZES[64].symbol;
    view.setUint32(at, symbol.nameOffset, true);
    view.setUint8(at + 4, symbol.info);
    view.setUint8(at + 5, symbol.other);
    view.setUint16(at + 6, symbol.sectionIndex, true);
    view.setBigUint64(at + 8, symbol.value, true);
    view.setBigUint64(at + 16, BigInt(symbol.size), true);
  }
  return out;
}
