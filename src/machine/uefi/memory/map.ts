import { AllocateType, MemoryAttribute, MemoryType, PAGE } from '../constants.ts';
import { Refusal, Status, invalid } from '../status.ts';
import type { MapState, Region } from '../state.ts';
import { Pack } from '../pack.ts';

/** The memory map: sorted regions that never overlap (UEFI 2.10, 7.2). Pure functions on plain data. */

export const regionEnd = (r: Region): number => r.base + r.pages * PAGE;
/** AllocateAnyPages stays below this. */
const FOUR_GIB = 0x1_0000_0000;

/** Types a caller may ask for: UEFI 2.10, 7.2.1 (EFI_INVALID_PARAMETER rows of AllocatePages). */
export function allocatableType(type: number): boolean {
  if (type >= 0x7000_0000) return true; // OEM and OS loader ranges
  return type <= MemoryType.palCode && type !== MemoryType.conventional;
}

/** Lays a region over whatever was described there. */
export function setRegion(map: MapState, base: number, pages: number, type: number, allocated = false): void {
  const end = base + pages * PAGE;
  const out: Region[] = [];
  for (const r of map.regions) {
    const rEnd = regionEnd(r);
    if (rEnd <= base || r.base >= end) {
      out.push(r);
      continue;
    }
    if (r.base < base) out.push({ ...r, pages: (base - r.base) / PAGE });
    if (rEnd > end) out.push({ ...r, base: end, pages: (rEnd - end) / PAGE });
  }
  out.push({ base, pages, type, allocated });
  out.sort((a, b) => a.base - b.base);
  map.regions = merge(out);
  map.key++;
}

function merge(regions: readonly Region[]): Region[] {
  const out: Region[] = [];
  for (const r of regions) {
    const last = out.at(-1);
    if (last && last.type === r.type && last.allocated === r.allocated && regionEnd(last) === r.base) last.pages += r.pages;
    else out.push({ ...r });
  }
  return out;
}

/** Highest conventional range of `pages` that ends at or below `limit`, aligned; undefined when there is none. */
export function findFree(map: MapState, pages: number, limit: number, align = PAGE): number | undefined {
  for (let n = map.regions.length - 1; n >= 0; n--) {
    const r = map.regions[n]!;
    if (r.type !== MemoryType.conventional) continue;
    const top = Math.min(regionEnd(r), limit);
    const base = Math.floor((top - pages * PAGE) / align) * align;
    if (base >= r.base) return base;
  }
  return undefined;
}

/** AllocatePages: throws a Refusal, else the base address. `address` is the limit or the wanted address. */
export function allocatePages(map: MapState, how: number, type: number, pages: number, address = 0, align = PAGE): number {
  if (how > AllocateType.address) throw invalid('allocate type');
  if (!allocatableType(type)) throw invalid('memory type');
  if (pages === 0) throw invalid('no pages');
  if (how === AllocateType.address) {
    if (address % PAGE !== 0) throw invalid('address is not page-aligned');
    const end = address + pages * PAGE;
    if (!map.regions.some((r) => r.type === MemoryType.conventional && r.base <= address && end <= regionEnd(r))) throw new Refusal(Status.NOT_FOUND);
    setRegion(map, address, pages, type, true);
    return address;
  }
  // The limit is the last usable byte: UEFI 2.10, 7.2.1, AllocateMaxAddress.
  const limit = how === AllocateType.maxAddress ? Math.min(Math.floor((address + 1) / PAGE) * PAGE, Number.MAX_SAFE_INTEGER) : FOUR_GIB;
  const base = findFree(map, pages, limit, align);
  if (base === undefined) throw new Refusal(Status.OUT_OF_RESOURCES);
  setRegion(map, base, pages, type, true);
  return base;
}

export function freePages(map: MapState, base: number, pages: number): void {
  if (base % PAGE !== 0 || pages === 0) throw invalid();
  const end = base + pages * PAGE;
  let at = base;
  for (const r of map.regions) {
    if (r.base > at) break;
    if (r.allocated && at < regionEnd(r)) at = Math.min(end, regionEnd(r));
    if (at === end) break;
  }
  if (at !== end) throw new Refusal(Status.NOT_FOUND, 'not all of it was allocated');
  setRegion(map, base, pages, MemoryType.conventional);
}

export const DESCRIPTOR_SIZE = 48;
export const DESCRIPTOR_VERSION = 1;

export function regionAttributes(r: Region): bigint {
  const { UC, WC, WT, WB, RUNTIME } = MemoryAttribute;
  if (r.type === MemoryType.mmio || r.type === MemoryType.mmioPort) return UC;
  const cacheable = UC | WC | WT | WB;
  return r.type === MemoryType.runtimeServicesCode || r.type === MemoryType.runtimeServicesData ? cacheable | RUNTIME : cacheable;
}

/** EFI_MEMORY_DESCRIPTORs (UEFI 2.10, 7.2.3), with the 8 spare bytes that make callers honour DescriptorSize. */
export function describeMap(map: MapState): Uint8Array {
  const pack = new Pack();
  for (const r of merge(map.regions.map((r) => ({ ...r, allocated: false }))))
    pack.u32(r.type).u32(0).u64(r.base).u64(0).u64(r.pages).u64(regionAttributes(r)).u64(0);
  return pack.done();
}
