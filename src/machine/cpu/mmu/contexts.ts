/**
 * What the contexts of the TLB stand for. A processor tags translations with VPID, PCID and EPTP (SDM Vol. 3, 4.10.1 and 29.4);
 * here each combination in use has a context of its own, as far as they go, and the least recently used one is given up. So
 * neither a VM entry with VPID nor a MOV to CR3 with bit 63 set flushes. More is flushed than a processor must, never less
 * (SDM Vol. 3, 4.10.2.2): global pages need no tag.
 */
import type { LinearAddr } from '../../memory/address.ts';
import { TLB_CONTEXT_HEADER, TLB_CONTEXTS, TLB_HALF_SIZE } from '../../memory/layout.ts';
import { CR0, CR4, EFER, type Cpu } from '../cpu.ts';
import * as L from '../layout.ts';
import { forgetAllBig, BIG_NOTED } from './big-pages.ts';
import { alignHalf, clearHalf, contextAt, flushAligned, flushContext, flushPage, selectTlb } from './tlb.ts';

/**
 * In a context's header: what selects translations besides the tag. A context is flushed when it is used under other paging
 * registers. CR3 is written by quick/paging.ts too.
 */
const MODE = { cr0: 0, cr4: 4, efer: 8, pkru: 12, cr3: 16 } as const;
export const CONTEXT_CR3 = TLB_CONTEXT_HEADER + MODE.cr3;
export const CONTEXT_CR4 = TLB_CONTEXT_HEADER + MODE.cr4;
/** A value of `MODE.cr4` that no register has: nothing was filled yet. */
export const UNUSED = 0xffff_ffff;

const MODE_CR0 = CR0.PE | CR0.WP | CR0.PG;
const MODE_CR4 = CR4.PSE | CR4.PAE | CR4.PGE | CR4.LA57 | CR4.PCIDE | CR4.SMEP | CR4.SMAP | CR4.PKE;
const MODE_EFER = EFER.LMA | EFER.NXE;

/** Which address space: VMX root operation, or a guest by VPID and EPTP. Undefined: before VMX is used. */
type Key = string | number | undefined;

interface Contexts {
  /** What each context stands for, when it was last selected, and whether its memory was ever made ready. */
  readonly keys: Key[];
  readonly pcids: number[];
  readonly used: number[];
  readonly ready: boolean[];
  uses: number;
}

const all = new WeakMap<Cpu, Contexts>();
let lastCpu: Cpu | undefined;
let last: Contexts | undefined;

function contextsOf(cpu: Cpu): Contexts {
  if (cpu === lastCpu) return last!;
  let contexts = all.get(cpu);
  if (!contexts) {
    const each = <T>(value: T): T[] => Array.from({ length: TLB_CONTEXTS }, () => value);
    contexts = { keys: each<Key>(undefined), pcids: each(0), used: each(0), ready: each(false), uses: 0 };
    all.set(cpu, contexts);
  }
  lastCpu = cpu;
  last = contexts;
  return contexts;
}

const headerOf = (cpu: Cpu, context: number): number => (contextAt(cpu, context) + TLB_CONTEXT_HEADER) >> 2;

/** Sees to it that a context holds nothing, and is filled under no registers yet. */
function empty(cpu: Cpu, context: number): void {
  const contexts = contextsOf(cpu);
  const at = contextAt(cpu, context);
  if (contexts.ready[context]) flushContext(cpu.m, at);
  else {
    clearHalf(cpu.m, at);
    clearHalf(cpu.m, at + TLB_HALF_SIZE);
    cpu.m.u32[(at + BIG_NOTED) >> 2] = 1;
    forgetAllBig(cpu.m, at);
    contexts.ready[context] = true;
  }
  cpu.m.u32[headerOf(cpu, context) + (MODE.cr4 >> 2)] = UNUSED;
}

/** Power-on, and after a restore of memory: all entries invalid, contexts forgotten. */
export function resetTlb(cpu: Cpu): void {
  const contexts = contextsOf(cpu);
  contexts.keys.fill(undefined);
  contexts.pcids.fill(0);
  contexts.used.fill(0);
  contexts.uses = 0;
  for (const [n, ready] of contexts.ready.entries()) if (ready) empty(cpu, n);
  clearHalf(cpu.m, alignHalf(cpu));
  empty(cpu, cpu.u32(L.TLB_CONTEXT));
  selectTlb(cpu);
}

/** The context used last of an address space, with a PCID or (-1) with any; or -1. */
function latest({ keys, pcids, used, ready }: Contexts, key: Key, pcid: number): number {
  let found = -1;
  for (let n = 0; n < TLB_CONTEXTS; n++) {
    if (keys[n] === key && ready[n] && (pcid < 0 || pcids[n] === pcid) && (found < 0 || used[n]! > used[found]!)) found = n;
  }
  return found;
}

function select(cpu: Cpu, context: number): void {
  const contexts = contextsOf(cpu);
  contexts.used[context] = ++contexts.uses;
  flushAligned(cpu);
  cpu.setU32(L.TLB_CONTEXT, context);
  selectTlb(cpu);
}

/** Gives the context that was not used for the longest time to an address space and PCID. */
function take(cpu: Cpu, key: Key, pcid: number): number {
  const contexts = contextsOf(cpu);
  const context = contexts.used.indexOf(Math.min(...contexts.used));
  empty(cpu, context);
  contexts.keys[context] = key;
  contexts.pcids[context] = pcid;
  return context;
}

/**
 * Selects the context of an address space: `key` names what translations are tagged with (VMX: VPID and EPTP), the PCID apart.
 * Call before the control registers are loaded, so that `syncContext` compares the new registers with those of the same address
 * space.
 */
export function switchContext(cpu: Cpu, key: string | number): void {
  const contexts = contextsOf(cpu);
  const known = latest(contexts, key, -1);
  select(cpu, known >= 0 ? known : take(cpu, key, 0));
}

/** Flushes every context whose address space satisfies the test (INVVPID, INVEPT), the current one included. */
export function flushContexts(cpu: Cpu, test: (key: string | number | undefined) => boolean): void {
  const { keys, ready } = contextsOf(cpu);
  for (const [n, key] of keys.entries()) if (ready[n] && test(key)) flushContext(cpu.m, contextAt(cpu, n));
  flushAligned(cpu);
}

/** Invalidates all translations of the current address space, whatever their PCID. */
export function flushTlb(cpu: Cpu): void {
  const { keys, ready } = contextsOf(cpu);
  const key = keys[cpu.u32(L.TLB_CONTEXT)];
  for (let n = 0; n < TLB_CONTEXTS; n++) if (ready[n] && keys[n] === key) flushContext(cpu.m, contextAt(cpu, n));
  flushAligned(cpu);
}

/** Invalidates the translations of one PCID in the current address space: those of one page, or all. */
export function flushPcid(cpu: Cpu, pcid: number, page?: LinearAddr): void {
  const { keys, pcids, ready } = contextsOf(cpu);
  const key = keys[cpu.u32(L.TLB_CONTEXT)];
  for (let n = 0; n < TLB_CONTEXTS; n++) {
    if (!ready[n] || keys[n] !== key || pcids[n] !== pcid) continue;
    if (page === undefined) flushContext(cpu.m, contextAt(cpu, n));
    else flushPage(cpu.m, contextAt(cpu, n), alignHalf(cpu), HIGH(page), LOW(page));
  }
  flushAligned(cpu);
}

const HIGH = (linear: LinearAddr): number => Number(BigInt.asUintN(32, linear >> 32n));
const LOW = (linear: LinearAddr): number => Number(BigInt.asUintN(32, linear));

/** Invalidates the translations of one page for all PCIDs of the current address space, since it may be global: SDM Vol. 3, 4.10.4.1. */
export function flushTlbPage(cpu: Cpu, linear: LinearAddr): void {
  const { keys, ready } = contextsOf(cpu);
  const key = keys[cpu.u32(L.TLB_CONTEXT)];
  const high = HIGH(linear);
  const low = LOW(linear);
  for (let n = 0; n < TLB_CONTEXTS; n++) if (ready[n] && keys[n] === key) flushPage(cpu.m, contextAt(cpu, n), alignHalf(cpu), high, low);
}

/** The PCID in use: SDM Vol. 3, 4.10.1. */
export const currentPcid = (cpu: Cpu): number => ((cpu.cr4bits & CR4.PCIDE) !== 0 ? cpu.u32(L.CR3) & 0xfff : 0);

/**
 * The paging registers may have changed: selects the context of their PCID, and flushes it unless it was filled under the same
 * ones, or when `flush` says so. This covers all of SDM Vol. 3, 4.10.4.1, but for a MOV to CR3 of the value already there.
 */
export function syncContext(cpu: Cpu, flush = false): void {
  const contexts = contextsOf(cpu);
  const { u32 } = cpu.m;
  const cr0 = (cpu.cr0bits & MODE_CR0) >>> 0;
  const cr4 = cpu.cr4bits & MODE_CR4;
  const efer = cpu.u32(L.EFER) & MODE_EFER;
  const pkru = (cr4 & CR4.PKE) !== 0 ? cpu.u32(L.PKRU) : 0;
  let context = cpu.u32(L.TLB_CONTEXT);
  const same = (at: number): boolean => u32[at + (MODE.cr0 >> 2)] === cr0 && u32[at + (MODE.cr4 >> 2)] === cr4 && u32[at + (MODE.efer >> 2)] === efer;
  let header = headerOf(cpu, context);
  // Translations of every PCID depend on these; two changes that cancel out must not go unnoticed in a context that is not in use.
  if (u32[header + (MODE.cr4 >> 2)] !== UNUSED && !same(header)) flushTlb(cpu);
  const pcid = currentPcid(cpu);
  if (contexts.pcids[context] !== pcid) {
    const key = contexts.keys[context];
    const known = latest(contexts, key, pcid);
    context = known >= 0 ? known : take(cpu, key, pcid);
    select(cpu, context);
    header = headerOf(cpu, context);
  }
  const unchanged = same(header) && u32[header + (MODE.pkru >> 2)] === pkru;
  const cr3 = header + (MODE.cr3 >> 2);
  if (!flush && unchanged && u32[cr3] === cpu.u32(L.CR3) && u32[cr3 + 1] === cpu.u32(L.CR3 + 4)) return;
  flushContext(cpu.m, contextAt(cpu, context));
  flushAligned(cpu);
  u32[header + (MODE.cr0 >> 2)] = cr0;
  u32[header + (MODE.cr4 >> 2)] = cr4;
  u32[header + (MODE.efer >> 2)] = efer;
  u32[header + (MODE.pkru >> 2)] = pkru;
  u32[cr3] = cpu.u32(L.CR3);
  u32[cr3 + 1] = cpu.u32(L.CR3 + 4);
}
