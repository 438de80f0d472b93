/**
 * The software TLB, in linear memory so that emitted code can probe it and quick/walk.ts can fill it (memory/layout.ts has its
 * shape).
 *
 * Each CPU has `TLB_CONTEXTS` contexts (contexts.ts says for what), each with a supervisor and a user half, and one half for
 * CPL 3 with alignment checking on: it never holds data entries, so that every access takes the slow path, which is where #AC
 * is raised. Contents are a cache, never machine state: a snapshot restore calls `resetTlb`.
 *
 * A half has a bit for each entry that may be valid, so flushing a nearly empty half costs nearly nothing.
 */
import type { LinearAddr } from '../../memory/address.ts';
import {
  ALIGN_HALVES, CODE_TLB_ENTRIES, CODE_TLB_ENTRY_SIZE, TLB_CONTEXT_SIZE, TLB_CONTEXTS, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_HALF_SIZE, TLB_PER_CPU,
  TLB_USED, TLBS,
} from '../../memory/layout.ts'; // prettier-ignore
import type { LinearMemory } from '../../memory/linear-memory.ts';
import { BIG_NOTED, BIG_OVERFLOW, BIG_PAGE_BITS, forgetAllBig, forgetBig, noteBig } from './big-pages.ts';
import * as L from '../layout.ts';
import { CR0, Flag, type Cpu } from '../cpu.ts';

/** Field offsets of a data entry; a code entry is a tag and, at `CODE_TABLE`, the code page table's address. */
export const READ_TAG = 0;
export const WRITE_TAG = 8;
export const HOST_PAGE = 16;
/** What emitted code adds to the low half of a linear address. */
export const HOST_DELTA = 28;
export const PHYS_PAGE = 20;
/** Nonzero: a write is allowed, but must be seen (the page has decoded code), so there is no write tag. */
export const SEEN_WRITE = 24;
export const CODE_TABLE = 8;
export const CODE_ENTRIES = TLB_ENTRIES * TLB_ENTRY_SIZE;

/** A tag that matches no page address. Real tags have bit 0 clear. */
export const INVALID = 1;
/** Words of a half's bits: for data entries, then for code entries. */
const DATA_WORDS = TLB_ENTRIES / 32;
const WORDS = DATA_WORDS + CODE_TLB_ENTRIES / 32;

/** Address of a context's memory. */
export const contextAt = (cpu: Cpu, context: number): number => TLBS + cpu.index * TLB_PER_CPU + context * TLB_CONTEXT_SIZE;

const currentContext = (cpu: Cpu): number => contextAt(cpu, cpu.u32(L.TLB_CONTEXT));

/** The half that holds alignment-checked accesses of this CPU. */
export const alignHalf = (cpu: Cpu): number => ALIGN_HALVES + cpu.index * TLB_HALF_SIZE;

/** Address of a half in linear memory. */
export function tlbHalf(cpu: Cpu, context: number, user: boolean): number {
  return contextAt(cpu, context) + (user ? TLB_HALF_SIZE : 0);
}

/** True when misaligned accesses raise #AC: SDM Vol. 3, 2.5 (CR0.AM). Whoever changes RFLAGS.AC at CPL 3 calls `selectTlb`. */
export function alignmentChecked(cpu: Cpu): boolean {
  return cpu.cpl === 3 && (cpu.cr0bits & CR0.AM) !== 0 && (cpu.sysflags & Flag.AC) !== 0;
}

/** Points L.TLB at the half that TLB_CONTEXT and CPL call for. */
export function selectTlb(cpu: Cpu): void {
  cpu.setU32(L.TLB, alignmentChecked(cpu) ? alignHalf(cpu) : tlbHalf(cpu, cpu.u32(L.TLB_CONTEXT), cpu.cpl === 3));
}

/** Makes every entry of a half invalid, whatever it holds. */
export function clearHalf(m: LinearMemory, half: number): void {
  m.u64.fill(BigInt(INVALID), half >> 3, (half + TLB_USED) >> 3);
  m.u64.fill(0n, (half + TLB_USED) >> 3, (half + TLB_HALF_SIZE) >> 3);
}

/** Calls for each entry of a half that may be valid; from word `first` of the bits up to `end`. */
function forEachEntry(m: LinearMemory, half: number, first: number, end: number, f: (entry: number) => void): void {
  const used = (half + TLB_USED) >> 2;
  for (let n = first; n < end; n++) {
    for (let bits = m.u32[used + n]!; bits !== 0; bits &= bits - 1) {
      const entry = n * 32 + 31 - Math.clz32(bits & -bits);
      f(n < DATA_WORDS ? half + entry * TLB_ENTRY_SIZE : half + CODE_ENTRIES + (entry - TLB_ENTRIES) * CODE_TLB_ENTRY_SIZE);
    }
  }
}

function flushEntries(m: LinearMemory, half: number, first: number, end: number): void {
  const { u32 } = m;
  const used = (half + TLB_USED) >> 2;
  for (let n = first; n < end; n++) {
    let bits = u32[used + n]!;
    if (bits === 0) continue;
    u32[used + n] = 0;
    for (; bits !== 0; bits &= bits - 1) {
      const entry = n * 32 + 31 - Math.clz32(bits & -bits);
      const at = n < DATA_WORDS ? (half + entry * TLB_ENTRY_SIZE) >> 2 : (half + CODE_ENTRIES + (entry - TLB_ENTRIES) * CODE_TLB_ENTRY_SIZE) >> 2;
      u32[at] = INVALID;
      if (n < DATA_WORDS) u32[at + (WRITE_TAG >> 2)] = INVALID;
    }
  }
}

/** Invalidates all translations of the context at an address. */
export function flushContext(m: LinearMemory, context: number): void {
  flushEntries(m, context, 0, WORDS);
  flushEntries(m, context + TLB_HALF_SIZE, 0, WORDS);
  forgetAllBig(m, context);
}

/** Invalidates the half for alignment checking, which belongs to whatever context is in use. */
export function flushAligned(cpu: Cpu): void {
  flushEntries(cpu.m, alignHalf(cpu), 0, WORDS);
}

/** Invalidates all translations of all contexts. */
export function flushTlbAll(cpu: Cpu): void {
  for (let n = 0; n < TLB_CONTEXTS; n++) flushContext(cpu.m, contextAt(cpu, n));
  flushAligned(cpu);
}

/** The walk met a page larger than 4 KBytes: the current context may now hold any piece of it. */
export function noteBigPage(cpu: Cpu, high: number, low: number, bits: number): void {
  noteBig(cpu.m, currentContext(cpu), high, low, bits);
}

/**
 * Invalidates the translations of one page in the context at an address: INVLPG. Entries are for 4 KBytes each, but all pieces
 * of a larger page go together (SDM Vol. 3, 4.10.4.1).
 */
export function flushPage(m: LinearMemory, context: number, align: number, high: number, low: number): void {
  const { u32 } = m;
  if (u32[(context + BIG_NOTED) >> 2] !== 0) {
    if (u32[(context + BIG_OVERFLOW) >> 2] !== 0) flushContext(m, context);
    for (const bits of BIG_PAGE_BITS) {
      if (!forgetBig(m, context, high, low, bits)) continue;
      for (const half of [context, context + TLB_HALF_SIZE, align]) flushRange(m, half, high, low, bits);
    }
  }
  for (const half of [context, context + TLB_HALF_SIZE, align]) {
    const data = dataEntry(half, low >>> 12) >> 2;
    u32[data] = INVALID;
    u32[data + (WRITE_TAG >> 2)] = INVALID;
    u32[codeEntry(half, low >>> 12) >> 2] = INVALID;
  }
}

/** Invalidates what a half holds of a naturally aligned range of 2^bits bytes. */
function flushRange(m: LinearMemory, half: number, high: number, low: number, bits: number): void {
  const { u32 } = m;
  const drop = (tag: number): void => {
    const at = tag >> 2;
    if (u32[at + 1] === high && u32[at]! >>> bits === low >>> bits) u32[at] = INVALID;
  };
  forEachEntry(m, half, 0, DATA_WORDS, (entry) => {
    drop(entry + READ_TAG);
    drop(entry + WRITE_TAG);
  });
  forEachEntry(m, half, DATA_WORDS, WORDS, drop);
}

/** All halves of a CPU. */
function* halvesOf(cpu: Cpu): Generator<number> {
  for (let n = 0; n < TLB_CONTEXTS; n++) {
    yield contextAt(cpu, n);
    yield contextAt(cpu, n) + TLB_HALF_SIZE;
  }
  yield alignHalf(cpu);
}

/** Invalidates the code entries of every context: decoded code was thrown away. */
export function flushCodeTlb(cpu: Cpu): void {
  for (const half of halvesOf(cpu)) flushEntries(cpu.m, half, DATA_WORDS, WORDS);
}

export const dataEntry = (half: number, page: number): number => half + (page & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
const codeEntry = (half: number, page: number): number => half + CODE_ENTRIES + (page & (CODE_TLB_ENTRIES - 1)) * CODE_TLB_ENTRY_SIZE;

/** Notes that an entry of a half may be valid; `number` counts data entries, then code entries. */
function use(m: LinearMemory, half: number, number: number): void {
  m.u32[((half + TLB_USED) >> 2) + (number >> 5)]! |= 1 << (number & 31);
}

/** As `insertData`, with the linear address in halves and the half chosen. `high` and `low` may be signed or unsigned. */
export function insertDataAt(
  cpu: Cpu,
  halfAddress: number,
  high: number,
  low: number,
  hostPage: number,
  physPage: number,
  readable: boolean,
  writable: boolean,
  seenWrite = false,
): void {
  if (halfAddress >= ALIGN_HALVES) return;
  const { u32 } = cpu.m;
  const at = dataEntry(halfAddress, low >>> 12) >> 2;
  use(cpu.m, halfAddress, (low >>> 12) & (TLB_ENTRIES - 1));
  const page = low & ~0xfff;
  u32[at] = readable ? page : INVALID;
  u32[at + 1] = high;
  u32[at + (WRITE_TAG >> 2)] = writable ? page : INVALID;
  u32[at + (WRITE_TAG >> 2) + 1] = high;
  u32[at + (HOST_PAGE >> 2)] = hostPage;
  u32[at + (HOST_DELTA >> 2)] = hostPage - page;
  u32[at + (PHYS_PAGE >> 2)] = physPage;
  u32[at + (SEEN_WRITE >> 2)] = seenWrite ? 1 : 0;
}

/** Makes a translation of data accesses known to emitted code, in the half in use. `hostPage` is an address in linear memory. */
export function insertData(cpu: Cpu, linear: LinearAddr, hostPage: number, physPage: number, readable: boolean, writable: boolean): void {
  const high = Number(BigInt.asUintN(64, linear) >> 32n);
  insertDataAt(cpu, cpu.u32(L.TLB), high, Number(BigInt.asUintN(32, linear)), hostPage, physPage, readable, writable);
}

/** Makes the decoded-code table of a page known to emitted code, in the half in use. */
export function insertCode(cpu: Cpu, linear: LinearAddr, table: number): void {
  insertCodeAt(cpu, Number(BigInt.asUintN(64, linear) >> 32n), Number(BigInt.asUintN(32, linear)), table);
}

export function insertCodeAt(cpu: Cpu, high: number, low: number, table: number): void {
  const { u32 } = cpu.m;
  const half = cpu.u32(L.TLB);
  const at = codeEntry(half, low >>> 12) >> 2;
  use(cpu.m, half, TLB_ENTRIES + ((low >>> 12) & (CODE_TLB_ENTRIES - 1)));
  u32[at] = low & ~0xfff;
  u32[at + 1] = high;
  u32[at + (CODE_TABLE >> 2)] = table;
}

/** The decoded-code table that the half in use knows for an address, or 0. */
export function lookupCode(cpu: Cpu, high: number, low: number): number {
  const { u32 } = cpu.m;
  const at = codeEntry(cpu.u32(L.TLB), low >>> 12) >> 2;
  return u32[at] === (low & ~0xfff) >>> 0 && u32[at + 1] === high >>> 0 ? u32[at + (CODE_TABLE >> 2)]! : 0;
}

/**
 * A physical page became a code page or watched: accesses that must now be seen leave the TLB. Writes always, reads
 * when `reads` says so.
 */
export function dropPage(cpu: Cpu, physPage: number, reads = false): void {
  const { u32 } = cpu.m;
  for (const half of halvesOf(cpu)) {
    forEachEntry(cpu.m, half, 0, DATA_WORDS, (entry) => {
      const at = entry >> 2;
      if (u32[at + (PHYS_PAGE >> 2)] !== physPage) return;
      if ((u32[at + (WRITE_TAG >> 2)]! & INVALID) === 0) u32[at + (SEEN_WRITE >> 2)] = 1;
      u32[at + (WRITE_TAG >> 2)] = INVALID;
      if (reads) u32[at] = INVALID;
    });
  }
}

/**
 * Physical page that a data access translates to, or -1 when the TLB does not know. For accesses made by TypeScript:
 * they may use the supervisor half at CPL 3 (implicit supervisor accesses).
 */
export function lookupData(cpu: Cpu, halfAddress: number, high: number, low: number, write: boolean): number {
  const { u32 } = cpu.m;
  const at = dataEntry(halfAddress, low >>> 12) >> 2;
  const tag = at + (write ? WRITE_TAG >> 2 : 0);
  return u32[tag] === (low & ~0xfff) >>> 0 && u32[tag + 1] === high >>> 0 ? u32[at + (PHYS_PAGE >> 2)]! : -1;
}

/** The same for the slow path, which sees to it that no write to a page with decoded code goes unnoticed. */
export function lookupSeen(cpu: Cpu, halfAddress: number, high: number, low: number, write: boolean): number {
  const seen = write && cpu.m.u32[(dataEntry(halfAddress, low >>> 12) + SEEN_WRITE) >> 2] !== 0;
  return lookupData(cpu, halfAddress, high, low, write && !seen);
}
