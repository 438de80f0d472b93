import { describe, expect, it } from 'vitest';
import { ABANDONED, type GuestEvent } from '../../src/machine/cpu/fault.ts';
import { CR0, CR4, Flag } from '../../src/machine/cpu/cpu.ts';
import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import { P, PageTables, U, W } from '../support/page-tables.ts';
import type { GuestHooks } from '../../src/machine/cpu/hooks.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { deliverEvent } from '../../src/machine/cpu/system/deliver.ts';
import { CODE, descriptor, faultName, gate, GDT, le, S, STACK, TSS_A, TSS_B, World } from './world.ts';

const EIP = 0xd000;
const ESP = 0x1_a000;
/** Fields of the 32-bit TSS: SDM Vol. 3, figure 7-2. */
const F = { link: 0, cr3: 0x1c, eip: 0x20, eflags: 0x24, eax: 0x28, esp: 0x38, edi: 0x44, es: 0x48, cs: 0x4c, ss: 0x50, ds: 0x54, fs: 0x58, gs: 0x5c, ldt: 0x60, trap: 0x64 } as const; // prettier-ignore

/** Fills the TSS of task B with a runnable ring-0 task. */
function world(change: Partial<Record<keyof typeof F, number>> = {}): World {
  const w = new World('protected');
  for (let n = 0; n < 8; n++) w.write(TSS_B + F.eax + n * 4, 4, BigInt(0x1111_0000 + n));
  const fields = {
    eip: EIP,
    eflags: 0x202,
    esp: ESP,
    es: S.data0,
    cs: S.code0,
    ss: S.data0,
    ds: S.data3,
    fs: 0,
    gs: S.data0,
    ldt: S.ldt,
    trap: 0,
    ...change,
  };
  for (const [name, value] of Object.entries(fields)) w.write(TSS_B + F[name as keyof typeof F], name === 'trap' ? 2 : 4, BigInt(value >>> 0));
  for (let n = 0; n < 8; n++) if (n !== 4) w.cpu.setGpr(n, BigInt(0x2222_0000 + n));
  w.cpu.rflags = 0x3203 | Flag.ID;
  return w;
}

const type = (w: World, selector: number): number => Number(w.read(GDT + selector + 5, 1) & 0xfn);
const jmp = (selector: number): string => `ea ${le(0, 4)} ${le(selector, 2)}`;
const call = (selector: number): string => `9a ${le(0, 4)} ${le(selector, 2)}`;

describe('switching to a 32-bit TSS: SDM Vol. 3, 7.3', () => {
  const inB = (w: World): void => {
    expect(w.place()).toBe(`8:${EIP.toString(16)} cpl 0`);
    for (let n = 0; n < 8; n++) expect(w.cpu.gpr(n)).toBe(n === 4 ? BigInt(ESP) : BigInt(0x1111_0000 + n));
    expect([L.ES, L.CS, L.SS, L.DS, L.FS, L.GS, L.LDTR, L.TR].map((n) => w.cpu.segments[n]!.selector)).toEqual([
      S.data0, S.code0, S.data0, S.data3, 0, S.data0, S.ldt, S.tssB,
    ]); // prettier-ignore
    expect(w.cpu.segments[L.FS]!.unusable).toBe(true);
    expect(w.cpu.segments[L.TR]!.type).toBe(11);
    expect(type(w, S.tssB)).toBe(11);
    expect(w.cpu.cr0bits & CR0.TS).toBe(CR0.TS);
  };
  /** What the old task's TSS holds. */
  const savedA = (w: World, length: number, flags: number): void => {
    expect(w.read(TSS_A + F.eip, 4)).toBe(BigInt(CODE + length));
    expect(w.read(TSS_A + F.eflags, 4).toString(16)).toBe(flags.toString(16));
    expect(w.read(TSS_A + F.esp, 4)).toBe(BigInt(STACK));
    expect(w.read(TSS_A + F.edi, 4)).toBe(0x2222_0007n);
    expect([w.read(TSS_A + F.cs, 2), w.read(TSS_A + F.ss, 2), w.read(TSS_A + F.ds, 2)]).toEqual([BigInt(S.code0), BigInt(S.data0), BigInt(S.data0)]);
  };
  it('jmp: the old TSS becomes available', () => {
    const w = world();
    expect(w.run(jmp(S.tssB))).toBe('ok');
    inB(w);
    savedA(w, 7, 0x20_3203);
    expect([type(w, S.tssA), w.cpu.rflags, w.read(TSS_B, 2)]).toEqual([9, 0x202, 0n]);
  });
  it('call: nested, with a link back, and IRET returns', () => {
    const w = world();
    expect(w.run(call(S.tssB))).toBe('ok');
    inB(w);
    savedA(w, 7, 0x20_3203);
    expect([type(w, S.tssA), w.cpu.rflags, w.read(TSS_B, 2)]).toEqual([11, 0x202 | Flag.NT, BigInt(S.tssA)]);
    w.cpu.setGpr(7, 0x77n);
    expect(w.run('cf')).toBe('ok');
    expect(w.place()).toBe(`8:${(CODE + 7).toString(16)} cpl 0`);
    expect([w.cpu.gpr(7), w.cpu.rsp, w.cpu.rflags]).toEqual([0x2222_0007n, BigInt(STACK), 0x20_3203]);
    expect([w.cpu.segments[L.TR]!.selector, type(w, S.tssA), type(w, S.tssB)]).toEqual([S.tssA, 11, 9]);
    expect(w.read(TSS_B + F.eflags, 4)).toBe(0x202n);
    expect(w.read(TSS_B + F.edi, 4)).toBe(0x77n);
    expect(w.read(TSS_B + F.eip, 4)).toBe(BigInt(EIP + 1));
  });
  it('through a task gate, by jmp', () => {
    const w = world();
    w.setDescriptor(S.gate, gate({ selector: S.tssB, type: 5, dpl: 3 })[0]);
    expect(w.run(jmp(S.gate))).toBe('ok');
    inB(w);
  });
  it('an interrupt through a task gate, from ring 3, with error code and RF', () => {
    const w = world({ cs: S.code0 });
    w.setIdt(13, { selector: S.tssB, type: 5 });
    deliverEvent(w.cpu, { vector: 13, type: 'hardware', errorCode: 0x5678 });
    expect([w.place(), w.stack(1, 4), w.cpu.rsp]).toEqual([`8:${EIP.toString(16)} cpl 0`, '5678', BigInt(ESP - 4)]);
    savedA(w, 0, 0x20_3203 | Flag.RF);
    expect([w.cpu.rflags & Flag.NT, w.read(TSS_B, 2)]).toEqual([Flag.NT, BigInt(S.tssA)]);
  });
  it('to ring 3', () => {
    const w = world({ cs: S.code3, ss: S.data3, es: S.data3, gs: 0 });
    expect(w.run(jmp(S.tssB))).toBe('ok');
    expect(w.place()).toBe(`1b:${EIP.toString(16)} cpl 3`);
  });
  it('to v8086 mode', () => {
    const w = world({ eflags: Flag.VM | 2, cs: 0x2000, ss: 0x3000, ds: 0x4000, es: 0x5000, fs: 0x6000, gs: 0x7000, ldt: 0 });
    expect(w.run(jmp(S.tssB))).toBe('ok');
    expect([w.place(), w.cpu.v8086, w.cpu.segments[L.DS]!.base]).toEqual([`2000:${EIP.toString(16)} cpl 3`, true, 0x4_0000n]);
  });
  it('clears local breakpoints, and traps when T is set; CR3 stays without paging', () => {
    const w = world({ trap: 1, cr3: 0x12_3000 });
    w.cpu.setDr(7, 0x7ffn);
    expect(w.run(jmp(S.tssB))).toBe('ok');
    expect([w.cpu.dr(7), w.cpu.cr3]).toEqual([0x6aan, BigInt(w.tables!.root)]);
    expect([w.cpu.u64(L.PENDING_DEBUG), w.cpu.pending & L.Pending.debug]).toEqual([0x8000n, L.Pending.debug]);
  });
  it('loads CR3 with paging on', () => {
    const w = world({ cr3: 0x20_0000 });
    const roots = [0x18_0000, 0x20_0000].map((root) => new PageTables(w.machine, '32-bit', root));
    for (const tables of roots) tables.map(0n, 0, P | W | U, 2);
    loadControlRegisters(w.cpu, { cr0: w.cpu.cr0 | BigInt(CR0.PG), cr3: 0x18_0000n, cr4: BigInt(CR4.PSE), efer: 0n });
    expect(w.run(jmp(S.tssB))).toBe('ok');
    expect(w.cpu.cr3).toBe(0x20_0000n);
    inB(w);
    expect(w.read(TSS_A + F.cr3, 4)).toBe(0n);
  });
});

describe('16-bit TSS: SDM Vol. 3, 7.6', () => {
  function world16(): World {
    const w = world();
    w.setDescriptor(S.free, descriptor({ base: 0xe000, limit: 0x2b, type: 1, g: false, d: false }));
    const words = [0, 0, 0, 0, 0, 0, 0, EIP, 0x202, 1, 2, 3, 4, 0xa000, 6, 7, 8, S.data0, S.code0, S.data0, S.data0, 0];
    words.forEach((v, n) => w.write(0xe000 + n * 2, 2, BigInt(v)));
    return w;
  }
  it('there and back', () => {
    const w = world16();
    expect(w.run(call(S.free))).toBe('ok');
    expect([w.place(), w.cpu.rflags]).toEqual([`8:${EIP.toString(16)} cpl 0`, 0x4202]);
    expect(Array.from({ length: 8 }, (_, n) => w.cpu.gpr16(n))).toEqual([1, 2, 3, 4, 0xa000, 6, 7, 8]);
    expect([L.ES, L.FS, L.GS, L.LDTR].map((n) => w.cpu.segments[n]!.selector)).toEqual([S.data0, 0, 0, 0]);
    expect([w.read(0xe000, 2), type(w, S.free)]).toEqual([BigInt(S.tssA), 3]);
    expect(w.run('cf')).toBe('ok');
    expect([w.place(), w.cpu.gpr(7)]).toEqual([`8:${(CODE + 7).toString(16)} cpl 0`, 0x2222_0007n]);
    expect([w.read(0xe000 + 0x0e, 2), w.read(0xe000 + 0x10, 2), w.read(0xe000 + 0x20, 2)]).toEqual([BigInt(EIP + 1), 0x202n, 8n]);
  });
  it('an error code is pushed in its width', () => {
    const w = world16();
    w.setIdt(13, { selector: S.free, type: 5 });
    deliverEvent(w.cpu, { vector: 13, type: 'hardware', errorCode: 0x18 });
    expect(w.cpu.rsp & 0xffffn).toBe(0x9ffen);
  });
});

describe('faults before the switch leave the old task: SDM Vol. 3, table 7-1', () => {
  type Row = readonly [name: string, bytes: string, expected: string, change: (w: World) => void];
  const rows: readonly Row[] = [
    ['TSS too short', jmp(S.tssB), '#TS(60)', (w) => w.setDescriptor(S.tssB, descriptor({ base: TSS_B, limit: 0x66, type: 9, g: false }))],
    ['16-bit TSS too short', jmp(S.tssB), '#TS(60)', (w) => w.setDescriptor(S.tssB, descriptor({ base: TSS_B, limit: 0x2a, type: 1, g: false }))],
    ['absent', jmp(S.tssB), '#NP(60)', (w) => w.setDescriptor(S.tssB, descriptor({ base: TSS_B, limit: 0x67, type: 9, g: false, present: false }))],
    ['busy', jmp(S.tssB), '#GP(60)', (w) => w.setDescriptor(S.tssB, descriptor({ base: TSS_B, limit: 0x67, type: 11, g: false }))],
    ['RPL above DPL', jmp(S.tssB | 1), '#GP(60)', () => {}],
    ['gate absent', jmp(S.gate), '#NP(b8)', (w) => w.setDescriptor(S.gate, gate({ selector: S.tssB, type: 5, present: false })[0])],
    ['gate to the LDT', call(S.gate), '#GP(64)', (w) => w.setDescriptor(S.gate, gate({ selector: S.tssB | 4, type: 5 })[0])],
    ['gate to a busy TSS', call(S.gate), '#GP(28)', (w) => w.setDescriptor(S.gate, gate({ selector: S.tssA, type: 5 })[0])],
    ['gate beyond the GDT', call(S.gate), '#GP(200)', (w) => w.setDescriptor(S.gate, gate({ selector: S.beyond, type: 5 })[0])],
    ['iret: link to the LDT', 'cf', '#TS(64)', (w) => (w.write(TSS_A, 2, BigInt(S.tssB | 4)), (w.cpu.rflags |= Flag.NT))],
    ['iret: link beyond', 'cf', '#TS(200)', (w) => (w.write(TSS_A, 2, BigInt(S.beyond)), (w.cpu.rflags |= Flag.NT))],
    ['iret: link not busy', 'cf', '#TS(60)', (w) => (w.write(TSS_A, 2, BigInt(S.tssB)), (w.cpu.rflags |= Flag.NT))],
  ];
  it.each(rows)('%s', (_, bytes, expected, change) => {
    const w = world();
    change(w);
    expect(w.run(bytes)).toBe(expected);
    expect(type(w, S.tssA)).toBe(11);
  });
});

describe('faults after the switch belong to the new task', () => {
  type Row = readonly [name: string, change: Partial<Record<keyof typeof F, number>>, expected: string];
  const rows: readonly Row[] = [
    ['LDT selector in the LDT', { ldt: S.ldt | 4 }, '#TS(54)'],
    ['LDT is none', { ldt: S.data0 }, '#TS(10)'],
    ['CS null', { cs: 0 }, '#TS(0)'],
    ['CS data', { cs: S.data0 }, '#TS(10)'],
    ['CS DPL', { cs: S.code0 | 3 }, '#TS(8)'],
    ['CS absent', { cs: S.absentCode }, '#NP(90)'],
    ['SS null', { ss: 0 }, '#TS(0)'],
    ['SS DPL', { ss: S.data3 }, '#TS(20)'],
    ['SS read-only', { ss: S.readOnly }, '#TS(a0)'],
    ['SS absent', { ss: S.absentData }, '#SS(98)'],
    ['DS execute-only', { ds: S.executeOnly }, '#TS(a8)'],
    ['DS absent', { ds: S.absentData }, '#NP(98)'],
    ['GS beyond', { gs: S.beyond }, '#TS(200)'],
    ['EIP beyond the limit', { cs: S.code16, eip: 0x1_0000 }, '#GP(0)'],
  ];
  it.each(rows)('%s', (_, change, expected) => {
    const w = world(change);
    const seen: unknown[] = [];
    w.cpu.guest = {
      taskSwitch: () => {},
      event: (_cpu: unknown, e: GuestEvent) => (seen.push([faultName(e), w.cpu.segments[L.TR]!.selector, w.cpu.rip]), true),
    } as unknown as GuestHooks;
    expect(w.run(jmp(S.tssB))).toBe('abandoned');
    expect(seen).toEqual([[expected, S.tssB, BigInt(change.eip ?? EIP)]]);
  });
  it('the handler runs on the new task with its ring-0 stack', () => {
    const w = world({ cs: S.code3, ss: S.data3, es: S.data3, gs: 0, ds: S.absentData3 });
    w.write(TSS_B + 4, 4, 0x1_c000n);
    w.write(TSS_B + 8, 2, BigInt(S.data0));
    w.setIdt(11, { selector: S.code0, offset: 0xb000, type: 14 });
    expect(w.run(jmp(S.tssB))).toBe('abandoned');
    expect([w.place(), w.stack(3, 4)]).toEqual(['8:b000 cpl 0', `d8 ${EIP.toString(16)} 1b`]);
    expect(w.cpu.rsp).toBe(0x1_c000n - 24n);
  });
  it('during delivery they carry EXT', () => {
    const w = world({ ds: S.absentData });
    w.setIdt(0x40, { selector: S.tssB, type: 5 });
    w.setIdt(11, { selector: S.code0, offset: 0xb000, type: 14 });
    deliverEvent(w.cpu, { vector: 0x40, type: 'external', errorCode: undefined });
    expect([w.place(), w.stack(2, 4)]).toEqual(['8:b000 cpl 0', `99 ${EIP.toString(16)}`]);
  });
});

it('in VMX non-root operation a task switch is an exit', () => {
  const w = world();
  const seen: unknown[] = [];
  w.cpu.guest = {
    taskSwitch: (_: unknown, selector: number, source: string) => {
      seen.push([selector, source]);
      throw ABANDONED;
    },
  } as unknown as GuestHooks;
  expect(w.run(call(S.tssB))).toBe('abandoned');
  w.setIdt(0x40, { selector: S.tssB, type: 5 });
  deliverEvent(w.cpu, { vector: 0x40, type: 'external', errorCode: undefined });
  expect(seen).toEqual([
    [S.tssB, 'call'],
    [S.tssB, 'gate'],
  ]);
  expect(w.place()).toBe(`8:${CODE.toString(16)} cpl 0`);
});
