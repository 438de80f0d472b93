import { describe, expect, it } from 'vitest';
import { CR0, CR4, Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import type { Access } from '../../src/machine/cpu/hooks.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { describeWalk } from '../../src/machine/cpu/mmu/describe.ts';
import { peekTranslate, translate, withdrawPageFault } from '../../src/machine/cpu/mmu/walk.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { A, D, enterMode, P, PageTables, U, W, XD, type ModeOptions, type PagingMode } from '../support/page-tables.ts';

const LINEAR = 0x40_5000n;
const PHYS = 0x30_0000;

function setUp(mode: PagingMode, flags: bigint, options: ModeOptions & { upper?: bigint; level?: number; physical?: bigint; model?: string } = {}) {
  const machine = fakeMachine({ model: options.model ?? 'skylake' });
  const tables = new PageTables(machine, mode);
  const level = options.level ?? 1;
  const entry = tables.map(LINEAR, options.physical ?? PHYS, flags, level, options.upper ?? P | W | U);
  enterMode(machine.cpu, tables, options);
  return { machine, cpu: machine.cpu, tables, entry };
}

/** 'ok', or the fault as the SDM writes it: '#PF(7)'. */
function outcome(cpu: Cpu, access: Access, linear = LINEAR): string {
  try {
    translate(cpu, linear, access);
    return 'ok';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return `#${e.vector === 14 ? 'PF' : e.vector === 13 ? 'GP' : e.vector}(${e.errorCode ?? ''})`;
  }
}

const READ = { write: false, execute: false };
const WRITE = { write: true, execute: false };
const FETCH = { write: false, execute: true };
/** What supervisor and user get for read, write, fetch. */
const all = (cpu: Cpu): string =>
  [false, true].map((user) => [READ, WRITE, FETCH].map((a) => (cpu.setU32(L.CPL, user ? 3 : 0), outcome(cpu, { ...a, user }))).join(' ')).join(' | ');

describe('permissions: SDM Vol. 3, 4.6.1 and error codes of 4.7', () => {
  const table: readonly (readonly [name: string, flags: bigint, options: ModeOptions & { upper?: bigint }, expected: string])[] = [
    ['user, writable', P | W | U, {}, 'ok ok ok | ok ok ok'],
    ['user, read-only, WP 0', P | U, {}, 'ok ok ok | ok #PF(7) ok'],
    ['user, read-only, WP 1', P | U, { cr0: CR0.WP }, 'ok #PF(3) ok | ok #PF(7) ok'],
    ['supervisor, writable', P | W, {}, 'ok ok ok | #PF(5) #PF(7) #PF(21)'],
    ['supervisor, read-only, WP 1', P, { cr0: CR0.WP }, 'ok #PF(3) ok | #PF(5) #PF(7) #PF(21)'],
    ['not present', W | U, {}, '#PF(0) #PF(2) #PF(16) | #PF(4) #PF(6) #PF(20)'],
    ['not present, no NX and no SMEP: fetches are not told', W | U, { nxe: false }, '#PF(0) #PF(2) #PF(0) | #PF(4) #PF(6) #PF(4)'],
    ['not present, SMEP without NX', W | U, { nxe: false, cr4: CR4.SMEP }, '#PF(0) #PF(2) #PF(16) | #PF(4) #PF(6) #PF(20)'],
    ['execute-disable', P | W | U | XD, {}, 'ok ok #PF(17) | ok ok #PF(21)'],
    ['execute-disable without NXE is reserved', P | W | U | XD, { nxe: false }, '#PF(9) #PF(11) #PF(9) | #PF(13) #PF(15) #PF(13)'],
    ['SMEP, user page', P | W | U, { cr4: CR4.SMEP }, 'ok ok #PF(17) | ok ok ok'],
    ['SMEP, supervisor page', P | W, { cr4: CR4.SMEP }, 'ok ok ok | #PF(5) #PF(7) #PF(21)'],
    ['SMAP, user page', P | W | U, { cr4: CR4.SMAP }, '#PF(1) #PF(3) ok | ok ok ok'],
    ['upper level read-only', P | W | U, { upper: P | U, cr0: CR0.WP }, 'ok #PF(3) ok | ok #PF(7) ok'],
    ['upper level supervisor', P | W | U, { upper: P | W }, 'ok ok ok | #PF(5) #PF(7) #PF(21)'],
    ['upper level execute-disable', P | W | U, { upper: P | W | U | XD }, 'ok ok #PF(17) | ok ok #PF(21)'],
  ];
  it.each(table)('%s', (_, flags, options, expected) => {
    expect(all(setUp('4-level', flags, options).cpu)).toBe(expected);
  });

  it('32-bit paging has the same matrix without execute-disable', () => {
    expect(all(setUp('32-bit', P | U, { cr0: CR0.WP, nxe: false }).cpu)).toBe('ok #PF(3) ok | ok #PF(7) ok');
    expect(all(setUp('32-bit', P | W, { nxe: false }).cpu)).toBe('ok ok ok | #PF(5) #PF(7) #PF(5)');
  });

  it('PAE paging has the same matrix', () => {
    expect(all(setUp('pae', P | U | XD, { cr0: CR0.WP }).cpu)).toBe('ok #PF(3) #PF(17) | ok #PF(7) #PF(21)');
  });

  it('SMAP: RFLAGS.AC admits explicit supervisor accesses and not implicit ones', () => {
    const { cpu } = setUp('4-level', P | W | U, { cr4: CR4.SMAP });
    cpu.sysflags = Flag.AC;
    expect(outcome(cpu, { ...READ, user: false })).toBe('ok');
    cpu.setU32(L.CPL, 3);
    expect(outcome(cpu, { ...READ, user: false })).toBe('#PF(1)');
  });
});

describe('address formation', () => {
  const at = (mode: PagingMode, level: number, physical: bigint, linear: bigint, model = 'skylake', extra = 0n): number => {
    const machine = fakeMachine({ model });
    const tables = new PageTables(machine, mode);
    tables.map(linear, physical, P | W | U | extra, level);
    enterMode(machine.cpu, tables);
    return translate(machine.cpu, linear, { ...READ, user: false });
  };
  it.each<[string, PagingMode, number, bigint, bigint, string, number]>([
    ['32-bit, 4 KByte', '32-bit', 1, 0xfee0_0000n, 0xc012_3abcn, 'skylake', 0xfee0_0abc],
    ['32-bit, 4 MByte', '32-bit', 2, 0xfec0_0000n, 0x8065_4321n, 'skylake', 0xfee5_4321],
    ['32-bit, 4 MByte above 4 GByte (PSE-36)', '32-bit', 2, 0xc0_0000n | (0x5n << 13n), 0x0001_2345n, 'skylake', 0x5_00c1_2345],
    ['PAE, 4 KByte', 'pae', 1, 0x1_2345_6000n, 0xffff_fabcn, 'skylake', 0x1_2345_6abc],
    ['PAE, 2 MByte', 'pae', 2, 0x7_ffe0_0000n, 0x4012_3abcn, 'skylake', 0x7_fff2_3abc],
    ['4-level, 4 KByte', '4-level', 1, 0x12_3456_7000n, 0xffff_8123_4567_8abcn, 'skylake', 0x12_3456_7abc],
    ['4-level, 2 MByte', '4-level', 2, 0x12_3440_0000n, 0xffff_ffff_801f_fabcn, 'skylake', 0x12_345f_fabc],
    ['4-level, 1 GByte', '4-level', 3, 0x40_0000_0000n, 0x7fff_fabc_defen, 'skylake', 0x40_3abc_defe],
    ['5-level, 4 KByte', '5-level', 1, 0x7000n, 0x00ff_8123_4567_8abcn, 'skylake', 0x7abc],
    ['5-level, 1 GByte', '5-level', 3, 0x40_0000_0000n, 0xff12_3456_7abc_defen, 'skylake', 0x40_3abc_defe],
  ])('%s', (_, mode, level, physical, linear, model, expected) => {
    expect(at(mode, level, physical, linear, model)).toBe(expected);
  });

  it('the PAT bit of a big page is no address bit', () => {
    expect(at('4-level', 2, 0x40_0000n, 0x1234n, 'skylake', 1n << 12n)).toBe(0x40_1234);
  });

  it('without paging linear is physical', () => {
    const machine = fakeMachine();
    expect(translate(machine.cpu, 0xf_fff0n, { ...FETCH, user: false })).toBe(0xf_fff0);
  });

  it('outside IA-32e mode the upper half of the address is ignored', () => {
    const { cpu } = setUp('32-bit', P | W | U);
    expect(translate(cpu, 0x1_0000_0000n + LINEAR + 5n, { ...READ, user: false })).toBe(PHYS + 5);
  });
});

describe('reserved bits: SDM Vol. 3, tables 4-4 to 4-20', () => {
  it.each<[string, PagingMode, bigint, number, string, string]>([
    ['PTE address bit above MAXPHYADDR', '4-level', P | W | (1n << 39n), 1, 'skylake', '#PF(9)'],
    ['PTE highest address bit', '4-level', P | W | (1n << 38n), 1, 'skylake', 'ok'],
    ['the same bit on a processor with 36 bits', '4-level', P | W | (1n << 38n), 1, 'penryn', '#PF(9)'],
    ['PTE bits 62:52 are ignored in 4-level paging', '4-level', P | W | (0x7ffn << 52n), 1, 'skylake', 'ok'],
    ['PTE bits 62:52 are reserved in PAE paging', 'pae', P | W | (1n << 52n), 1, 'skylake', '#PF(9)'],
    ['2-MByte page, bit 13', '4-level', P | W | (1n << 13n), 2, 'skylake', '#PF(9)'],
    ['2-MByte page, bit 20', 'pae', P | W | (1n << 20n), 2, 'skylake', '#PF(9)'],
    ['2-MByte page, PAT bit 12', '4-level', P | W | (1n << 12n), 2, 'skylake', 'ok'],
    ['1-GByte page', '4-level', P | W, 3, 'skylake', 'ok'],
    ['1-GByte page, bit 29', '4-level', P | W | (1n << 29n), 3, 'skylake', '#PF(9)'],
    ['1-GByte page on a processor without them', '4-level', P | W, 3, 'nehalem', '#PF(9)'],
    ['PS in a PML4E', '4-level', P | W, 4, 'skylake', '#PF(9)'],
    ['PS in a PML5E', '5-level', P | W, 5, 'skylake', '#PF(9)'],
    ['4-MByte page, bit 21', '32-bit', P | W | (1n << 21n), 2, 'skylake', '#PF(9)'],
    ['4-MByte page, address bit 39 of 39', '32-bit', P | W | (1n << 20n), 2, 'skylake', '#PF(9)'],
    ['4-MByte page, address bit 38 of 39', '32-bit', P | W | (1n << 19n), 2, 'skylake', 'ok'],
    ['4-MByte page, address bit 36 of 36', '32-bit', P | W | (1n << 17n), 2, 'penryn', '#PF(9)'],
    ['not present: nothing is reserved', '4-level', W | (1n << 45n), 1, 'skylake', '#PF(0)'],
  ])('%s', (_, mode, flags, level, model, expected) => {
    expect(outcome(setUp(mode, flags, { level, model, physical: 0n }).cpu, { ...READ, user: false })).toBe(expected);
  });

  it('reserved beats permission', () => {
    const { cpu } = setUp('4-level', P | (1n << 45n), { cpl: 3 });
    expect(outcome(cpu, { ...WRITE, user: true })).toBe('#PF(15)');
  });

  it('PS without CR4.PSE is ignored', () => {
    const machine = fakeMachine();
    const tables = new PageTables(machine, '32-bit');
    tables.map(LINEAR, PHYS, P | W | U);
    const pde = tables.entryAt(LINEAR, 2);
    tables.write(pde, tables.read(pde) | 0x80n);
    enterMode(machine.cpu, tables);
    machine.cpu.cr4 = 0n;
    expect(translate(machine.cpu, LINEAR, { ...READ, user: false })).toBe(PHYS);
  });
});

describe('accessed and dirty flags: SDM Vol. 3, 4.8', () => {
  it.each<[PagingMode, number]>([
    ['32-bit', 1],
    ['32-bit', 2],
    ['pae', 1],
    ['pae', 2],
    ['4-level', 1],
    ['4-level', 2],
    ['4-level', 3],
    ['5-level', 1],
  ])('%s, leaf at level %i', (mode, level) => {
    const { cpu, tables, entry } = setUp(mode, P | W | U, { level, physical: 0n });
    translate(cpu, LINEAR, { ...READ, user: false });
    expect(tables.read(entry) & (A | D)).toBe(A);
    translate(cpu, LINEAR, { ...WRITE, user: false });
    expect(tables.read(entry) & (A | D)).toBe(A | D);
    const top = mode === 'pae' ? 2 : tables.levels;
    for (let n = level + 1; n <= top; n++) expect(tables.read(tables.entryAt(LINEAR, n)) & (A | D), `level ${n}`).toBe(A);
  });

  it('an access that faults sets nothing', () => {
    const { cpu, tables, entry } = setUp('4-level', P | U, { cr0: CR0.WP });
    expect(outcome(cpu, { ...WRITE, user: false })).toBe('#PF(3)');
    for (let n = 1; n <= 4; n++) expect(tables.read(tables.entryAt(LINEAR, n)) & (A | D), `level ${n}`).toBe(0n);
    expect(tables.read(entry) & A).toBe(0n);
  });

  it('a directory that maps itself keeps both kinds of flags', () => {
    const machine = fakeMachine();
    const tables = new PageTables(machine, '4-level');
    const pde = tables.entryAt(0n, 2);
    tables.write(pde, BigInt(pde) | P | W); // entry 0 of the directory is the page table, which is the directory
    enterMode(machine.cpu, tables);
    expect(translate(machine.cpu, 8n, { ...WRITE, user: false })).toBe(pde + 8);
    expect(tables.read(pde)).toBe(BigInt(pde) | P | W | A | D);
  });

  it('flags written into a code page are noticed', () => {
    const { machine, cpu, entry } = setUp('4-level', P | W);
    const written: number[] = [];
    machine.memory.onMarkedWrite = (page) => void written.push(page);
    machine.memory.pageMarks[entry >> 12] = 1;
    translate(cpu, LINEAR, { ...READ, user: false });
    expect(written).toEqual([entry >> 12]);
  });
});

describe('faults', () => {
  it('CR2 holds the linear address, and gives it back for a VM exit', () => {
    const { cpu } = setUp('4-level', 0n);
    cpu.cr2 = 0x1234n;
    const bad = 0xffff_ffff_8000_0123n;
    expect(outcome(cpu, { ...READ, user: false }, bad)).toBe('#PF(0)');
    expect(cpu.cr2).toBe(bad);
    expect(withdrawPageFault(cpu)).toBe(bad);
    expect(cpu.cr2).toBe(0x1234n);
  });

  it.each([
    [0x0000_8000_0000_0000n, '4-level', '#GP(0)'],
    [0x0000_7fff_ffff_ffffn, '4-level', '#PF(0)'],
    [0xffff_7fff_ffff_ffffn, '4-level', '#GP(0)'],
    [0x0000_8000_0000_0000n, '5-level', '#PF(0)'],
    [0x0100_0000_0000_0000n, '5-level', '#GP(0)'],
  ] as const)('canonical check of %s in %s paging', (linear, mode, expected) => {
    expect(outcome(setUp(mode, P | W).cpu, { ...READ, user: false }, linear)).toBe(expected);
  });

  it('an absent PDPTE register', () => {
    const { cpu } = setUp('pae', P | W);
    expect(outcome(cpu, { ...READ, user: false }, 0xc000_0000n)).toBe('#PF(0)');
  });
});

describe('the debugger looks without touching', () => {
  it('ignores permissions and sets no flag', () => {
    const { cpu, tables, entry } = setUp('4-level', P | XD, { cpl: 3, upper: P });
    const before = [1, 2, 3, 4].map((n) => tables.read(tables.entryAt(LINEAR, n)));
    expect(peekTranslate(cpu, LINEAR + 0xabcn)).toBe(PHYS + 0xabc);
    expect([1, 2, 3, 4].map((n) => tables.read(tables.entryAt(LINEAR, n)))).toEqual(before);
    expect(tables.read(entry) & A).toBe(0n);
  });

  it('gives undefined where nothing is mapped, and leaves CR2 alone', () => {
    const { cpu } = setUp('4-level', P | W);
    cpu.cr2 = 7n;
    expect(peekTranslate(cpu, LINEAR + 0x1000n)).toBeUndefined();
    expect(peekTranslate(cpu, 0x8000_0000_0000n)).toBeUndefined();
    expect(cpu.cr2).toBe(7n);
  });

  it('describes each level', () => {
    const { cpu } = setUp('4-level', P | W | XD);
    const lines = describeWalk(cpu, LINEAR);
    expect(lines).toHaveLength(6);
    expect(lines[0]).toContain('4-level paging');
    expect(lines[4]).toMatch(/PTE +at 0x000103028: 0x8000000000300003 P W S - - - - XD/);
    expect(lines[5]).toBe('  physical 0x300000');
    expect(describeWalk(cpu, 0x7000_0000n).at(-1)).toBe('  not mapped');
  });
});

describe('EPT: every structure and the final address go through the guest hook', () => {
  function nest(cpu: Cpu, tables: PageTables) {
    const seen: { at: number; write: boolean; walk: boolean }[] = [];
    cpu.guest = {
      nested: true,
      instruction: () => false,
      event: () => false,
      tripleFault: () => false,
      taskSwitch: () => {},
      boundary: () => false,
      translate: (_cpu, at, access, _linear, walk) => (seen.push({ at, write: access.write, walk }), at ^ 0x20_0000),
      peek: (_cpu, at) => (at === tables.root ? undefined : at ^ 0x20_0000),
    };
    return seen;
  }

  it('translates guest-physical addresses one by one', () => {
    const machine = fakeMachine();
    const tables = new PageTables(machine, '4-level', 0x30_0000); // where guest-physical 0x100000 lies
    const entry = tables.map(LINEAR, 0x50_0000, P | W, 1);
    for (let n = 2; n <= 4; n++) tables.write(tables.entryAt(LINEAR, n), tables.read(tables.entryAt(LINEAR, n)) ^ 0x20_0000n);
    enterMode(machine.cpu, tables);
    machine.cpu.cr3 = 0x10_0000n;
    const seen = nest(machine.cpu, tables);
    expect(translate(machine.cpu, LINEAR + 9n, { ...WRITE, user: false })).toBe(0x70_0009);
    expect(seen.filter((s) => s.walk && !s.write).map((s) => s.at)).toHaveLength(4);
    expect(seen.filter((s) => s.walk && s.write)).toHaveLength(4); // accessed and dirty flags are writes
    expect(seen.at(-1)).toEqual({ at: 0x50_0009, write: true, walk: false });
    expect(tables.read(entry) & D).toBe(D);
  });
});
