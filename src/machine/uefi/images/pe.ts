import { Refusal, Status } from '../status.ts';

/**
 * PE32+ images: Microsoft PE/COFF specification, chapters 3 and 5; UEFI 2.10, 2.1.1. Every offset and size in the file is
 * checked before it is used: a bad file ends in a Refusal with a reason, never in a host exception.
 */
export interface PeSection {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly data: Uint8Array;
}
export interface PeImage {
  readonly imageBase: number;
  readonly imageSize: number;
  readonly entry: number;
  readonly alignment: number;
  readonly subsystem: number;
  readonly headers: Uint8Array;
  readonly sections: readonly PeSection[];
  readonly relocatable: boolean;
  readonly relocations: { readonly address: number; readonly size: number };
}

/** Subsystems: UEFI 2.10, 2.1.1. */
export const Subsystem = { application: 10, bootServiceDriver: 11, runtimeDriver: 12 } as const;

const MACHINE_X64 = 0x8664;
const PE32_PLUS = 0x20b;
const RELOCS_STRIPPED = 1;
const MAX_IMAGE = 0x4000_0000;
const BASE_RELOCATION = 5;

const bad = (reason: string): Refusal => new Refusal(Status.LOAD_ERROR, reason);

export function parsePe(file: Uint8Array): PeImage {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const need = (at: number, length: number, what: string): void => {
    if (at < 0 || at + length > file.length) throw bad(`file ends inside ${what}`);
  };
  need(0, 2, 'the DOS header');
  if (view.getUint16(0, true) !== 0x5a4d) throw new Refusal(Status.UNSUPPORTED, 'not a PE file (no MZ)');
  need(0, 0x40, 'the DOS header');
  const pe = view.getUint32(0x3c, true);
  need(pe, 24, 'the PE header');
  if (view.getUint32(pe, true) !== 0x4550) throw new Refusal(Status.UNSUPPORTED, 'no PE signature');
  const machine = view.getUint16(pe + 4, true);
  if (machine !== MACHINE_X64) throw new Refusal(Status.UNSUPPORTED, `machine type 0x${machine.toString(16)}, not x86-64`);
  const sectionCount = view.getUint16(pe + 6, true);
  const optionalSize = view.getUint16(pe + 20, true);
  const characteristics = view.getUint16(pe + 22, true);
  const optional = pe + 24;
  need(optional, Math.max(optionalSize, 112), 'the optional header');
  if (view.getUint16(optional, true) !== PE32_PLUS) throw new Refusal(Status.UNSUPPORTED, 'not PE32+');
  const subsystem = view.getUint16(optional + 68, true);
  if (subsystem < Subsystem.application || subsystem > Subsystem.runtimeDriver)
    throw new Refusal(Status.UNSUPPORTED, `subsystem ${subsystem} is not EFI's`);

  const entry = view.getUint32(optional + 16, true);
  const imageBase = Number(view.getBigUint64(optional + 24, true));
  const alignment = view.getUint32(optional + 32, true);
  const imageSize = view.getUint32(optional + 56, true);
  const headersSize = view.getUint32(optional + 60, true);
  if (imageSize === 0 || imageSize > MAX_IMAGE) throw bad(`SizeOfImage 0x${imageSize.toString(16)}`);
  if (alignment === 0 || (alignment & (alignment - 1)) !== 0) throw bad(`SectionAlignment 0x${alignment.toString(16)}`);
  if (headersSize > imageSize || headersSize > file.length) throw bad('SizeOfHeaders is beyond the file or the image');
  if (entry >= imageSize) throw bad('the entry point lies outside the image');

  const directories = view.getUint32(optional + 108, true);
  let relocations = { address: 0, size: 0 };
  if (directories > BASE_RELOCATION && optionalSize >= 112 + (BASE_RELOCATION + 1) * 8) {
    const at = optional + 112 + BASE_RELOCATION * 8;
    relocations = { address: view.getUint32(at, true), size: view.getUint32(at + 4, true) };
  }
  if (relocations.address + relocations.size > imageSize) throw bad('the relocations lie outside the image');

  const table = optional + optionalSize;
  need(table, sectionCount * 40, 'the section table');
  const sections: PeSection[] = [];
  for (let n = 0; n < sectionCount; n++) {
    const at = table + n * 40;
    const name = String.fromCharCode(...file.subarray(at, at + 8)).replace(/\0+$/, '');
    const virtualSize = view.getUint32(at + 8, true);
    const address = view.getUint32(at + 12, true);
    const rawSize = view.getUint32(at + 16, true);
    const raw = view.getUint32(at + 20, true);
    const size = virtualSize === 0 ? rawSize : virtualSize;
    if (address + size > imageSize) throw bad(`section ${name} lies outside the image`);
    const length = Math.min(rawSize, size);
    if (length > 0) need(raw, length, `section ${name}`);
    sections.push({ name, address, size, data: length > 0 ? file.subarray(raw, raw + length) : new Uint8Array(0) });
  }
  const relocatable = (characteristics & RELOCS_STRIPPED) === 0;
  return { imageBase, imageSize, entry, alignment, subsystem, headers: file.subarray(0, headersSize), sections, relocatable, relocations };
}

/** The image as it lies in memory, relocated to `base`. */
export function layOut(image: PeImage, base: number): Uint8Array {
  const bytes = new Uint8Array(image.imageSize);
  bytes.set(image.headers);
  for (const s of image.sections) bytes.set(s.data, s.address);
  if (base !== image.imageBase) relocate(bytes, image, base);
  return bytes;
}

/** Base relocations: PE/COFF specification, 5.6. */
const Relocation = { absolute: 0, high: 1, low: 2, highLow: 3, dir64: 10 } as const;

function relocate(bytes: Uint8Array, image: PeImage, base: number): void {
  if (!image.relocatable) throw bad('the image has no relocations and its base address is taken');
  const view = new DataView(bytes.buffer);
  const delta = BigInt(base) - BigInt(image.imageBase);
  const low = Number(BigInt.asUintN(32, delta));
  const end = image.relocations.address + image.relocations.size;
  for (let at = image.relocations.address; at + 8 <= end;) {
    const page = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (size === 0) break; // padding after the last block
    if (size < 8 || at + size > end) throw bad('a relocation block is cut off');
    for (let n = at + 8; n + 2 <= at + size; n += 2) {
      const fixup = view.getUint16(n, true);
      const kind = fixup >> 12;
      const p = page + (fixup & 0xfff);
      if (kind === Relocation.absolute) continue;
      const width = kind === Relocation.dir64 ? 8 : kind === Relocation.highLow ? 4 : 2;
      if (p + width > bytes.length) throw bad('a relocation points outside the image');
      if (kind === Relocation.dir64) view.setBigUint64(p, BigInt.asUintN(64, view.getBigUint64(p, true) + delta), true);
      else if (kind === Relocation.highLow) view.setUint32(p, view.getUint32(p, true) + low, true);
      else if (kind === Relocation.low) view.setUint16(p, view.getUint16(p, true) + low, true);
      else if (kind === Relocation.high) view.setUint16(p, view.getUint16(p, true) + (low >>> 16), true);
      else throw bad(`relocation type ${kind}`);
    }
    at += size;
  }
}
