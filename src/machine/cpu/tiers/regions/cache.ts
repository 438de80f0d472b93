import { INDIRECT_TARGET_COUNT, INDIRECT_TARGETS, REGION_ENTRY_COUNT, TIER1_INSTRUCTIONS } from '../../../memory/layout.ts';
import type { LinearMemory } from '../../../memory/linear-memory.ts';
import type { LoopObserver } from '../../block-finder.ts';
import type { Cpu } from '../../cpu.ts';
import * as L from '../../layout.ts';
import { lookupCode } from '../../mmu/tlb.ts';
import { buildModule } from '../../wasm/module.ts';
import type { Imports } from '../interpreter.ts';
import { REC_IMM } from '../record.ts';
import type { CodePage, CodePages } from '../code-pages.ts';
import { MAX_REGIONS, REGION_FIRST } from '../units.ts';
import { compileRegion, REGION_IMPORTS } from './compile.ts';
import { ENTRY_COUNT, ENTRY_EXECUTED, ENTRY_FLOOR, ENTRY_FUNCTION, ENTRY_MISSED, ENTRY_OP, entryAddress, REGION_OP } from './entry.ts';
import type { CodeMap } from './graph.ts';
import { formGraph, MAX_INSTRUCTIONS } from './graph.ts';
import { staysInRegion } from './helpers.ts';
import type { RegionImport } from './region-emitter.ts';
import { CannotCompile } from './region-emitter.ts';

/** `--accel`: `interp` never compiles; `jit` compiles loops that are hot; `auto` does where it pays, today the same. */
export interface Accel {
  readonly mode: 'interp' | 'jit' | 'auto';
  /** Passes of a loop's head that make it hot. 1: everything is compiled when it is first executed, loop or not (for tests). */
  readonly threshold: number;
  /** Estimated bytes of compiled code at which the oldest is dropped. */
  readonly maxBytes: number;
}

export const defaultAccel: Accel = { mode: 'auto', threshold: 4000, maxBytes: 256 << 20 };

/** Machine code, tables and V8's own records for a byte of WebAssembly; and for a module of one region. Measured, roughly. */
const BYTES_PER_BYTE = 8;
const BYTES_PER_MODULE = 16 << 10;

/** A loop is compiled if an instruction in so many is its own, over so many passes: what runs seldom or shortly stays in tier 0. */
const SHARE = 16;
const PASSES = 16;
const MAX_FAILURES = 3;
const MAX_AWAITED = 4096;
/** Entries between two reviews of a region, and the instructions an entry must execute on average. */
const REVIEW = 2048;
const WORTHWHILE = 32;
/** With fewer instructions an entry, leaving at TLB misses costs more than calls for them. */
const CALL_WORTHWHILE = 512;

interface Region {
  readonly entry: number;
  readonly slot: number;
  readonly bytes: number;
  readonly pages: readonly CodePage[];
}

/** The head of a loop: where it is, and its region once there is one. */
interface Entry {
  readonly record: number;
  readonly page: CodePage;
  region: Region | undefined;
  /** How often nothing could be compiled here. */
  failures: number;
  /** What was left of the budget when the passes began that show how much of the time is spent in the loop. */
  stamp: number;
  /** Its region goes on after TLB misses. */
  callsRam: boolean;
}

/** The compiled regions: which heads are counted, what is compiled, what goes when a page changes or space is short. */
export class RegionCache implements LoopObserver {
  readonly #m: LinearMemory;
  readonly #pages: CodePages;
  readonly #table: WebAssembly.Table;
  readonly #functions: Pick<Imports, RegionImport>;
  readonly #accel: Accel;
  readonly #entries: (Entry | undefined)[] = [];
  readonly #freeEntries: number[] = [];
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  /** By page, the entries in it and the regions made from it. */
  readonly #entriesOf = new Map<CodePage, Set<number>>();
  readonly #regionsOf = new Map<CodePage, Set<Region>>();
  /** Oldest first. */
  readonly #regions = new Set<Region>();
  /** Slots of tables where a loop begins, once a block does. */
  readonly #awaited = new Set<number>();
  #bytes = 0;
  /** Counts for `--stats`. */
  readonly stats = { compiles: 0, givenUp: 0, evictions: 0, invalidations: 0, instructions: 0, wasmBytes: 0, milliseconds: 0 };

  constructor(m: LinearMemory, pages: CodePages, table: WebAssembly.Table, functions: Pick<Imports, RegionImport>, accel: Accel) {
    this.#m = m;
    this.#pages = pages;
    this.#table = table;
    this.#functions = functions;
    this.#accel = accel;
    pages.observer = { dropped: (page) => this.#dropped(page), flushed: () => this.#flushed() };
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Instructions executed by regions. */
  get instructions(): number {
    return Number(this.#m.u64[TIER1_INSTRUCTIONS >> 3]!);
  }

  get regions(): number {
    return this.#regions.size;
  }

  get on(): boolean {
    return this.#accel.mode !== 'interp';
  }

  /** Everything is compiled at once. */
  get forced(): boolean {
    return this.on && this.#accel.threshold <= 1;
  }

  /** A record's own handler number. */
  op(record: number): number {
    const op = this.#m.u16[record >> 1]!;
    return op < REGION_OP ? op : this.#m.u16[(entryAddress(op - REGION_OP) + ENTRY_OP) >> 1]!;
  }

  /** Counts from now on how often the block at a record, in the page being executed at a linear address, is entered. */
  count(cpu: Cpu, linear: bigint, record: number): void {
    if (!this.on) return;
    const page = this.#pageAt(cpu, linear);
    // 16-bit code runs in tier 0.
    if (page && page.mode !== 16 && this.#m.u16[record >> 1]! < REGION_OP) this.#enter(record, page, this.#accel.threshold);
  }

  awaits(slot: number): boolean {
    return this.#awaited.has(slot);
  }

  /** The heads of loops that end in a later page: a branch there tells of them when it is decoded, not when it is linked. */
  built(cpu: Cpu, page: CodePage, linear: bigint, record: number, earlier: readonly number[]): void {
    if (this.forced) return;
    if (this.#awaited.delete(page.table + Number(linear & 0xfffn) * 4)) this.count(cpu, linear, record);
    for (const offset of earlier) {
      const target = BigInt.asUintN(page.mode === 64 ? 64 : 32, (linear & ~0xfffn) + BigInt(offset));
      const table = this.#pageAt(cpu, target)?.table;
      if (table === undefined) continue;
      const slot = table + Number(target & 0xfffn) * 4;
      const head = this.#m.u32[slot >> 2]!;
      if (head !== 0) this.count(cpu, target, head);
      else if (this.#awaited.size < MAX_AWAITED) this.#awaited.add(slot);
    }
  }

  /** Compiles the block at a record and what follows, whether it is a loop or not. */
  force(cpu: Cpu, linear: bigint, record: number): void {
    this.count(cpu, linear, record);
    const op = this.#m.u16[record >> 1]!;
    if (op >= REGION_OP && !this.#entries[op - REGION_OP]!.region) this.#compile(cpu, op - REGION_OP, linear, true);
  }

  /** The loop whose head is at a record has been passed often, with so much of the budget left. */
  hot(cpu: Cpu, record: number, left: number): void {
    const op = this.#m.u16[record >> 1]!;
    if (op < REGION_OP) return;
    const n = op - REGION_OP;
    if (this.#entries[n]!.region) this.#review(n);
    else if (this.#entries[n]!.stamp === 0 && this.#accel.threshold > PASSES) {
      this.#entries[n]!.stamp = left;
      this.#m.u32[(entryAddress(n) + ENTRY_COUNT) >> 2] = PASSES;
    } else this.#compile(cpu, n, cpu.u64(L.SLOT_CODE_PAGE), false, left);
  }

  #enter(record: number, page: CodePage, count: number): number {
    const n = this.#freeEntries.pop() ?? (this.#entries.length < REGION_ENTRY_COUNT ? this.#entries.length : -1);
    if (n < 0) return n;
    this.#entries[n] = { record, page, region: undefined, failures: 0, stamp: 0, callsRam: this.forced && n % 2 === 1 };
    const { u16, u32 } = this.#m;
    const at = entryAddress(n);
    u32[(at + ENTRY_COUNT) >> 2] = count;
    u16[(at + ENTRY_OP) >> 1] = u16[record >> 1]!;
    u32[(at + ENTRY_FLOOR) >> 2] = 0;
    u32[(at + ENTRY_FUNCTION) >> 2] = 0;
    u16[record >> 1] = REGION_OP + n;
    add(this.#entriesOf, page, n);
    return n;
  }

  /** Gives the record its own number back. What the entry says of it stays until the entry is used again: tier 0 may be reading it. */
  #leave(n: number): void {
    const { record, page } = this.#entries[n]!;
    this.#m.u16[record >> 1] = this.op(record);
    this.#m.u32[(entryAddress(n) + ENTRY_FUNCTION) >> 2] = 0;
    this.#entries[n] = undefined;
    this.#freeEntries.push(n);
    this.#entriesOf.get(page)?.delete(n);
  }

  #compile(cpu: Cpu, n: number, linear: bigint, straight: boolean, left = 0): void {
    const entry = this.#entries[n]!;
    const started = performance.now();
    const spent = entry.stamp === 0 ? 0 : entry.stamp - left;
    entry.stamp = 0;
    const region = this.#attempt(cpu, n, entry, linear, straight, spent < 0 ? Infinity : spent / PASSES);
    this.stats.milliseconds += performance.now() - started;
    if (region) return;
    // Part of the loop may not have been executed yet.
    entry.failures++;
    if (entry.failures < MAX_FAILURES) this.#m.u32[(entryAddress(n) + ENTRY_COUNT) >> 2] = this.#accel.threshold << (2 * entry.failures);
    else this.#giveUp(n);
  }

  #giveUp(n: number): void {
    this.stats.givenUp++;
    this.#leave(n);
  }

  /**
   * A region that is left again after a few instructions costs more than it gains: tier 0 executes its code from now on. When TLB misses are
   * why, it is compiled once more, with calls for them.
   */
  #review(n: number): void {
    const at = entryAddress(n) >> 2;
    const { u32 } = this.#m;
    const executed = u32[at + (ENTRY_EXECUTED >> 2)]!;
    const missed = u32[at + (ENTRY_MISSED >> 2)]!;
    u32[at + (ENTRY_EXECUTED >> 2)] = 0;
    u32[at + (ENTRY_MISSED >> 2)] = 0;
    u32[at + (ENTRY_COUNT >> 2)] = REVIEW;
    if (this.forced) return;
    const entry = this.#entries[n]!;
    if (!entry.callsRam && missed > REVIEW / 2 && executed < REVIEW * CALL_WORTHWHILE) {
      this.#drop(entry.region!);
      entry.callsRam = true;
      u32[at + (ENTRY_COUNT >> 2)] = 1;
    } else if (executed < REVIEW * WORTHWHILE) {
      this.#drop(entry.region!);
      this.#giveUp(n);
    }
  }

  /** @param spent instructions executed, anywhere, from one pass of the head to the next */
  #attempt(cpu: Cpu, n: number, entry: Entry, linear: bigint, straight: boolean, spent: number): Region | undefined {
    if (spent > MAX_INSTRUCTIONS * SHARE) return undefined;
    const base = linear & ~0xfffn;
    const excluded = new Set<number>();
    for (let tries = 0; tries < 8; tries++) {
      const graph = formGraph(this.#m, this.#map(cpu, base, entry.page, excluded), entry.record, entry.page, straight);
      if (!graph || spent > graph.instructions * SHARE) return undefined;
      try {
        const { code, floor } = compileRegion(this.#m, graph, (record) => this.op(record), entryAddress(n), entry.callsRam);
        const bytes = buildModule(REGION_IMPORTS, { region: code });
        this.stats.instructions += graph.instructions;
        return this.#install(n, entry, bytes, floor, [entry.page, ...graph.pages.values()]);
      } catch (e) {
        if (!(e instanceof CannotCompile)) throw e;
        excluded.add(e.record);
      }
    }
    return undefined;
  }

  #install(n: number, entry: Entry, wasm: Uint8Array<ArrayBuffer>, floor: number, pages: readonly CodePage[]): Region {
    const bytes = wasm.length * BYTES_PER_BYTE + BYTES_PER_MODULE;
    this.#makeRoom(bytes);
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory: this.#m.memory, ...this.#functions } });
    this.#table.set(REGION_FIRST + slot, instance.exports['region']);
    const region: Region = { entry: n, slot, bytes, pages };
    entry.region = region;
    this.#regions.add(region);
    for (const page of pages) add(this.#regionsOf, page, region);
    this.#bytes += bytes;
    this.stats.compiles++;
    this.stats.wasmBytes += wasm.length;
    const at = entryAddress(n);
    this.#m.u32[(at + ENTRY_COUNT) >> 2] = REVIEW;
    this.#m.u32[(at + ENTRY_EXECUTED) >> 2] = 0;
    this.#m.u32[(at + ENTRY_MISSED) >> 2] = 0;
    this.#m.i32[(at + ENTRY_FLOOR) >> 2] = floor;
    this.#m.u32[(at + ENTRY_FUNCTION) >> 2] = REGION_FIRST + slot;
    return region;
  }

  #makeRoom(bytes: number): void {
    for (const region of this.#regions) {
      if (this.#bytes + bytes <= this.#accel.maxBytes && this.#regions.size < MAX_REGIONS) return;
      this.#drop(region);
      this.stats.evictions++;
    }
  }

  /** A region goes; its head is counted again. */
  #drop(region: Region): void {
    const at = entryAddress(region.entry);
    this.#m.u32[(at + ENTRY_FUNCTION) >> 2] = 0;
    this.#m.u32[(at + ENTRY_COUNT) >> 2] = this.#accel.threshold;
    this.#entries[region.entry]!.region = undefined;
    this.#table.set(REGION_FIRST + region.slot, null);
    this.#freeSlots.push(region.slot);
    this.#regions.delete(region);
    for (const page of region.pages) this.#regionsOf.get(page)?.delete(region);
    this.#bytes -= region.bytes;
  }

  #dropped(page: CodePage): void {
    for (const region of this.#regionsOf.get(page) ?? []) {
      this.#drop(region);
      this.stats.invalidations++;
    }
    for (const n of this.#entriesOf.get(page) ?? []) this.#leave(n);
    this.#regionsOf.delete(page);
    this.#entriesOf.delete(page);
  }

  #flushed(): void {
    for (const page of [...this.#entriesOf.keys(), ...this.#regionsOf.keys()]) this.#dropped(page);
    this.#awaited.clear();
  }

  #pageAt(cpu: Cpu, linear: bigint): CodePage | undefined {
    const table = lookupCode(cpu, Number(BigInt.asUintN(64, linear) >> 32n), Number(BigInt.asUintN(32, linear)));
    return table === 0 ? undefined : this.#pages.byTable(table);
  }

  #map(cpu: Cpu, base: bigint, head: CodePage, excluded: ReadonlySet<number>): CodeMap {
    const wrap = head.mode === 64 ? 64 : 32;
    return {
      op: (record) => this.op(record),
      excluded: (record) => excluded.has(record),
      helperLength: (record) => {
        const insn = this.#pages.insns[this.#m.i32[(record + REC_IMM) >> 2]!];
        return insn && staysInRegion(insn.name) ? insn.length : 0;
      },
      pageAt: (delta) => {
        if (delta === 0) return head;
        const page = this.#pageAt(cpu, BigInt.asUintN(wrap, base + BigInt(delta)));
        return page?.mode === head.mode ? page : undefined;
      },
      lastTarget: (record) => {
        const at = INDIRECT_TARGETS + ((record >> 1) & ((INDIRECT_TARGET_COUNT - 1) << 3));
        const distance = BigInt.asIntN(wrap, this.#m.u64[at >> 3]! - base);
        return distance > -0x4000_0000n && distance < 0x4000_0000n ? Number(distance) : undefined;
      },
    };
  }
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}
