/** Multiboot kernels: Multiboot Specification 0.6.96, section 3.1 (the header). */
import { elfImage, isElf } from './elf-image.ts';
import { BootImageError, type BootImage } from './image.ts';

const HEADER_MAGIC = 0x1bad_b002;
/** What EAX tells the kernel: 3.2. */
export const LOADER_MAGIC = 0x2bad_b002;
/** The header lies in the first 8 KiB, at a multiple of 4. */
const SEARCHED = 8192;
const VIDEO = 4;
const ADDRESSES = 0x1_0000;
/** Flags 0..15 are requirements; these are met: page-aligned modules and memory information always. */
const REQUIREMENTS = 0xffff;
const MET = 3;

interface Header {
  /** Of the header in the file. */
  readonly offset: number;
  readonly flags: number;
}

/** Finds the header and says what to load where: by the header's addresses when it has them, else as ELF. */
export function multibootImage(file: Uint8Array): BootImage {
  const v = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const header = findHeader(v);
  if (!header) throw new BootImageError('it is no Multiboot kernel: there is no valid header (magic 1BADB002) in its first 8 KiB');
  // As QEMU does, a wish for a video mode is not granted but no reason to refuse.
  const unmet = header.flags & REQUIREMENTS & ~(MET | VIDEO);
  if (unmet !== 0) throw new BootImageError(`its Multiboot header requires features 0x${unmet.toString(16)}, which are not known`);
  if ((header.flags & ADDRESSES) !== 0) return addressedImage(file, v, header.offset);
  if (!isElf(file)) throw new BootImageError('it is no ELF file, and its Multiboot header has no load addresses');
  return elfImage(file);
}

function findHeader(v: DataView): Header | undefined {
  for (let at = 0; at + 12 <= Math.min(SEARCHED, v.byteLength); at += 4) {
    if (v.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = v.getUint32(at + 4, true);
    if ((HEADER_MAGIC + flags + v.getUint32(at + 8, true)) % 0x1_0000_0000 === 0) return { offset: at, flags };
  }
  return undefined;
}

/** The address fields (3.1.3): header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr, after the checksum. */
function addressedImage(file: Uint8Array, v: DataView, offset: number): BootImage {
  if (offset + 32 > file.length) throw new BootImageError('its Multiboot header is cut off');
  const [headerAddress, load, loadEnd, bssEnd, entry] = Array.from({ length: 5 }, (_, n) => v.getUint32(offset + 12 + n * 4, true)) as [number, number, number, number, number]; // prettier-ignore
  if (headerAddress < load) throw new BootImageError('its Multiboot header says header_addr < load_addr');
  const start = offset - (headerAddress - load);
  if (start < 0) throw new BootImageError('its Multiboot header says that loading begins before the file does');
  const length = loadEnd === 0 ? file.length - start : loadEnd - load;
  if (length <= 0 || start + length > file.length) throw new BootImageError('its Multiboot header says that more is loaded than the file has');
  if (bssEnd !== 0 && bssEnd < load + length) throw new BootImageError('its Multiboot header says bss_end_addr < load_end_addr');
  return { entry, segments: [{ address: load, bytes: file.subarray(start, start + length), size: bssEnd === 0 ? length : bssEnd - load }] };
}
