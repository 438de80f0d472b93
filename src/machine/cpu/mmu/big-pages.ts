import { BIG_PAGES, BIG_PAGES_SIZE, TLB_CONTEXT_HEADER } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';

/**
 * Pages larger than 4 KBytes that a TLB context may hold pieces of: INVLPG drops all pieces at once (SDM Vol. 3, 4.10.4.1).
 * They lie behind the context's header in linear memory, because the walk in WebAssembly (quick/walk.ts) notes them too: 64 sets
 * of 8 numbers. A number is the page's linear address with `sizeCode` in its low bits, so that none is 0.
 */
export const BIG_PAGE_SETS = 64;
export const BIG_PAGE_WAYS = 8;
/** Log2 of the sizes of pages above 4 KBytes: SDM Vol. 3, table 4-1. */
export const BIG_PAGE_BITS = [21, 22, 30] as const;
/** Nonzero when a page is noted; and when one found its set full, so that INVLPG must drop everything. */
export const BIG_NOTED = TLB_CONTEXT_HEADER + 32;
export const BIG_OVERFLOW = TLB_CONTEXT_HEADER + 36;

export const sizeCode = (bits: number): number => bits - 20;

/** Index in the 32-bit view of the first number of a page's set. */
function setOf(context: number, high: number, low: number, bits: number): number {
  const page = (high << (32 - bits)) | (low >>> bits);
  return (context + BIG_PAGES + (page & (BIG_PAGE_SETS - 1)) * BIG_PAGE_WAYS * 8) >>> 2;
}

const numberLow = (low: number, bits: number): number => ((low & ~((1 << bits) - 1)) | sizeCode(bits)) >>> 0;

/** The walk met a page of 2^bits bytes: the context at an address may now hold any piece of it. */
export function noteBig(m: LinearMemory, context: number, high: number, low: number, bits: number): void {
  const { u32 } = m;
  const number = numberLow(low, bits);
  const set = setOf(context, high, low, bits);
  for (let at = set; at < set + BIG_PAGE_WAYS * 2; at += 2) {
    if (u32[at] === number && u32[at + 1] === high >>> 0) return;
    if (u32[at] !== 0) continue;
    u32[at] = number;
    u32[at + 1] = high;
    u32[(context + BIG_NOTED) >> 2] = 1;
    return;
  }
  u32[(context + BIG_OVERFLOW) >> 2] = 1;
}

/** Forgets a page of 2^bits bytes around an address; false: it was not noted. */
export function forgetBig(m: LinearMemory, context: number, high: number, low: number, bits: number): boolean {
  const { u32 } = m;
  const number = numberLow(low, bits);
  const set = setOf(context, high, low, bits);
  for (let at = set; at < set + BIG_PAGE_WAYS * 2; at += 2) {
    if (u32[at] !== number || u32[at + 1] !== high >>> 0) continue;
    u32[at] = u32[at + 1] = 0;
    return true;
  }
  return false;
}

export function forgetAllBig(m: LinearMemory, context: number): void {
  const { u32 } = m;
  if (u32[(context + BIG_NOTED) >> 2] === 0) return;
  u32[(context + BIG_NOTED) >> 2] = 0;
  u32[(context + BIG_OVERFLOW) >> 2] = 0;
  u32.fill(0, (context + BIG_PAGES) >> 2, (context + BIG_PAGES + BIG_PAGES_SIZE) >> 2);
}
