import { ByteReader } from '../byte-reader.ts';
import { SymbolFileError } from '../errors.ts';
import { EM_386, EM_X86_64, PN_XNUM, SHN_XINDEX } from './constants.ts';

/** The ELF header with its escapes for large counts resolved (gABI 4.1 chapter 4, "ELF Header"). */
export interface ElfHeader {
  readonly bits: 32 | 64;
  readonly osabi: number;
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly phoff: number;
  readonly phnum: number;
  readonly shoff: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

export const ELF_SIZES = {
  32: { header: 52, segment: 32, section: 40, symbol: 16, rel: 8, rela: 12 },
  64: { header: 64, segment: 56, section: 64, symbol: 24, rel: 16, rela: 24 },
} as const;

const WHERE = 'ELF header';

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Address- or offset-sized field. */
export function word(reader: ByteReader, bits: 32 | 64): number {
  return bits === 64 ? reader.size64() : reader.u32();
}

export function addressWord(reader: ByteReader, bits: 32 | 64): bigint {
  return bits === 64 ? reader.u64() : BigInt(reader.u32());
}

export function readElfHeader(bytes: Uint8Array): ElfHeader {
  if (!isElf(bytes)) throw new SymbolFileError('no ELF magic number', WHERE, 0);
  const reader = new ByteReader(bytes, WHERE, 4);
  const elfClass = reader.u8();
  if (elfClass !== 1 && elfClass !== 2) throw new SymbolFileError(`class ${elfClass} is neither ELF32 nor ELF64`, WHERE, 4);
  if (reader.u8() !== 1) throw new SymbolFileError('big-endian files are not read: x86 is little-endian', WHERE, 5);
  const bits = elfClass === 2 ? 64 : 32;
  reader.u8();
  const osabi = reader.u8();
  reader.seek(16);
  const type = reader.u16();
  const machine = reader.u16();
  if (machine !== EM_386 && machine !== EM_X86_64) throw new SymbolFileError(`machine ${machine} is neither i386 nor x86-64`, WHERE, 18);
  reader.u32();
  const entry = addressWord(reader, bits);
  const phoff = word(reader, bits);
  const shoff = word(reader, bits);
  const flags = reader.u32();
  reader.u16();
  const phentsize = reader.u16();
  let phnum = reader.u16();
  const shentsize = reader.u16();
  let shnum = reader.u16();
  let shstrndx = reader.u16();

  const sizes = ELF_SIZES[bits];
  if (phnum !== 0 && phentsize !== sizes.segment) throw new SymbolFileError(`program header size ${phentsize} is not ${sizes.segment}`, WHERE);
  if (shoff !== 0 && shentsize !== sizes.section) throw new SymbolFileError(`section header size ${shentsize} is not ${sizes.section}`, WHERE);
  if (shoff === 0) shnum = 0;
  else if (shnum === 0 || shstrndx === SHN_XINDEX || phnum === PN_XNUM) {
    // The real counts stand in section header 0 when they do not fit 16 bits.
    const escape = new ByteReader(bytes, 'section header 0');
    escape.seek(shoff);
    escape.skip(8 + (bits / 8) * 3);
    const size = word(escape, bits);
    const link = escape.u32();
    const info = escape.u32();
    if (shnum === 0) shnum = size;
    if (shstrndx === SHN_XINDEX) shstrndx = link;
    if (phnum === PN_XNUM) phnum = info;
  }
  checkTable(bytes, 'program headers', phoff, phnum, sizes.segment);
  checkTable(bytes, 'section headers', shoff, shnum, sizes.section);
  return { bits, osabi, type, machine, flags, entry, phoff, phnum, shoff, shnum, shstrndx };
}

function checkTable(bytes: Uint8Array, what: string, offset: number, count: number, size: number): void {
  if (offset + count * size > bytes.length) {
    throw new SymbolFileError(`${count} ${what} at 0x${offset.toString(16)} lie outside the file's 0x${bytes.length.toString(16)} bytes`, WHERE);
  }
}
