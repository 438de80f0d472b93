/** Kernels made for tests. */
import { Pack } from '../../src/machine/uefi/pack.ts';

const MAGIC = 0x1bad_b002;

/** The three words of the header. */
export const header = (flags = 0): number[] => [MAGIC, flags, -(MAGIC + flags) >>> 0];

const words = (values: readonly number[]): Uint8Array => values.reduce((p, v) => p.u32(v), new Pack()).done();

/** 64 bytes that begin with the header. */
export function withHeader(values: readonly number[], length = 64): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(words(values).subarray(0, length));
  return bytes;
}

export interface Addresses {
  readonly headerAddress: number;
  readonly load: number;
  readonly loadEnd: number;
  readonly bssEnd: number;
  readonly entry: number;
}

/** A kernel whose header has load addresses. */
export function kludge(a: Addresses, length: number): Uint8Array {
  return withHeader([...header(0x1_0000), a.headerAddress, a.load, a.loadEnd, a.bssEnd, a.entry], length);
}

interface ElfSegment {
  readonly physical: number;
  readonly virtual?: number;
  readonly bytes: Uint8Array;
  readonly memorySize: number;
}

interface Elf {
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  readonly wide?: boolean;
  readonly machine?: number;
  readonly elfClass?: number;
  readonly bigEndian?: boolean;
  readonly tail?: Uint8Array;
}

/** An ELF file with these loadable segments, 32-bit unless `wide`. */
export function elf({ entry, segments, wide = false, machine = wide ? 62 : 3, elfClass = wide ? 2 : 1, bigEndian = false, tail }: Elf): Uint8Array {
  const [headerSize, entrySize] = wide ? [64, 56] : [52, 32];
  const word = (p: Pack, v: number): Pack => (wide ? p.u64(v) : p.u32(v));
  const p = new Pack().u32(0x464c457f).u8(elfClass, bigEndian ? 2 : 1, 1).zeros(9).u16(2).u16(machine).u32(1); // prettier-ignore
  word(p, entry);
  word(p, headerSize);
  word(p, 0);
  p.u32(0).u16(headerSize).u16(entrySize).u16(segments.length).u16(0).u16(0).u16(0);
  let offset = headerSize + entrySize * segments.length;
  for (const s of segments) {
    p.u32(1);
    if (wide) p.u32(7);
    for (const v of [offset, s.virtual ?? s.physical, s.physical, s.bytes.length, s.memorySize]) word(p, v);
    if (!wide) p.u32(7);
    word(p, 4);
    offset += s.bytes.length;
  }
  for (const s of segments) p.bytes(s.bytes);
  return p.bytes(tail ?? []).done();
}
