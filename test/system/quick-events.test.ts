import { afterEach, describe, expect, it } from 'vitest';
import { Flag } from '../../src/machine/cpu/cpu.ts';
import type { GuestEvent } from '../../src/machine/cpu/fault.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { slowAccess, AccessKind } from '../../src/machine/cpu/mmu/slow-path.ts';
import { CPU_BLOCK_SIZE, RAM } from '../../src/machine/memory/layout.ts';
import { deliverEvent } from '../../src/machine/cpu/system/deliver.ts';
import { systemInstructions } from '../../src/machine/cpu/system/index.ts';
import { quick, quickDelivery, quickIret } from '../../src/machine/cpu/system/quick-events.ts';
import { selectTlb } from '../../src/machine/cpu/mmu/tlb.ts';
import { CODE, gate, GDT, IDT, IST1, S, STACK, STACK0, World } from './world.ts';
import { insn } from '../support/insn.ts';

afterEach(() => void (quick.enabled = true));

const HANDLER = 0xffff_8000_0000_9100n;
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

/** All of the CPU's state and the pages touched, but for what only emitted code's slow path leaves. */
function state(w: World): string {
  const { cpu } = w;
  const block = cpu.m.u8.slice(cpu.block, cpu.block + CPU_BLOCK_SIZE);
  block.fill(0, L.SLOW_ADDRESS, L.SLOW_ADDRESS + 8);
  block.fill(0, L.FAULT_VECTOR, L.FAULT_VECTOR + 8);
  return `${Buffer.from(block).toString('hex')} ${Buffer.from(cpu.m.u8.subarray(RAM, RAM + 0x4_0000)).toString('hex')} ${cpu.activity}`;
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

describe('quick event delivery leaves what the general one leaves', () => {
  it.each(deliveries)('$name', (c) => {
    const results = [true, false].map((enabled) => {
      quick.enabled = enabled;
      const { w, event } = deliveryWorld(c);
      deliverEvent(w.cpu, event);
      return state(w);
    });
    expect(results[0] === results[1]).toBe(true);
  });
  it.each(deliveries)('$name: is or is not for the quick code', (c) => {
    const { w, event } = deliveryWorld(c);
    const before = state(w);
    expect(quickDelivery(w.cpu, event, w.cpu.rflags)).toBe(c.general === undefined);
    if (c.general) expect(state(w) === before).toBe(true);
  });
  it('nothing in the TLB: left to the general code', () => {
    const w = new World('long', 0);
    w.setIdt(14, { selector: S.code64, offset: HANDLER, type: INTERRUPT });
    expect(quickDelivery(w.cpu, { vector: 14, type: 'hardware', errorCode: 0 }, 2)).toBe(false);
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

function copyFrame(w: World, to: bigint): void {
  const { cpu } = w;
  for (let n = 0n; n < 5n; n++) w.write(Number(to + n * 8n), 8, w.read(Number(cpu.rsp + n * 8n), 8));
  cpu.rsp = to;
}

function returnWorld(c: Return): World {
  const w = new World('long', c.cpl);
  const { cpu } = w;
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
      quick.enabled = enabled;
      const w = returnWorld(c);
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
    expect(quickIret(w.cpu)).toBe(c.general === undefined);
    if (c.general) expect(state(w) === before).toBe(true);
    expect(CODE).toBe(0x9000);
  });
});
