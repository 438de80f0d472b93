import { BootImageError, type BootImage, type BootSegment } from './image.ts';

/** The ELF header and program headers: Tool Interface Standard ELF 1.2, and its 64-bit form in the System V ABI. */
const ELF_MAGIC = 0x464c457f;
const [CLASS32, CLASS64] = [1, 2] as const;
const LITTLE_ENDIAN = 1;
const [EM_386, EM_X86_64] = [3, 62] as const;
const PT_LOAD = 1;

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly virtual: number;
  readonly physical: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export const isElf = (file: Uint8Array): boolean => file.length >= 4 && view(file).getUint32(0, true) === ELF_MAGIC;

const view = (file: Uint8Array): DataView => new DataView(file.buffer, file.byteOffset, file.byteLength);

/**
 * The loadable segments of an ELF file, at their physical addresses. A 64-bit file is loaded as GRUB does: its entry is
 * 32-bit code below 4 GiB.
 */
export function elfImage(file: Uint8Array): BootImage {
  const v = view(file);
  const wide = v.getUint8(4) === CLASS64;
  if (file.length < (wide ? 64 : 52)) throw new BootImageError('the ELF header is cut off');
  if (!wide && v.getUint8(4) !== CLASS32) throw new BootImageError(`ELF class ${v.getUint8(4)} is not known`);
  if (v.getUint8(5) !== LITTLE_ENDIAN) throw new BootImageError('the ELF file is big-endian');
  const machine = v.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64) throw new BootImageError(`the ELF file is for machine ${machine}, not for x86`);
  const headers = programHeaders(v, wide);
  const segments = headers.filter((h) => h.type === PT_LOAD && h.memorySize > 0).map((h) => segment(file, h));
  if (segments.length === 0) throw new BootImageError('the ELF file has nothing to load');
  return { entry: physicalEntry(wide ? number64(v, 24) : v.getUint32(24, true), headers), segments };
}

function programHeaders(v: DataView, wide: boolean): ProgramHeader[] {
  const table = wide ? number64(v, 32) : v.getUint32(28, true);
  const [size, count] = [v.getUint16(wide ? 54 : 42, true), v.getUint16(wide ? 56 : 44, true)];
  if (size < (wide ? 56 : 32) || table + size * count > v.byteLength) throw new BootImageError('the ELF program headers are cut off');
  return Array.from({ length: count }, (_, n) => {
    const at = table + n * size;
    const word = (narrow: number, long: number): number => (wide ? number64(v, at + long) : v.getUint32(at + narrow, true));
    return { type: v.getUint32(at, true), offset: word(4, 8), virtual: word(8, 16), physical: word(12, 24), fileSize: word(16, 32), memorySize: word(20, 40) }; // prettier-ignore
  });
}

function segment(file: Uint8Array, h: ProgramHeader): BootSegment {
  if (h.offset + h.fileSize > file.length) throw new BootImageError(`the segment for 0x${h.physical.toString(16)} is cut off`);
  if (h.fileSize > h.memorySize) throw new BootImageError(`the segment for 0x${h.physical.toString(16)} is larger in the file than in memory`);
  return { address: h.physical, bytes: file.subarray(h.offset, h.offset + h.fileSize), size: h.memorySize };
}

/** The entry may be given as a virtual address of a segment that is loaded elsewhere. */
function physicalEntry(entry: number, headers: readonly ProgramHeader[]): number {
  const home = headers.find((h) => h.type === PT_LOAD && entry >= h.virtual && entry < h.virtual + h.memorySize);
  return home ? entry - home.virtual + home.physical : entry;
}

/** Addresses beyond 2^53 lose their low bits; they are out of reach of every check that follows. */
const number64 = (v: DataView, at: number): number => v.getUint32(at, true) + v.getUint32(at + 4, true) * 0x1_0000_0000;
