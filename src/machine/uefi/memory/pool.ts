import { AllocateType, MemoryType, PAGE } from '../constants.ts';
import { invalid } from '../status.ts';
import type { FirmwareState } from '../state.ts';
import { allocatableType, allocatePages, freePages } from './map.ts';

/**
 * Pool (UEFI 2.10, 7.2.4): small blocks come from bins of equal size cut out of 16 KiB runs per memory type, larger ones have pages of
 * their own. Blocks are 16-byte aligned, which is more than the 8 the specification asks for.
 */
const BINS = [32, 64, 128, 256, 512, 1024, 2048];
const RUN_PAGES = 4;

export function allocatePool(state: FirmwareState, type: number, size: number): number {
  if (!allocatableType(type)) throw invalid('memory type');
  const { pool, map } = state;
  const bin = BINS.find((b) => size <= b);
  if (bin === undefined) {
    const address = allocatePages(map, AllocateType.anyPages, type, Math.ceil(size / PAGE));
    pool.blocks[address] = { size, type, bin: 0 };
    return address;
  }
  const free = (pool.free[`${type}/${bin}`] ??= []);
  if (free.length === 0) {
    const run = allocatePages(map, AllocateType.anyPages, type, RUN_PAGES);
    for (let at = run + RUN_PAGES * PAGE - bin; at >= run; at -= bin) free.push(at);
  }
  const address = free.pop()!;
  pool.blocks[address] = { size, type, bin };
  return address;
}

export function freePool(state: FirmwareState, address: number): void {
  const { pool, map } = state;
  const block = pool.blocks[address];
  if (!block) throw invalid('not a pool block');
  if (block.bin === 0) freePages(map, address, Math.ceil(block.size / PAGE));
  else (pool.free[`${block.type}/${block.bin}`] ??= []).push(address);
  delete pool.blocks[address];
}

/** Frees a block that the guest may have freed before. */
export function releasePool(state: FirmwareState, address: number): void {
  if (state.pool.blocks[address]) freePool(state, address);
}

/** The firmware's own small structures. */
export const allocateBootData = (state: FirmwareState, size: number): number => allocatePool(state, MemoryType.bootServicesData, size);
