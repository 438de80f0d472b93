/**
 * The software TLB, in linear memory so that emitted code can probe it (memory/layout.ts has its shape).
 *
 * Each CPU has `TLB_CONTEXTS` address-space contexts (VMX root, and guests by VPID and EPTP), each with a supervisor and
 * a user half, and one half for CPL 3 with alignment checking on: it never holds data entries, so that every access
 * takes the slow path, which is where #AC is raised. Contents are a cache, never machine state: a snapshot restore calls
 * `resetTlb`.
 *
 * Flushing is allowed at any time (SDM Vol. 3, 4.10.2.2), so global pages and PCIDs need no tags: we flush more than a
 * processor does, never less. A half logs what was inserted, so flushing a nearly empty half costs nearly nothing.
 */
import type { LinearAddr } from '../../memory/address.ts';
import { FORMS, CODE_TLB_ENTRIES, CODE_TLB_ENTRY_SIZE, MAX_CPUS, TLB_CONTEXTS, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../memory/layout.ts';
import { TLB_HALF_SIZE, TLB_PER_CPU, TLBS } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import * as L from '../layout.ts';
import { CR0, CR4, EFER, Flag, type Cpu } from '../cpu.ts';

/** Field offsets of a data entry; a code entry is a tag and, at `CODE_TABLE`, the code page table's address. */
export const READ_TAG = 0;
export const WRITE_TAG = 8;
export const HOST_PAGE = 16;
/** What emitted code adds to the low half of a linear address. */
export const HOST_DELTA = 28;
export const PHYS_PAGE = 20;
/** Nonzero: a write is allowed, but must be seen (the page has decoded code), so there is no write tag. */
const SEEN_WRITE = 24;
export const CODE_TABLE = 8;
export const CODE_ENTRIES = TLB_ENTRIES * TLB_ENTRY_SIZE;

/** A tag that matches no page address. Real tags have bit 0 clear. */
const INVALID = 1;
/** Log2 of the sizes of pages above 4 KBytes: SDM Vol. 3, table 4-1. */
const BIG_PAGE_BITS = [21, 22, 30] as const;
const LOG_SIZE = 256;
const HALVES = TLB_CONTEXTS * 2;
/** The halves for alignment checking lie behind all others. */
const ALIGN_HALVES = TLBS + MAX_CPUS * TLB_PER_CPU;
if (ALIGN_HALVES + MAX_CPUS * TLB_HALF_SIZE > FORMS) throw new Error('tlb: alignment-check halves overlap forms');

/** Addresses of the entries that may be valid in one half. */
interface Half {
  readonly at: number;
  readonly log: Int32Array;
  /** Entries logged; more than `LOG_SIZE` means that the log is incomplete and the half is to be filled. */
  count: number;
}

/** What selects translations besides the tag: a context is flushed when it is used under other paging registers. */
interface Mode {
  cr0: number;
  cr3: number;
  cr3High: number;
  cr4: number;
  efer: number;
}

interface State {
  readonly halves: readonly Half[];
  /** What each context stands for, and when it was last selected. */
  readonly keys: (string | number | undefined)[];
  readonly used: number[];
  readonly modes: Mode[];
  /** Pages larger than 4 KBytes that a context may hold pieces of, by `bigPage`. */
  readonly bigPages: readonly Set<number>[];
  uses: number;
}

const MODE_CR0 = CR0.PE | CR0.WP | CR0.PG;
const MODE_CR4 = CR4.PSE | CR4.PAE | CR4.PGE | CR4.LA57 | CR4.PCIDE | CR4.SMEP | CR4.SMAP | CR4.PKE;
const MODE_EFER = EFER.LMA | EFER.NXE;

const states = new WeakMap<Cpu, State>();
let lastCpu: Cpu | undefined;
let lastState: State | undefined;

function stateOf(cpu: Cpu): State {
  if (cpu === lastCpu) return lastState!;
  let state = states.get(cpu);
  if (!state) {
    const at = (n: number): number => (n < HALVES ? TLBS + cpu.index * TLB_PER_CPU + n * TLB_HALF_SIZE : ALIGN_HALVES + cpu.index * TLB_HALF_SIZE);
    state = {
      halves: Array.from({ length: HALVES + 1 }, (_, n) => ({ at: at(n), log: new Int32Array(LOG_SIZE), count: LOG_SIZE + 1 })),
      keys: Array.from({ length: TLB_CONTEXTS }, () => undefined),
      used: Array.from({ length: TLB_CONTEXTS }, () => 0),
      modes: Array.from({ length: TLB_CONTEXTS }, () => ({ cr0: -1, cr3: 0, cr3High: 0, cr4: 0, efer: 0 })),
      bigPages: Array.from({ length: TLB_CONTEXTS }, () => new Set<number>()),
      uses: 0,
    };
    states.set(cpu, state);
  }
  lastCpu = cpu;
  lastState = state;
  return state;
}

/** The half that holds alignment-checked accesses of this CPU. */
const alignHalf = (cpu: Cpu): number => ALIGN_HALVES + cpu.index * TLB_HALF_SIZE;

/** Address of a half in linear memory. */
export function tlbHalf(cpu: Cpu, context: number, user: boolean): number {
  return TLBS + cpu.index * TLB_PER_CPU + (context * 2 + (user ? 1 : 0)) * TLB_HALF_SIZE;
}

/** True when misaligned accesses raise #AC: SDM Vol. 3, 2.5 (CR0.AM). Whoever changes RFLAGS.AC at CPL 3 calls `selectTlb`. */
export function alignmentChecked(cpu: Cpu): boolean {
  return cpu.cpl === 3 && (cpu.cr0bits & CR0.AM) !== 0 && (cpu.sysflags & Flag.AC) !== 0;
}

/** Points L.TLB at the half that TLB_CONTEXT and CPL call for. */
export function selectTlb(cpu: Cpu): void {
  cpu.setU32(L.TLB, alignmentChecked(cpu) ? alignHalf(cpu) : tlbHalf(cpu, cpu.u32(L.TLB_CONTEXT), cpu.cpl === 3));
}

function flushHalf(m: LinearMemory, half: Half): void {
  if (half.count > LOG_SIZE) {
    m.u64.fill(BigInt(INVALID), half.at >> 3, (half.at + TLB_HALF_SIZE) >> 3);
  } else {
    for (let n = 0; n < half.count; n++) {
      const at = half.log[n]! >> 2;
      m.u32[at] = INVALID;
      if (half.log[n]! < half.at + CODE_ENTRIES) m.u32[at + (WRITE_TAG >> 2)] = INVALID;
    }
  }
  half.count = 0;
}

function flushContext(cpu: Cpu, context: number): void {
  const { halves, bigPages } = stateOf(cpu);
  flushHalf(cpu.m, halves[context * 2]!);
  flushHalf(cpu.m, halves[context * 2 + 1]!);
  bigPages[context]!.clear();
}

/** Invalidates all translations of the current context. */
export function flushTlb(cpu: Cpu): void {
  flushContext(cpu, cpu.u32(L.TLB_CONTEXT));
  flushHalf(cpu.m, stateOf(cpu).halves[HALVES]!);
}

/** Invalidates all translations of all contexts. */
export function flushTlbAll(cpu: Cpu): void {
  const { halves, bigPages } = stateOf(cpu);
  for (const half of halves) flushHalf(cpu.m, half);
  for (const pages of bigPages) pages.clear();
}

/** Power-on, and after a restore of memory: all entries invalid, contexts forgotten. */
export function resetTlb(cpu: Cpu): void {
  const state = stateOf(cpu);
  for (const half of state.halves) half.count = LOG_SIZE + 1;
  flushTlbAll(cpu);
  state.keys.fill(undefined);
  state.used.fill(0);
  for (const mode of state.modes) mode.cr0 = -1;
  state.uses = 0;
  selectTlb(cpu);
}

/** The halves that the current context can reach: supervisor, user, alignment-checked. */
function currentHalves(cpu: Cpu): readonly Half[] {
  const { halves } = stateOf(cpu);
  const context = cpu.u32(L.TLB_CONTEXT);
  return [halves[context * 2]!, halves[context * 2 + 1]!, halves[HALVES]!];
}

/** A page of 2^bits bytes as a small integer, which bits 50:21 of the address decide. */
const bigPage = (high: number, low: number, bits: number): number =>
  (((high << (32 - bits)) | (low >>> bits)) << 2) | (bits === 21 ? 0 : bits === 22 ? 1 : 2);

/** The walk met a page larger than 4 KBytes: the current context may now hold any piece of it. */
export function noteBigPage(cpu: Cpu, high: number, low: number, bits: number): void {
  stateOf(cpu).bigPages[cpu.u32(L.TLB_CONTEXT)]!.add(bigPage(high, low, bits));
}

/**
 * Invalidates the translations of one page in the current context: INVLPG. Entries are for 4 KBytes each, but all pieces
 * of a larger page go together (SDM Vol. 3, 4.10.4.1).
 */
export function flushTlbPage(cpu: Cpu, linear: LinearAddr): void {
  const high = Number(BigInt.asUintN(32, linear >> 32n));
  const low = Number(BigInt.asUintN(32, linear));
  const big = stateOf(cpu).bigPages[cpu.u32(L.TLB_CONTEXT)]!;
  if (big.size > 0) {
    // With 57-bit addresses pages may share a number: then it stays noted.
    const wide = (cpu.cr4bits & CR4.LA57) !== 0;
    for (const bits of BIG_PAGE_BITS) {
      const number = bigPage(high, low, bits);
      if (wide ? big.has(number) : big.delete(number)) flushRange(cpu, high, low, bits);
    }
  }
  const { u32 } = cpu.m;
  for (const half of currentHalves(cpu)) {
    const data = dataEntry(half.at, low >>> 12) >> 2;
    u32[data] = INVALID;
    u32[data + (WRITE_TAG >> 2)] = INVALID;
    u32[codeEntry(half.at, low >>> 12) >> 2] = INVALID;
  }
}

/** Invalidates what the current context holds of a naturally aligned range of 2^bits bytes. */
function flushRange(cpu: Cpu, high: number, low: number, bits: number): void {
  const { u32 } = cpu.m;
  const drop = (entry: number, tag: number): void => {
    const at = (entry + tag) >> 2;
    if (u32[at + 1] === high && u32[at]! >>> bits === low >>> bits) u32[at] = INVALID;
  };
  for (const half of currentHalves(cpu)) {
    forEachEntry(half, (entry, isCode) => {
      drop(entry, READ_TAG);
      if (!isCode) drop(entry, WRITE_TAG);
    });
  }
}

/** Calls for each entry of a half that may be valid. */
function forEachEntry(half: Half, f: (entry: number, isCode: boolean) => void): void {
  if (half.count <= LOG_SIZE) {
    for (let n = 0; n < half.count; n++) f(half.log[n]!, half.log[n]! >= half.at + CODE_ENTRIES);
    return;
  }
  for (let n = 0; n < TLB_ENTRIES; n++) f(half.at + n * TLB_ENTRY_SIZE, false);
  for (let n = 0; n < CODE_TLB_ENTRIES; n++) f(half.at + CODE_ENTRIES + n * CODE_TLB_ENTRY_SIZE, true);
}

/** Invalidates the code entries of every context: decoded code was thrown away. */
export function flushCodeTlb(cpu: Cpu): void {
  const { u64 } = cpu.m;
  for (const half of stateOf(cpu).halves) {
    if (half.count > LOG_SIZE) {
      u64.fill(BigInt(INVALID), (half.at + CODE_ENTRIES) >> 3, (half.at + TLB_HALF_SIZE) >> 3);
      continue;
    }
    let kept = 0;
    for (let n = 0; n < half.count; n++) {
      const at = half.log[n]!;
      if (at < half.at + CODE_ENTRIES) half.log[kept++] = at;
      else cpu.m.u32[at >> 2] = INVALID;
    }
    half.count = kept;
  }
}

export const dataEntry = (half: number, page: number): number => half + (page & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
const codeEntry = (half: number, page: number): number => half + CODE_ENTRIES + (page & (CODE_TLB_ENTRIES - 1)) * CODE_TLB_ENTRY_SIZE;

function record(half: Half, entry: number): void {
  if (half.count < LOG_SIZE) half.log[half.count] = entry;
  if (half.count <= LOG_SIZE) half.count++;
}

/** The half of this CPU at an address. */
function halfAt(cpu: Cpu, at: number): Half {
  const n = at >= ALIGN_HALVES ? HALVES : (at - TLBS - cpu.index * TLB_PER_CPU) / TLB_HALF_SIZE;
  return stateOf(cpu).halves[n]!;
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
  const entry = dataEntry(halfAddress, low >>> 12);
  const at = entry >> 2;
  if ((u32[at]! & u32[at + (WRITE_TAG >> 2)]! & INVALID) !== 0) record(halfAt(cpu, halfAddress), entry);
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
  const entry = codeEntry(half, low >>> 12);
  const at = entry >> 2;
  if ((u32[at]! & INVALID) !== 0) record(halfAt(cpu, half), entry);
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
  for (const half of stateOf(cpu).halves) {
    const logged = half.count <= LOG_SIZE;
    const count = logged ? half.count : TLB_ENTRIES;
    for (let n = 0; n < count; n++) {
      const entry = logged ? half.log[n]! : half.at + n * TLB_ENTRY_SIZE;
      const at = entry >> 2;
      if (u32[at + (PHYS_PAGE >> 2)] !== physPage || entry >= half.at + CODE_ENTRIES) continue;
      if ((u32[at + (WRITE_TAG >> 2)]! & INVALID) === 0) u32[at + (SEEN_WRITE >> 2)] = 1;
      u32[at + (WRITE_TAG >> 2)] = INVALID;
      if (reads) u32[at] = INVALID;
    }
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

/**
 * Selects the context of an address space: `key` names what translations are tagged with (VMX: VPID and EPTP). The least
 * recently used context is given up when none has this key. Call before the control registers are loaded, so that
 * `syncContext` compares the new registers with those of the same context.
 */
export function switchContext(cpu: Cpu, key: string | number): void {
  const state = stateOf(cpu);
  let context = state.keys.indexOf(key);
  if (context < 0) {
    context = state.used.indexOf(Math.min(...state.used));
    flushContext(cpu, context);
    state.keys[context] = key;
    state.modes[context]!.cr0 = -1;
  }
  state.used[context] = ++state.uses;
  flushHalf(cpu.m, state.halves[HALVES]!);
  cpu.setU32(L.TLB_CONTEXT, context);
  selectTlb(cpu);
}

/** Flushes every context whose key satisfies the test (INVVPID, INVEPT), the current one included. */
export function flushContexts(cpu: Cpu, test: (key: string | number | undefined) => boolean): void {
  const { keys, halves } = stateOf(cpu);
  for (const [context, key] of keys.entries()) if (test(key)) flushContext(cpu, context);
  flushHalf(cpu.m, halves[HALVES]!);
}

/**
 * The paging registers may have changed: flushes the current context unless it was filled under the same ones. This
 * covers all of SDM Vol. 3, 4.10.4.1, except a MOV to CR3 of the value already there, which the caller flushes for.
 */
export function syncContext(cpu: Cpu): void {
  const mode = stateOf(cpu).modes[cpu.u32(L.TLB_CONTEXT)]!;
  const cr0 = cpu.cr0bits & MODE_CR0;
  const cr4 = cpu.cr4bits & MODE_CR4;
  const efer = cpu.u32(L.EFER) & MODE_EFER;
  const cr3 = cpu.u32(L.CR3);
  const cr3High = cpu.u32(L.CR3 + 4);
  if (mode.cr0 === cr0 && mode.cr4 === cr4 && mode.efer === efer && mode.cr3 === cr3 && mode.cr3High === cr3High) return;
  flushTlb(cpu);
  mode.cr0 = cr0;
  mode.cr4 = cr4;
  mode.efer = efer;
  mode.cr3 = cr3;
  mode.cr3High = cr3High;
}
