import { describe, expect, it } from 'vitest';
import { CR0, CR4, Flag } from '../../src/machine/cpu/cpu.ts';
import type { GuestEvent } from '../../src/machine/cpu/fault.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { slowAccess, AccessKind } from '../../src/machine/cpu/mmu/slow-path.ts';
import { CPU_BLOCK_SIZE, RAM } from '../../src/machine/memory/layout.ts';
import { deliverEvent } from '../../src/machine/cpu/system/deliver.ts';
import { eventWord } from '../../src/machine/cpu/system/event-rules.ts';
import { systemInstructions } from '../../src/machine/cpu/system/index.ts';
import { insertDataAt, selectTlb } from '../../src/machine/cpu/mmu/tlb.ts';
import { CODE, gate, GDT, IDT, IST1, S, STACK, STACK0, World } from './world.ts';
import { insn } from '../support/insn.ts';
import { quickFunctions } from '../support/quick.ts';

const HANDLER = 0xffff_8000_0000_9100n;
const HIGH_STACK = 0xffff_8000_0001_8000n;
const INTERRUPT = 14;
const TRAP = 15;

/** A CPU whose TLB knows everything that a delivery touches, so that nothing stands in the quick code's way. */
function warm(w: World): void {
  const { cpu } = w;
  const { cpl } = cpu;
  for (const level of [0, 3]) {
    cpu.setU32(L.CPL, level);
    selectTlb(cpu);
    for (const at of [GDT, IDT, 0x5000, STACK - 8, STACK, STACK0 - 8, IST1 - 8]) slowAccess(cpu, BigInt(at), 8, AccessKind.readWrite);
  }
  cpu.setU32(L.CPL, cpl);
  selectTlb(cpu);
}

/** All of the CPU's state and the pages touched, but for what only emitted code's slow path leaves; flags as they read. */
function state(w: World): string {
  const { cpu } = w;
  const block = cpu.m.u8.slice(cpu.block, cpu.block + CPU_BLOCK_SIZE);
  block.fill(0, L.RES, L.SYSFLAGS);
  block.fill(0, L.SLOW_ADDRESS, L.SLOW_ADDRESS + 8);
  block.fill(0, L.FAULT_VECTOR, L.FAULT_VECTOR + 8);
  return `${Buffer.from(block).toString('hex')} ${Buffer.from(cpu.m.u8.subarray(RAM, RAM + 0x4_0000)).toString('hex')} ${cpu.rflags}`;
}

/** At CPL 3 with AC another TLB half is in use, which never holds entries. */
function withAlignmentChecks(w: World): void {
  w.cpu.cr0 |= BigInt(CR0.AM);
  selectTlb(w.cpu);
}

function moveGdt(w: World): void {
  w.machine.memory.poke(GDT + 0x203, w.machine.memory.peek(GDT, 0x100)!);
  w.cpu.setU64(L.GDTR_BASE, BigInt(GDT + 0x203));
}

/** The TLB does not let the page be written. */
function readOnly(w: World, at: number): void {
  const half = w.cpu.u32(L.TLB);
  insertDataAt(w.cpu, half, 0, at, RAM + (at & ~0xfff), at >> 12, true, false);
}

interface Case {
  readonly name: string;
  readonly cpl: number;
  readonly event?: Partial<GuestEvent>;
  readonly gate?: Partial<Parameters<typeof gate>[0]>;
  readonly rsp?: bigint;
  readonly flags?: number;
  prepare?(w: World): void;
  /** The quick code leaves it to the general code. */
  readonly general?: true;
}

const deliveries: readonly Case[] = [
  { name: 'fault with error code at CPL 0', cpl: 0, event: { errorCode: 0x1234 } },
  { name: 'fault without error code', cpl: 0 },
  { name: 'from CPL 3 to RSP0', cpl: 3, event: { errorCode: 7 } },
  { name: 'trap gate keeps IF', cpl: 3, gate: { type: TRAP }, flags: Flag.IF | Flag.TF | Flag.NT | Flag.RF | 0x8d5 },
  { name: 'interrupt gate clears IF', cpl: 0, flags: Flag.IF | Flag.AC | Flag.DF },
  { name: 'IST at the same level', cpl: 0, gate: { extra: 1 } },
  { name: 'IST from CPL 3', cpl: 3, gate: { extra: 1 } },
  { name: 'misaligned RSP', cpl: 0, rsp: BigInt(STACK) - 3n },
  { name: 'frame over two pages', cpl: 0, rsp: BigInt(STACK) + 0x10n },
  { name: 'INT n returns behind it', cpl: 3, event: { type: 'software', length: 2 }, gate: { dpl: 3 } },
  { name: 'INT3', cpl: 3, event: { vector: 3, type: 'software-exception', length: 1 }, gate: { dpl: 3 } },
  { name: 'INT1 passes DPL 0', cpl: 3, event: { vector: 1, type: 'privileged-software', length: 1 } },
  { name: 'external interrupt', cpl: 3, event: { vector: 0x40, type: 'external' } },
  { name: 'NMI', cpl: 0, event: { vector: 2, type: 'nmi' } },
  { name: 'handler at CPL 3', cpl: 3, gate: { selector: S.code64User } },
  { name: 'IST from CPL 3 with error code', cpl: 3, event: { errorCode: 0xffff_ffff }, gate: { extra: 1 }, flags: Flag.IF | Flag.CF | Flag.SF },
  { name: 'error code alone in the page below', cpl: 0, event: { errorCode: 3 }, rsp: BigInt(STACK) + 0x28n },
  { name: 'error code in the page of the frame', cpl: 0, event: { errorCode: 3 }, rsp: BigInt(STACK) + 0x30n },
  { name: 'frame ends where a page ends', cpl: 0, rsp: BigInt(STACK) },
  {
    name: 'RIP and RSP of 64 bits',
    cpl: 0,
    rsp: HIGH_STACK,
    prepare: (w) => {
      w.cpu.rip = 0xffff_ffff_ffff_fffen;
      slowAccess(w.cpu, HIGH_STACK - 8n, 8, AccessKind.readWrite);
    },
  },
  {
    name: 'in HLT, in the shadow of STI and MOV SS, NMIs blocked',
    cpl: 0,
    prepare: (w) => void ([w.cpu.activity, w.cpu.interruptibility] = [1, 11]),
  },
  { name: 'all arithmetic flags', cpl: 0, flags: 0x8d5 },
  { name: 'some arithmetic flags', cpl: 0, flags: 0x811 },
  { name: 'alignment checks at CPL 3', cpl: 3, flags: Flag.AC, prepare: withAlignmentChecks },
  { name: 'alignment checks, handler at CPL 3', cpl: 3, flags: Flag.AC, gate: { selector: S.code64User }, prepare: withAlignmentChecks },
  { name: 'a guest in VMX non-root operation', cpl: 3, event: { errorCode: 7 }, prepare: (w) => w.cpu.setU32(L.VMX_MODE, 2) },
  { name: 'GDT not aligned', cpl: 3, prepare: moveGdt },
  { name: 'handler unreadable', cpl: 0, prepare: (w) => w.setDescriptor(S.code64, w.read(GDT + S.code64, 8) & ~(2n << 40n)) },
  { name: 'handler with a base and a byte limit', cpl: 0, prepare: (w) => w.setDescriptor(S.code64, 0x1220_9b34_5678_9abcn) },
  { name: 'handler in the LDT', cpl: 0, gate: { selector: S.code64 | 4 }, general: true },
  { name: 'handler of an outer ring', cpl: 0, gate: { selector: S.code64User }, general: true },
  { name: 'canonical with 57 bits only', cpl: 0, gate: { offset: 0x8000_0000_0000n }, prepare: (w) => void (w.cpu.cr4 |= BigInt(CR4.LA57)) },
  {
    name: 'not canonical with 57 bits',
    cpl: 0,
    gate: { offset: 0x0100_0000_0000_0000n },
    prepare: (w) => void (w.cpu.cr4 |= BigInt(CR4.LA57)),
    general: true,
  },
  { name: 'TSS of 16 bits', cpl: 3, prepare: (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 0x7ff, 0x83), general: true },
  { name: 'stack read-only', cpl: 0, prepare: (w) => readOnly(w, STACK - 8), general: true },
  { name: 'second page of the stack read-only', cpl: 0, rsp: BigInt(STACK) + 0x10n, prepare: (w) => readOnly(w, STACK), general: true },
  {
    name: 'page of the error code read-only',
    cpl: 0,
    event: { errorCode: 3 },
    rsp: BigInt(STACK) + 0x28n,
    prepare: (w) => readOnly(w, STACK - 8),
    general: true,
  },
  { name: 'gate DPL below CPL', cpl: 3, event: { type: 'software', length: 2 }, general: true },
  { name: 'gate absent', cpl: 0, gate: { present: false }, general: true },
  { name: 'gate of another type', cpl: 0, gate: { type: 12 }, general: true },
  { name: 'handler address not canonical', cpl: 0, gate: { offset: 0x8000_0000_0000n }, general: true },
  { name: 'conforming handler', cpl: 3, gate: { selector: S.conforming64 }, general: true },
  { name: 'handler not 64-bit', cpl: 0, gate: { selector: S.code0 }, general: true },
  { name: 'handler segment absent', cpl: 0, gate: { selector: S.code64Absent }, general: true },
  { name: 'null selector', cpl: 0, gate: { selector: 0 }, general: true },
  { name: 'selector beyond the GDT', cpl: 0, gate: { selector: S.beyond }, general: true },
  { name: 'accessed bit clear', cpl: 0, prepare: (w) => w.setDescriptor(S.code64, w.read(GDT + S.code64, 8) & ~(1n << 40n)), general: true },
  { name: 'vector beyond the IDT', cpl: 0, prepare: (w) => w.cpu.setU32(L.IDTR_LIMIT, 14 * 16 + 14), general: true },
  { name: 'TSS too short', cpl: 3, prepare: (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 10, 0x8b), general: true },
  { name: 'stack not canonical', cpl: 0, rsp: 0x8000_0000_1000n, general: true },
  { name: 'stack not mapped', cpl: 0, rsp: 0x7000_0000n, general: true },
  { name: 'stack pointer wraps', cpl: 0, rsp: 0x18n, general: true },
];

function deliveryWorld(c: Case): { w: World; event: GuestEvent } {
  const w = new World('long', c.cpl);
  w.cpu.quick = quickFunctions(w.machine.linear);
  const event: GuestEvent = { vector: 14, type: 'hardware', errorCode: undefined, ...c.event };
  w.setIdt(event.vector, { selector: S.code64, offset: HANDLER, type: INTERRUPT, ...c.gate });
  for (const vector of [8, 10, 11, 12, 13])
    if (vector !== event.vector) w.setIdt(vector, { selector: S.code64, offset: HANDLER + 0x10n, type: TRAP });
  warm(w);
  w.cpu.rflags = c.flags ?? 0;
  if (c.rsp !== undefined) w.cpu.rsp = c.rsp;
  c.prepare?.(w);
  return { w, event };
}

const quickDelivery = ({ cpu }: World, event: GuestEvent): boolean => cpu.quick!.deliver(cpu.block, eventWord(event), event.errorCode ?? 0) === 1;

describe('quick event delivery leaves what the general one leaves', () => {
  it.each(deliveries)('$name', (c) => {
    const results = [true, false].map((enabled) => {
      const { w, event } = deliveryWorld(c);
      if (!enabled) w.cpu.quick = undefined;
      deliverEvent(w.cpu, event);
      return state(w);
    });
    expect(results[0] === results[1]).toBe(true);
  });
  it.each(deliveries)('$name: is or is not for the quick code', (c) => {
    const { w, event } = deliveryWorld(c);
    const before = state(w);
    expect(quickDelivery(w, event)).toBe(c.general === undefined);
    if (c.general) expect(state(w) === before).toBe(true);
  });
  it('nothing in the TLB: left to the general code', () => {
    const w = new World('long', 0);
    w.cpu.quick = quickFunctions(w.machine.linear);
    w.setIdt(14, { selector: S.code64, offset: HANDLER, type: INTERRUPT });
    expect(quickDelivery(w, { vector: 14, type: 'hardware', errorCode: 0 })).toBe(false);
  });
  it('compatibility mode: left to the general code', () => {
    const { w, event } = deliveryWorld({ name: '', cpl: 3 });
    w.cpu.setU32(L.CODE_SIZE, 1);
    expect(quickDelivery(w, event)).toBe(false);
  });
});

interface Return {
  readonly name: string;
  readonly cpl: number;
  /** RIP, CS, RFLAGS, RSP, SS. */
  readonly frame: readonly [bigint, number, number, bigint, number];
  readonly general?: true;
  prepare?(w: World): void;
}

const returns: readonly Return[] = [
  { name: 'CPL 0 to 0', cpl: 0, frame: [0x9200n, S.code64, 0x246, 0x1_7000n, S.data0] },
  { name: 'CPL 0 to 0 with a null SS', cpl: 0, frame: [0x9200n, S.code64, 0x202, 0x1_7000n, 0] },
  { name: 'CPL 0 to 3', cpl: 0, frame: [0x9200n, S.code64User, 0x3f_7fd7, 0x1_7000n, S.data3] },
  { name: 'CPL 3 to 3 leaves IF and IOPL', cpl: 3, frame: [0x9200n, S.code64User, 0x3f_7fd7, 0x1_7000n, S.data3] },
  { name: 'all flags clear', cpl: 0, frame: [0x9200n, S.code64, 0, 0x1_7003n, S.data0] },
  { name: 'stack over two pages', cpl: 0, frame: [0x9200n, S.code64, 2, 0x1_7000n, S.data0], prepare: (w) => copyFrame(w, BigInt(STACK) - 0x10n) },
  {
    name: 'stack ends where a page ends',
    cpl: 0,
    frame: [0x9200n, S.code64, 2, 0x1_7000n, S.data0],
    prepare: (w) => copyFrame(w, BigInt(STACK) - 0x28n),
  },
  { name: 'RSP of the frame not canonical', cpl: 0, frame: [0x9200n, S.code64, 0x8d7, 0x8000_0000_0000_0001n, S.data0] },
  { name: 'selectors with garbage above', cpl: 0, frame: [0x9200n, S.code64 | 0xabc_0000, 0x246, 0x1_7000n, S.data0 | 0xabc_0000] },
  { name: 'CPL 1 to 3 drops inner segments', cpl: 1, frame: [0x9200n, S.code64User, 0x202, 0x1_7000n, S.data3], prepare: otherSegments },
  { name: 'CPL 0 to 1 leaves the segments of ring 1', cpl: 0, frame: [0x9200n, S.code1, 0x1246, 0x1_7000n, S.data1], prepare: otherSegments },
  {
    name: 'IOPL lets CPL 3 change IF',
    cpl: 3,
    frame: [0x9200n, S.code64User, 0x202, 0x1_7000n, S.data3],
    prepare: (w) => void (w.cpu.sysflags |= 0x3000),
  },
  { name: 'expand-down SS', cpl: 0, frame: [0x9200n, S.code64, 2, 0x1_7000n, S.expandDown] },
  {
    name: 'a guest in VMX non-root operation',
    cpl: 0,
    frame: [0x9200n, S.code64User, 2, 0x1_7000n, S.data3],
    prepare: (w) => w.cpu.setU32(L.VMX_MODE, 2),
  },
  { name: 'AC without CR0.AM', cpl: 0, frame: [0x9200n, S.code64User, Flag.AC, 0x1_7000n, S.data3] },
  { name: 'AC at CPL 0', cpl: 0, frame: [0x9200n, S.code64, Flag.AC, 0x1_7000n, S.data0], prepare: withAlignmentChecks },
  { name: 'to alignment checks', cpl: 0, frame: [0x9200n, S.code64User, Flag.AC, 0x1_7000n, S.data3], prepare: withAlignmentChecks, general: true },
  {
    name: 'from alignment checks',
    cpl: 3,
    frame: [0x9200n, S.code64User, 2, 0x1_7000n, S.data3],
    prepare: (w) => {
      w.cpu.sysflags |= Flag.AC;
      withAlignmentChecks(w);
    },
    general: true,
  },
  {
    name: 'stack misaligned',
    cpl: 0,
    frame: [0x9200n, S.code64, 2, 0x1_7000n, S.data0],
    prepare: (w) => copyFrame(w, BigInt(STACK) - 0x80n + 1n),
    general: true,
  },
  {
    name: 'stack not mapped',
    cpl: 0,
    frame: [0x9200n, S.code64, 2, 0x1_7000n, S.data0],
    prepare: (w) => void (w.cpu.rsp = 0x7000_0000n),
    general: true,
  },
  { name: 'CS beyond the GDT', cpl: 0, frame: [0x9200n, S.beyond, 2, 0x1_7000n, S.data0], general: true },
  { name: 'CS of another ring', cpl: 0, frame: [0x9200n, S.code64 | 3, 2, 0x1_7000n, S.data3], general: true },
  { name: 'NT', cpl: 0, frame: [0x9200n, S.code64, 2, 0x1_7000n, S.data0], prepare: (w) => void (w.cpu.sysflags |= Flag.NT), general: true },
  { name: 'to an inner ring', cpl: 3, frame: [0x9200n, S.code64, 2, 0x1_7000n, S.data0], general: true },
  { name: 'to compatibility mode', cpl: 0, frame: [0x9200n, S.code3, 2, 0x1_7000n, S.data3], general: true },
  { name: 'RIP not canonical', cpl: 0, frame: [0x8000_0000_0000n, S.code64, 2, 0x1_7000n, S.data0], general: true },
  { name: 'null SS at CPL 3', cpl: 0, frame: [0x9200n, S.code64User, 2, 0x1_7000n, 3], general: true },
  { name: 'null SS with another RPL', cpl: 0, frame: [0x9200n, S.code64, 2, 0x1_7000n, 1], general: true },
  { name: 'SS of another ring', cpl: 0, frame: [0x9200n, S.code64User, 2, 0x1_7000n, S.data0], general: true },
  { name: 'SS not writable', cpl: 0, frame: [0x9200n, S.code64, 2, 0x1_7000n, S.readOnly], general: true },
  { name: 'SS absent', cpl: 0, frame: [0x9200n, S.code64, 2, 0x1_7000n, S.absentData], general: true },
  { name: 'null CS', cpl: 0, frame: [0x9200n, 0, 2, 0x1_7000n, S.data0], general: true },
  { name: 'CS of the LDT', cpl: 0, frame: [0x9200n, S.code64 | 4, 2, 0x1_7000n, S.data0], general: true },
  { name: 'conforming CS', cpl: 0, frame: [0x9200n, S.conforming64, 2, 0x1_7000n, S.data0], general: true },
];

/** DS of ring 1, ES a null selector with a base, FS conforming code, GS of ring 0. */
function otherSegments(w: World): void {
  w.loadFrom(L.DS, S.data1);
  w.cpu.segments[L.ES]!.load(2, 0x1234_5678_9abc_def0n, 0, 0x1_0000);
  w.loadFrom(L.FS, S.conforming);
  w.loadFrom(L.GS, S.data0);
}

function copyFrame(w: World, to: bigint): void {
  const { cpu } = w;
  for (let n = 0n; n < 5n; n++) w.write(Number(to + n * 8n), 8, w.read(Number(cpu.rsp + n * 8n), 8));
  cpu.rsp = to;
}

function returnWorld(c: Return): World {
  const w = new World('long', c.cpl);
  const { cpu } = w;
  cpu.quick = quickFunctions(w.machine.linear);
  cpu.rsp = BigInt(STACK) - 0x100n;
  c.frame.forEach((v, n) => w.write(STACK - 0x100 + n * 8, 8, BigInt(v)));
  cpu.interruptibility = 8;
  warm(w);
  c.prepare?.(w);
  return w;
}

describe('quick IRET leaves what the general one leaves', () => {
  it.each(returns)('$name', (c) => {
    const results = [true, false].map((enabled) => {
      const w = returnWorld(c);
      if (!enabled) w.cpu.quick = undefined;
      let fault: unknown;
      try {
        systemInstructions['iret']!(w.cpu, insn('iret', { length: 2 }));
      } catch (e) {
        fault = e;
      }
      return JSON.stringify([state(w), fault instanceof GuestFault ? [fault.vector, fault.errorCode] : String(fault)]);
    });
    expect(results[0] === results[1]).toBe(true);
  });
  it.each(returns)('$name: is or is not for the quick code', (c) => {
    const w = returnWorld(c);
    const before = state(w);
    expect(w.cpu.quick!.iret(w.cpu.block) === 1).toBe(c.general === undefined);
    if (c.general) expect(state(w) === before).toBe(true);
    expect(CODE).toBe(0x9000);
  });
});
