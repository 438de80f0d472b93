import { PAGE_SIZE } from './known-page.ts';

export const BLOCK_SIZE = 64;
export const BLOCKS = PAGE_SIZE / BLOCK_SIZE;

/** 32-bit hash of a part of a page. What hashes alike is compared byte by byte afterwards, so speed counts more than strength. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let i = start; i < end; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

// Marks the byte values met during one call by that call's number, so that nothing needs clearing.
const metIn = new Uint32Array(256);
let call = 0;

/** Whether bytes are peculiar enough to identify a place: padding (zero, NOP, INT3) and near-empty blocks are not. */
export function isDistinctive(bytes: Uint8Array, start: number, end: number): boolean {
  call++;
  let different = 0;
  let nonZero = 0;
  for (let i = start; i < end && (nonZero < 16 || different < 8); i++) {
    const byte = bytes[i]!;
    if (byte === 0) continue;
    nonZero++;
    if (metIn[byte] === call) continue;
    metIn[byte] = call;
    different++;
  }
  return nonZero >= 16 && different >= 8;
}
