/**
 * The walk in WebAssembly (quick/walk.ts, quick/slow.ts) against the one in TypeScript: random page tables with wrong and
 * reserved entries, random paging registers, random accesses, on two machines. Addresses, faults, accessed and dirty flags, CR2,
 * and all that the TLBs hold afterwards are the same.
 */
import { describe, expect, it } from 'vitest';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { CR0, CR4, Flag } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { flushTlbPage } from '../../src/machine/cpu/mmu/contexts.ts';
import { PageMark } from '../../src/machine/cpu/mmu/locate.ts';
import { slowAccessAt } from '../../src/machine/cpu/mmu/slow-path.ts';
import {
  CODE_ENTRIES, CODE_TABLE, dataEntry, dropPage, flushTlbAll, HOST_DELTA, HOST_PAGE, insertCodeAt, INVALID, PHYS_PAGE, READ_TAG, selectTlb, SEEN_WRITE, tlbHalf, WRITE_TAG,
} from '../../src/machine/cpu/mmu/tlb.ts'; // prettier-ignore
import { publishReservedBits, translate } from '../../src/machine/cpu/mmu/walk.ts';
import { withQuick } from '../../src/machine/cpu/quick/module.ts';
import { imports } from '../../src/machine/cpu/tiers/emitter.ts';
import type { Imports } from '../../src/machine/cpu/tiers/interpreter.ts';
import { BIG_PAGES, BIG_PAGES_SIZE, CODE_TABLES, CODE_TLB_ENTRIES, CODE_TLB_ENTRY_SIZE, PAGE_CODE, RAM } from '../../src/machine/memory/layout.ts';
import { TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../src/machine/memory/layout.ts';
import { Random } from '../host-cpu/random.ts';
import type { FakeMachine } from '../support/fake-machine.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { A, D, enterMode, G, P, PageTables, PS, U, W, XD } from '../support/page-tables.ts';
import type { PagingMode } from '../support/page-tables.ts';

const RAM_SIZE = 16 << 20;
const ROOT = 0x10_0000;
const TABLES_END = 0x18_0000;
const CODE_PAGE = 0x300;
const WATCHED_PAGE = 0x301;
const modes: readonly PagingMode[] = ['off', '32-bit', 'pae', '4-level', '5-level'];
/** A block of decoded code, and a code page that has none at the offset that is asked for. */
const BLOCK = 0x1234_5670;
const BLOCK_OFFSET = 0x10;
const NOT_BUILT = -1000;

/** How often TypeScript was asked. */
const asked = { slow: 0, enter: 0 };

function makeMachine(model: string): { machine: FakeMachine; functions: Imports } {
  const machine = fakeMachine({ ramSize: RAM_SIZE, model });
  machine.memory.mapMmio({ name: 'hole', base: 0xa_0000, length: 0x2_0000, read: () => 0x5a, write: () => {} });
  publishReservedBits(machine.linear, machine.cpu.model);
  const none = imports.map(({ name }) => [name, (): number => 0] as const);
  const { functions } = withQuick(machine.linear, {
    ...(Object.fromEntries(none) as unknown as Imports),
    slow: (_c, _record, _left, info) => (asked.slow++, slowAccessAt(machine.cpu, info! & 0xff, info! >> 8)),
    enter: () => (asked.enter++, enterByTypeScript(machine.cpu)),
  });
  return { machine, functions };
}

/** What `#enter` of the runner does, where code pages are those of PAGE_CODE. */
function enterByTypeScript(cpu: Cpu): number {
  const linear = cpu.u64(L.SLOW_ADDRESS);
  try {
    const physical = translate(cpu, linear, { write: false, execute: true, user: cpu.cpl === 3 });
    const table = cpu.machine.memory.isRam(physical) ? cpu.m.u32[(PAGE_CODE >> 2) + Math.floor(physical / 4096)]! : 0;
    if (table === 0) return NOT_BUILT;
    insertCodeAt(cpu, cpu.u32(L.SLOW_ADDRESS + 4), cpu.u32(L.SLOW_ADDRESS), table);
    return cpu.m.u32[(table >> 2) + (physical % 4096)]! || NOT_BUILT;
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return -e.vector;
  }
}

/** Everything that an access leaves behind. */
function state({ cpu, linear }: FakeMachine): string {
  const { u32, u64 } = linear;
  const entries: string[] = [];
  for (const user of [false, true]) {
    const half = tlbHalf(cpu, cpu.u32(L.TLB_CONTEXT), user);
    for (let n = 0; n < TLB_ENTRIES; n++) {
      const at = half + n * TLB_ENTRY_SIZE;
      const tags = [READ_TAG, WRITE_TAG].map((tag) => (u32[(at + tag) >> 2]! & INVALID ? '-' : u64[(at + tag) >> 3]!.toString(16)));
      if (tags.every((t) => t === '-')) continue;
      const rest = [HOST_PAGE, HOST_DELTA, PHYS_PAGE, SEEN_WRITE].map((field) => u32[(at + field) >> 2]!.toString(16));
      entries.push([user ? 'user' : 'supervisor', n, ...tags, ...rest].join(' '));
    }
    for (let n = 0; n < CODE_TLB_ENTRIES; n++) {
      const at = half + CODE_ENTRIES + n * CODE_TLB_ENTRY_SIZE;
      if ((u32[at >> 2]! & INVALID) === 0)
        entries.push(`code ${user ? 'user' : 'supervisor'} ${u64[at >> 3]!.toString(16)} ${u32[(at + CODE_TABLE) >> 2]}`);
    }
  }
  const context = tlbHalf(cpu, cpu.u32(L.TLB_CONTEXT), false);
  const words = (from: number, to: number): string[] => {
    const found: string[] = [];
    for (let at = from >> 3; at < to >> 3; at++) if (u64[at] !== 0n) found.push(`${(at * 8 - from).toString(16)}: ${u64[at]!.toString(16)}`);
    return found;
  };
  const bigPages = words(context + BIG_PAGES, context + BIG_PAGES + BIG_PAGES_SIZE);
  return ['TLB', ...entries, 'big pages', ...bigPages, 'tables', ...words(RAM + ROOT, RAM + TABLES_END), `CR2 ${cpu.cr2.toString(16)}`].join('\n');
}

/** Linear addresses that share TLB entries and tables, and some that are not canonical. */
function addresses(mode: PagingMode, random: Random): bigint[] {
  const low = Array.from({ length: 10 }, () => BigInt(random.below(0x1_0000)) * 0x1_0000n + BigInt(random.below(3)) * 0x1000n);
  if (mode !== '4-level' && mode !== '5-level') return low.map((a) => a & (mode === 'off' ? 0xff_ffffn : 0xffff_ffffn));
  const top = mode === '5-level' ? 0xff00_0000_0000_0000n : 0xffff_8000_0000_0000n;
  return [...low, ...low.slice(0, 4).map((a) => top | a), 0x8000_0000_0000n + (low[0]! & 0xff_ffffn), 0x0100_0000_0000_0000n];
}

const LEVELS: Record<PagingMode, number> = { off: 0, '32-bit': 2, pae: 2, '4-level': 3, '5-level': 3 };

function map(tables: PageTables, linears: readonly bigint[], random: Random): void {
  const maybe = (bits: bigint, oneIn: number): bigint => (random.chance(oneIn) ? 0n : bits);
  for (const linear of linears) {
    if (random.chance(8)) continue;
    const level = random.chance(3) ? 1 + random.below(LEVELS[tables.mode]) : 1;
    const flags = (): bigint => maybe(P, 12) | maybe(W, 3) | maybe(U, 3) | maybe(A, 2) | maybe(D, 2) | (random.chance(4) ? G : 0n);
    const page = random.pick([0x200, 0x201, 0x202, CODE_PAGE, WATCHED_PAGE, ROOT >> 12, (ROOT >> 12) + 2, 0xa0, 0x4_0000]);
    const physical = level === 1 ? BigInt(page) << 12n : BigInt(random.pick([0, 0x40_0000, 0x80_0000, 0x4000_0000])) & ~((1n << BigInt(12 + (level - 1) * (tables.mode === '32-bit' ? 10 : 9))) - 1n); // prettier-ignore
    const wide = tables.mode === '32-bit' ? 0n : (random.chance(6) ? XD : 0n) | (random.chance(5) ? BigInt(random.below(16)) << 59n : 0n) | (random.chance(20) ? 1n << 51n : 0n); // prettier-ignore
    const odd = level > 1 && random.chance(10) ? 0x2000n : 0n;
    try {
      tables.map(linear & 0xff_ffff_ffff_ffffn, physical | odd, flags() | wide, level, (flags() | P) & ~D);
      if (random.chance(6)) {
        const upper = tables.entryAt(linear & 0xff_ffff_ffff_ffffn, Math.min(tables.levels, level + 1));
        tables.write(upper, tables.read(upper) ^ random.pick([P, W, U, PS, 1n << 51n].filter((b) => b < 1n << 32n || tables.mode !== '32-bit')));
      }
    } catch {
      // The tables lead out of memory: they stay as they are.
    }
  }
}

interface Setting {
  readonly seed: bigint;
  readonly mode: PagingMode;
}

/** The same tables and registers on a machine, from the same numbers. */
function setUp(machine: FakeMachine, { seed, mode }: Setting): bigint[] {
  const random = new Random(seed);
  const { cpu, linear, memory } = machine;
  linear.u8.fill(0, RAM + ROOT, RAM + TABLES_END);
  flushTlbAll(cpu);
  memory.pageMarks.fill(0);
  memory.pageMarks[CODE_PAGE] = PageMark.code;
  memory.pageMarks[WATCHED_PAGE] = PageMark.watched;
  if (random.chance(10)) memory.pageMarks[(ROOT >> 12) + random.below(4)] = PageMark.code;
  const tables = new PageTables(machine, mode, ROOT);
  const linears = addresses(mode, random);
  if (mode !== 'off') map(tables, linears, random);
  const bit = (b: number, oneIn = 2): number => (random.chance(oneIn) ? b : 0);
  const cr4 = bit(CR4.SMEP) | bit(CR4.SMAP, 3) | bit(CR4.PGE) | (mode === '4-level' || mode === '5-level' ? bit(CR4.PKE, 3) : 0);
  enterMode(cpu, tables, { cpl: random.chance(2) ? 3 : 0, cr0: bit(CR0.WP) | bit(CR0.AM, 4), cr4, nxe: !random.chance(4) });
  if (mode === '5-level' || mode === '4-level') cpu.setU32(L.CODE_SIZE, random.chance(8) ? 1 : 2);
  cpu.rflags = bit(Flag.AC, 3);
  cpu.setU32(L.PKRU, random.chance(2) ? 0 : random.u32());
  cpu.setU64(L.DR0 + 7 * 8, random.chance(20) ? 0x403n | (3n << 16n) : 0x400n);
  cpu.setDr(0, linears[0]!);
  cpu.cr2 = 0n;
  cpu.setU32(L.FAULT_VECTOR, 0);
  cpu.setU32(L.FAULT_CODE, 0);
  selectTlb(cpu);
  const table = CODE_TABLES;
  linear.u32[(PAGE_CODE >> 2) + CODE_PAGE] = table;
  linear.u32[(table >> 2) + BLOCK_OFFSET] = BLOCK;
  return linears;
}

/** As when code is decoded there for the first time. */
function becomesCode({ cpu, memory }: FakeMachine, page: number): void {
  memory.pageMarks[page] = PageMark.code;
  dropPage(cpu, page);
}

/** Does emitted code find the access in the TLB, so that it does not ask? */
function hits(cpu: Cpu, linear: bigint, size: number, kind: number): boolean {
  const at = dataEntry(cpu.u32(L.TLB), Number((linear >> 12n) & 0xfffffn)) + ((kind & 3) === 0 ? READ_TAG : WRITE_TAG);
  return cpu.m.u64[at >> 3] === ((linear + BigInt(size - 1)) & 0xffff_ffff_ffff_f000n);
}

const KINDS = [0, 0, 1, 2, 4, 5];

describe.each(modes)('%s', (mode) => {
  it.each(['skylake', 'penryn'])('walks are the same on %s', (model) => {
    if (mode === '5-level' && !fakeMachine({ model }).cpu.model.features.has('la57')) model = 'skylake';
    const [quick, general] = [makeMachine(model), makeMachine(model)];
    const outcomes = new Map<string, number>();
    const count = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    asked.slow = asked.enter = 0;
    let accesses = 0;
    for (let n = 0; n < 60; n++) {
      const setting = { mode, seed: BigInt(n * 5 + modes.indexOf(mode) + (model === 'penryn' ? 100_000 : 0)) };
      const linears = setUp(quick.machine, setting);
      setUp(general.machine, setting);
      const random = new Random(setting.seed + 7n);
      for (let k = 0; k < 24; k++) {
        const linear = random.pick(linears) + BigInt(random.chance(3) ? random.below(4096) : BLOCK_OFFSET);
        const fetch = quick.machine.cpu.code64 && random.chance(4);
        const size = random.pick([1, 2, 4, 8, 16]);
        const kind = random.pick(KINDS);
        if (!fetch && hits(quick.machine.cpu, linear, size, kind)) continue;
        const results = [quick, general].map(({ machine, functions }, which) => {
          const { cpu } = machine;
          cpu.setU64(L.SLOW_ADDRESS, linear);
          if (fetch) return which === 0 ? functions.enter(cpu.block, 0, 0) : enterByTypeScript(cpu);
          cpu.setU32(L.FAULT_VECTOR, 0);
          const address = which === 0 ? functions.slow(cpu.block, 0, 0, size | (kind << 8)) : slowAccessAt(cpu, size, kind);
          return address !== 0 ? address : `fault ${cpu.u32(L.FAULT_VECTOR)} ${cpu.u32(L.FAULT_CODE)}`;
        });
        const what = `${mode} ${model} round ${n} access ${k}: ${linear.toString(16)} size ${size} kind ${kind}${fetch ? ' fetch' : ''}`;
        expect(results[0], what).toBe(results[1]);
        count(typeof results[0] === 'string' ? results[0] : fetch ? 'fetch' : 'address');
        accesses++;
        if (random.chance(10)) for (const { machine } of [quick, general]) flushTlbPage(machine.cpu, linear);
        if (random.chance(20)) for (const { machine } of [quick, general]) becomesCode(machine, 0x200);
      }
      const [mine, theirs] = [state(quick.machine), state(general.machine)];
      expect(mine, `${mode} ${model} round ${n}`).toBe(theirs);
    }
    expect(outcomes.get('address')).toBeGreaterThan(50);
    if (mode !== 'off') expect([...outcomes.keys()].filter((o) => o.startsWith('fault')).length).toBeGreaterThan(5);
    // TypeScript is for what is unusual: here that is devices, marks, breakpoints, crossings, keys.
    expect(asked.slow + asked.enter).toBeLessThan(accesses * 0.7);
  });
});
