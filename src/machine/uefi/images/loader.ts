import { AllocateType, MemoryType, PAGE, UEFI_REVISION } from '../constants.ts';
import type { FirmwareContext } from '../context.ts';
import { Guids } from '../guids.ts';
import { encodePath, filePathNode, type PathNode } from '../handles/device-path.ts';
import { installProtocol, removeHandle } from '../handles/database.ts';
import { allocatePages, freePages } from '../memory/map.ts';
import { allocateBootData, releasePool } from '../memory/pool.ts';
import { Pack, utf16Bytes } from '../pack.ts';
import { Refusal, Status } from '../status.ts';
import type { ImageEntry } from '../state.ts';
import { layOut, parsePe, Subsystem } from './pe.ts';

/** Memory types of code and data by subsystem: UEFI 2.10, 2.1.1 and table 7-5. */
const memoryTypes: Record<number, readonly [number, number]> = {
  [Subsystem.application]: [MemoryType.loaderCode, MemoryType.loaderData],
  [Subsystem.bootServiceDriver]: [MemoryType.bootServicesCode, MemoryType.bootServicesData],
  [Subsystem.runtimeDriver]: [MemoryType.runtimeServicesCode, MemoryType.runtimeServicesData],
};

export interface ImageSource {
  readonly bytes: Uint8Array;
  /** For people: the last part of the path, or where the bytes came from. */
  readonly name: string;
  /** Path on the file system, when it came from one. */
  readonly path: string | undefined;
  /** Handle of the file system, 0 for none, and the device path of that handle. */
  readonly device: number;
  readonly deviceNodes: readonly PathNode[];
  readonly parent: number;
}

/** EFI_LOADED_IMAGE_PROTOCOL: UEFI 2.10, 9.1. Offsets of what changes later. */
export const LoadedImage = { revision: 0x1000, loadOptionsSize: 48, loadOptions: 56, unload: 88 } as const;

/** Loads an image and installs its protocols; throws a Refusal and leaves nothing behind when it cannot. */
export function loadImage(fw: FirmwareContext, source: ImageSource): ImageEntry {
  const { state } = fw;
  const pe = parsePe(source.bytes);
  const [codeType, dataType] = memoryTypes[pe.subsystem]!;
  const pages = Math.ceil(pe.imageSize / PAGE);
  const align = Math.max(PAGE, pe.alignment);
  const base = pe.relocatable
    ? allocatePages(state.map, AllocateType.anyPages, codeType, pages, 0, align)
    : allocatePages(state.map, AllocateType.address, codeType, pages, pe.imageBase);
  try {
    fw.memory.write(base, layOut(pe, base));
  } catch (e) {
    freePages(state.map, base, pages);
    throw e;
  }

  const blocks: number[] = [];
  const keep = (bytes: Uint8Array): number => {
    const at = allocateBootData(state, bytes.length);
    fw.memory.write(at, bytes);
    blocks.push(at);
    return at;
  };
  const file = source.path === undefined ? [] : [filePathNode(source.path)];
  const protocol = keep(
    new Pack()
      .u32(LoadedImage.revision)
      .align(8)
      .u64(source.parent)
      .u64(fw.layout.runtimeData.base)
      .u64(source.device)
      .u64(source.path === undefined ? 0 : keep(encodePath(file)))
      .u64(0)
      .u64(0) // LoadOptionsSize and padding
      .u64(0)
      .u64(base)
      .u64(pe.imageSize)
      .u32(codeType)
      .u32(dataType)
      .u64(0)
      .done(),
  );
  const handle = installProtocol(state, 0, Guids.loadedImage, protocol);
  installProtocol(state, handle, Guids.loadedImageDevicePath, source.path === undefined ? 0 : keep(encodePath([...source.deviceNodes, ...file])));
  const image: ImageEntry = {
    handle,
    name: source.name,
    path: source.path ?? null,
    base,
    size: pe.imageSize,
    pages,
    entry: base + pe.entry,
    subsystem: pe.subsystem,
    parent: source.parent,
    protocol,
    blocks,
    started: false,
  };
  state.images.push(image);
  fw.machine.probe?.imageLoaded?.({ name: source.name, base, size: pe.imageSize, path: source.path });
  return image;
}

export function setLoadOptions(fw: FirmwareContext, image: ImageEntry, text: string): void {
  const bytes = utf16Bytes(text);
  const at = allocateBootData(fw.state, bytes.length);
  image.blocks.push(at);
  fw.memory.write(at, bytes);
  fw.memory.setU32(image.protocol + LoadedImage.loadOptionsSize, bytes.length);
  fw.memory.setU64(image.protocol + LoadedImage.loadOptions, at);
}

/** Takes an image out of memory and out of the handle database. Protocols that it left on its handle go too. */
export function discardImage(fw: FirmwareContext, image: ImageEntry): void {
  const { state } = fw;
  state.images = state.images.filter((i) => i.handle !== image.handle);
  removeHandle(state, image.handle);
  for (const block of image.blocks) releasePool(state, block);
  // The guest may have freed or split the image's pages itself; what is left of them is its own affair.
  try {
    freePages(state.map, image.base, image.pages);
  } catch (e) {
    if (!(e instanceof Refusal && e.status === Status.NOT_FOUND)) throw e;
  }
}

export const revisionText = `${UEFI_REVISION >> 16}.${(UEFI_REVISION & 0xffff) / 10}`;
