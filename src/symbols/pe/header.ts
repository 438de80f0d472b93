import { ByteReader } from '../byte-reader.ts';
import { SymbolFileError } from '../errors.ts';

/** The headers of a PE32+ image (Microsoft PE Format, "Overview" to "Optional Header"). */
export interface PeHeader {
  readonly timestamp: number;
  readonly characteristics: number;
  readonly symbolTableOffset: number;
  readonly symbolCount: number;
  readonly sectionCount: number;
  readonly sectionTableOffset: number;
  readonly entryRva: number;
  readonly imageBase: bigint;
  readonly sectionAlignment: number;
  readonly imageSize: number;
  readonly headersSize: number;
  readonly subsystem: number;
  readonly directories: readonly { readonly rva: number; readonly size: number }[];
}

export const DIRECTORY_BASE_RELOCATION = 5;
export const DIRECTORY_DEBUG = 6;

const WHERE = 'PE header';
const MACHINE_AMD64 = 0x8664;
const MAGIC_PE32_PLUS = 0x20b;

export function isPe(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x4d && bytes[1] === 0x5a;
}

export function readPeHeader(bytes: Uint8Array): PeHeader {
  if (!isPe(bytes)) throw new SymbolFileError('no MZ magic number', WHERE, 0);
  const reader = new ByteReader(bytes, WHERE);
  reader.seek(0x3c);
  reader.seek(reader.u32());
  const signature = reader.pos;
  if (reader.u32() !== 0x4550) throw new SymbolFileError('no PE signature where e_lfanew points', WHERE, signature);
  const machine = reader.u16();
  if (machine !== MACHINE_AMD64) throw new SymbolFileError(`machine 0x${machine.toString(16)} is not x86-64 (0x8664)`, WHERE, signature + 4);
  const sectionCount = reader.u16();
  const timestamp = reader.u32();
  const symbolTableOffset = reader.u32();
  const symbolCount = reader.u32();
  const optionalSize = reader.u16();
  const characteristics = reader.u16();
  const optional = reader.pos;
  const sectionTableOffset = optional + optionalSize;
  const magic = reader.u16();
  if (magic !== MAGIC_PE32_PLUS)
    throw new SymbolFileError(`optional header magic 0x${magic.toString(16)} is not that of PE32+ (0x20b)`, WHERE, optional);
  const at = (offset: number) => reader.seek(optional + offset);
  at(16);
  const entryRva = reader.u32();
  at(24);
  const imageBase = reader.u64();
  const sectionAlignment = reader.u32();
  at(56);
  const imageSize = reader.u32();
  const headersSize = reader.u32();
  at(68);
  const subsystem = reader.u16();
  at(108);
  // Some linkers write a greater count than the header has room for; loaders read 16.
  const room = Math.floor((optionalSize - 112) / 8);
  const directoryCount = Math.max(0, Math.min(reader.u32(), 16, room));
  const directories = Array.from({ length: directoryCount }, () => ({ rva: reader.u32(), size: reader.u32() }));
  if (sectionTableOffset + sectionCount * 40 > bytes.length) {
    throw new SymbolFileError(`${sectionCount} section headers at 0x${sectionTableOffset.toString(16)} lie outside the file`, WHERE);
  }
  return {
    timestamp,
    characteristics,
    symbolTableOffset,
    symbolCount,
    sectionCount,
    sectionTableOffset,
    entryRva,
    imageBase,
    sectionAlignment,
    imageSize,
    headersSize,
    subsystem,
    directories,
  };
}
