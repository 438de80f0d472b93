import { ByteReader } from '../byte-reader.ts';
import { addressWord, ELF_SIZES, word } from './header.ts';
import type { ElfHeader } from './header.ts';

/** One program header, of either class (gABI 4.1 chapter 5, "Program Header"). */
export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly physical: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export function readSegments(bytes: Uint8Array, header: ElfHeader): ElfSegment[] {
  const { bits, phoff, phnum } = header;
  const reader = new ByteReader(bytes, 'program headers', phoff, phoff + phnum * ELF_SIZES[bits].segment);
  const segments: ElfSegment[] = [];
  for (let i = 0; i < phnum; i++) {
    const type = reader.u32();
    // ELF64 moved p_flags forward to keep the 8-byte fields aligned.
    const early = bits === 64 ? reader.u32() : 0;
    const offset = word(reader, bits);
    const address = addressWord(reader, bits);
    const physical = addressWord(reader, bits);
    const fileSize = word(reader, bits);
    const memorySize = word(reader, bits);
    const flags = bits === 32 ? reader.u32() : early;
    const align = word(reader, bits);
    segments.push({ type, flags, offset, address, physical, fileSize, memorySize, align });
  }
  return segments;
}
