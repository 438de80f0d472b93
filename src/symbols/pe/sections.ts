import { ByteReader } from '../byte-reader.ts';
import { SymbolFileError } from '../errors.ts';
import { refuseOverlaps } from '../section-claims.ts';
import type { StringTable } from '../string-table.ts';
import type { PeHeader } from './header.ts';

/** One section header (Microsoft PE Format, "Section Table"). */
export interface PeSection {
  readonly index: number;
  readonly name: string;
  readonly virtualSize: number;
  readonly rva: number;
  readonly fileOffset: number;
  /** The file's bytes, without the padding to the file alignment. */
  readonly bytes: Uint8Array;
  readonly characteristics: number;
}

export const IMAGE_SCN_CNT_CODE = 0x20;
export const IMAGE_SCN_MEM_DISCARDABLE = 0x0200_0000;
export const IMAGE_SCN_MEM_EXECUTE = 0x2000_0000;
export const IMAGE_SCN_MEM_WRITE = 0x8000_0000;

const decoder = new TextDecoder();

export function readPeSections(bytes: Uint8Array, header: PeHeader, strings: StringTable | undefined): PeSection[] {
  const reader = new ByteReader(bytes, 'section headers');
  const sections: PeSection[] = [];
  for (let index = 0; index < header.sectionCount; index++) {
    reader.seek(header.sectionTableOffset + index * 40);
    const name = sectionName(bytes.subarray(reader.take(8), reader.pos), strings);
    const virtualSize = reader.u32();
    const rva = reader.u32();
    const rawSize = reader.u32();
    const fileOffset = reader.u32();
    reader.skip(12);
    const characteristics = reader.u32();
    const size = virtualSize === 0 ? rawSize : Math.min(rawSize, virtualSize);
    if (fileOffset !== 0 && fileOffset + size > bytes.length) {
      const range = `0x${fileOffset.toString(16)}..0x${(fileOffset + size).toString(16)}`;
      throw new SymbolFileError(`its bytes ${range} lie outside the file's 0x${bytes.length.toString(16)} bytes`, `section ${index + 1} ${name}`);
    }
    const contents = fileOffset === 0 ? bytes.subarray(0, 0) : bytes.subarray(fileOffset, fileOffset + size);
    sections.push({ index, name, virtualSize: virtualSize || rawSize, rva, fileOffset, bytes: contents, characteristics });
  }
  refuseOverlaps(
    sections.map((section) => section.bytes.length),
    bytes.length,
  );
  return sections;
}

/** Eight bytes, or "/123": an offset into the COFF string table, which GNU ld uses for .debug_info and the like. */
function sectionName(field: Uint8Array, strings: StringTable | undefined): string {
  const nul = field.indexOf(0);
  const short = decoder.decode(nul < 0 ? field : field.subarray(0, nul));
  return strings !== undefined && /^\/\d+$/.test(short) ? strings.at(Number(short.slice(1))) : short;
}

/** The image's bytes at an RVA, for directories that lie in a section. */
export function bytesAtRva(sections: readonly PeSection[], rva: number, size: number, where: string): Uint8Array {
  const section = sections.find((candidate) => rva >= candidate.rva && rva + size <= candidate.rva + candidate.bytes.length);
  if (section === undefined) throw new SymbolFileError(`${size} bytes at RVA 0x${rva.toString(16)} lie in no section of the file`, where);
  return section.bytes.subarray(rva - section.rva, rva - section.rva + size);
}
