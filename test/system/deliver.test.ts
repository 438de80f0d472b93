import { describe, expect, it } from 'vitest';
import { Activity, Flag, Interruptibility } from '../../src/machine/cpu/cpu.ts';
import type { EventType, GuestEvent } from '../../src/machine/cpu/fault.ts';
import type { GuestHooks } from '../../src/machine/cpu/hooks.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { currentDelivery, deliverEvent } from '../../src/machine/cpu/system/deliver.ts';
import { combine } from '../../src/machine/cpu/system/event-rules.ts';
import { P, U, W } from '../support/page-tables.ts';
import { CODE, descriptor, faultName, IDT, IST1, S, STACK, STACK0, World, type GateSpec, type Mode } from './world.ts';

const HANDLER = 0xb000;
/** Where the handlers of the faults during delivery are. */
const FAULT_HANDLER = 0xc000;

const event = (vector: number, type: EventType = 'external', errorCode?: number, length?: number): GuestEvent => ({
  vector, type, errorCode, ...(length === undefined ? {} : { length }),
}); // prettier-ignore

/** A world whose exceptions 8, 10-14 lead to FAULT_HANDLER + vector * 16, at ring 0. */
function world(mode: Mode, cpl?: number): World {
  const w = new World(mode, cpl);
  const selector = w.long ? S.code64 : S.code0;
  for (const vector of [8, 10, 11, 12, 13, 14]) w.setIdt(vector, { selector, offset: FAULT_HANDLER + vector * 16, type: 14 });
  w.cpu.rflags = w.cpu.rflags | Flag.IF | Flag.CF;
  return w;
}

/** Which handler was reached: 'handler', or the fault that replaced the event with the error code it pushed. */
function reached(w: World): string {
  const at = Number(w.cpu.rip);
  if (at === HANDLER) return 'handler';
  if (at < FAULT_HANDLER || at >= FAULT_HANDLER + 0x100) return `lost at ${w.place()}`;
  return faultName({ vector: (at - FAULT_HANDLER) >> 4, errorCode: parseInt(w.stack(1, w.long ? 8 : 4), 16) });
}

describe('real-address mode: SDM Vol. 3, 20.1.4', () => {
  it('pushes FLAGS, CS, IP without error code and clears IF, TF, AC', () => {
    const w = new World('real');
    w.write(0x21 * 4, 4, 0x1234_5678n);
    w.cpu.rflags = Flag.IF | Flag.TF | Flag.AC | Flag.CF;
    deliverEvent(w.cpu, event(0x21, 'hardware', 0));
    expect(w.place()).toBe('1234:5678 cpl 0');
    expect(w.cpu.segments[L.CS]!.base).toBe(0x12340n);
    expect(w.stack(3, 2)).toBe(`${CODE.toString(16)} 0 303`);
    expect(w.cpu.rflags).toBe(Flag.CF | 2);
    expect(w.cpu.rsp).toBe(0x7ffan);
  });
  it('returns after INT n', () => {
    const w = new World('real');
    w.write(0x10 * 4, 4, 0xf000_e000n);
    expect(w.run('cd 10')).toBe('ok');
    expect(w.place()).toBe('f000:e000 cpl 0');
    expect(w.stack(1, 2)).toBe((CODE + 2).toString(16));
  });
  it('keeps the limit of big real mode', () => {
    const w = new World('real');
    w.cpu.segments[L.CS]!.load(0, 0n, 0xffff_ffff, 0x9b);
    deliverEvent(w.cpu, event(0x21));
    expect(w.cpu.segments[L.CS]!.limit).toBe(0xffff_ffff);
  });
  it.each([
    ['a vector beyond the IDT limit', 0x40, 13],
    ['#GP beyond the limit too: #DF', 8 * 4 + 4, 8],
  ])('%s', (_, limit, vector) => {
    const w = new World('real');
    w.cpu.setU32(L.IDTR_LIMIT, limit - 1);
    for (const v of [8, 13]) w.write(v * 4, 4, BigInt(FAULT_HANDLER + v * 16));
    deliverEvent(w.cpu, event(limit === 0x40 ? 0x21 : 13, 'hardware'));
    expect(w.cpu.rip).toBe(BigInt(FAULT_HANDLER + vector * 16));
  });
  it('shuts down when even #DF is beyond the limit', () => {
    const w = new World('real');
    w.cpu.setU32(L.IDTR_LIMIT, 3);
    deliverEvent(w.cpu, event(13, 'hardware', 0));
    expect(w.cpu.activity).toBe(Activity.shutdown);
    expect(w.machine.requests).toEqual([{ what: 'triple-fault', code: undefined }]);
  });
  it('a stack pointer of 1 makes #SS, then #DF, then shutdown', () => {
    const w = new World('real');
    w.cpu.rsp = 1n;
    deliverEvent(w.cpu, event(0x21));
    expect(w.cpu.activity).toBe(Activity.shutdown);
    expect(w.cpu.rsp).toBe(1n);
  });
});

/** The delivery matrix: what reaches the handler, and the frame it finds, top first. */
describe('frames: SDM Vol. 3, 6.12.1 and 6.14.2', () => {
  const C = CODE.toString(16);
  const F = '10203'.slice(-3); // IF | CF | 2
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, gate: GateSpec, event: GuestEvent, place: string, size: 2 | 4 | 8, frame: string])[] = [
    ['32-bit interrupt gate, same ring', 'protected', 0, { selector: S.code0, type: 14 }, event(0x40), '8:b000 cpl 0', 4, `${C} 8 ${F}`],
    ['32-bit gate, error code', 'protected', 0, { selector: S.code0, type: 14 }, event(0x11, 'hardware', 0x5a), '8:b000 cpl 0', 4, `5a ${C} 8 1${F.padStart(4, '0')}`],
    ['32-bit trap gate, from ring 3', 'protected', 3, { selector: S.code0, type: 15 }, event(0x40), '8:b000 cpl 0', 4, `${C} 1b ${F} ${STACK.toString(16)} 23`],
    ['from ring 3 with error code', 'protected', 3, { selector: S.code0, type: 14 }, event(0x11, 'hardware', 0), '8:b000 cpl 0', 4, `0 ${C} 1b 1${F.padStart(4, '0')} ${STACK.toString(16)} 23`],
    ['from ring 3 to ring 1', 'protected', 3, { selector: S.code1, type: 14 }, event(0x40), '81:b000 cpl 1', 4, `${C} 1b ${F} ${STACK.toString(16)} 23`],
    ['conforming handler keeps ring 3', 'protected', 3, { selector: S.conforming, type: 14 }, event(0x40), '4b:b000 cpl 3', 4, `${C} 1b ${F}`],
    ['16-bit interrupt gate', 'protected', 0, { selector: S.code0, type: 6 }, event(0x40), '8:b000 cpl 0', 2, `${C} 8 ${F}`],
    ['16-bit trap gate, from ring 3, error code', 'protected', 3, { selector: S.code0, type: 7 }, event(0x11, 'hardware', 4), '8:b000 cpl 0', 2, `4 ${C} 1b ${F} 8000 23`],
    ['software interrupt returns after itself', 'protected', 0, { selector: S.code0, type: 14 }, event(0x40, 'software', undefined, 2), '8:b000 cpl 0', 4, `${(CODE + 2).toString(16)} 8 ${F}`],
    ['long, same ring', 'long', 0, { selector: S.code64, type: 14 }, event(0x40), '38:b000 cpl 0', 8, `${C} 38 ${F} ${STACK.toString(16)} 10`],
    ['long, error code', 'long', 0, { selector: S.code64, type: 14 }, event(0x11, 'hardware', 7), '38:b000 cpl 0', 8, `7 ${C} 38 1${F.padStart(4, '0')} ${STACK.toString(16)} 10`],
    ['long, from ring 3', 'long', 3, { selector: S.code64, type: 14 }, event(0x40), '38:b000 cpl 0', 8, `${C} 43 ${F} ${STACK.toString(16)} 23`],
    ['long, from ring 3, error code', 'long', 3, { selector: S.code64, type: 15 }, event(0x11, 'hardware', 7), '38:b000 cpl 0', 8, `7 ${C} 43 1${F.padStart(4, '0')} ${STACK.toString(16)} 23`],
    ['long, from ring 3 to ring 1', 'long', 3, { selector: S.code1, type: 14 }, event(0x40), '81:b000 cpl 1', 8, `${C} 43 ${F} ${STACK.toString(16)} 23`],
    ['long, conforming', 'long', 3, { selector: S.conforming64, type: 14 }, event(0x40), 'cb:b000 cpl 3', 8, `${C} 43 ${F} ${STACK.toString(16)} 23`],
    ['long, IST 1, same ring', 'long', 0, { selector: S.code64, type: 14, extra: 1 }, event(0x40), '38:b000 cpl 0', 8, `${C} 38 ${F} ${STACK.toString(16)} 10`],
    ['long, IST 1, from ring 3, error code', 'long', 3, { selector: S.code64, type: 14, extra: 1 }, event(0x11, 'hardware', 1), '38:b000 cpl 0', 8, `1 ${C} 43 1${F.padStart(4, '0')} ${STACK.toString(16)} 23`],
    ['from compatibility mode, ring 3', 'compatibility', 3, { selector: S.code64, type: 14 }, event(0x40), '38:b000 cpl 0', 8, `${C} 1b ${F} ${STACK.toString(16)} 23`],
    ['from compatibility mode, ring 0', 'compatibility', 0, { selector: S.code64, type: 14 }, event(0x40), '38:b000 cpl 0', 8, `${C} 8 ${F} ${STACK.toString(16)} 10`],
  ]; // prettier-ignore
  it.each(rows)('%s', (_, mode, cpl, spec, e, place, size, frame) => {
    const w = world(mode, cpl);
    w.setIdt(e.vector, { ...spec, offset: HANDLER });
    deliverEvent(w.cpu, e);
    expect(w.place()).toBe(place);
    expect(w.stack(frame.split(' ').length, size)).toBe(frame);
    const interruptGate = (spec.type & 1) === 0;
    expect(w.cpu.rflags & (Flag.IF | Flag.TF | Flag.NT | Flag.RF | Flag.VM)).toBe(interruptGate ? 0 : Flag.IF);
    expect(w.cpu.rflags & Flag.CF).toBe(Flag.CF);
    expect(w.cpu.code64).toBe(w.long);
    const ring = Number(place.slice(-1));
    if (w.long && ring < cpl)
      expect([w.cpu.segments[L.SS]!.selector, w.cpu.segments[L.SS]!.unusable, w.cpu.segments[L.SS]!.dpl]).toEqual([ring, true, ring]);
    else if (ring < cpl) expect(w.cpu.segments[L.SS]!.selector).toBe([S.data0, S.data1][ring]);
    else expect(w.cpu.segments[L.SS]!.selector).toBe(cpl === 3 ? S.data3 : S.data0);
  });
  it('aligns RSP before pushing in IA-32e mode', () => {
    for (const misaligned of [1n, 8n, 15n]) {
      const w = world('long');
      w.setIdt(0x40, { selector: S.code64, offset: HANDLER, type: 14 });
      w.cpu.rsp = BigInt(STACK) + misaligned;
      deliverEvent(w.cpu, event(0x40));
      expect(w.cpu.rsp).toBe(BigInt(STACK - 40));
      expect(w.stack(4, 8).split(' ')[3]).toBe((BigInt(STACK) + misaligned).toString(16));
    }
  });
  it('takes the stacks from the TSS', () => {
    const tops = (mode: Mode, spec: GateSpec): bigint => {
      const w = world(mode, 3);
      w.setIdt(0x40, { ...spec, offset: HANDLER });
      deliverEvent(w.cpu, event(0x40));
      return w.cpu.rsp;
    };
    expect(tops('protected', { selector: S.code0, type: 14 })).toBe(BigInt(STACK0 - 20));
    expect(tops('long', { selector: S.code64, type: 14 })).toBe(BigInt(STACK0 - 40));
    expect(tops('long', { selector: S.code64, type: 14, extra: 1 })).toBe(BigInt(IST1 - 40));
  });
  it('reads a 16-bit TSS', () => {
    const w = world('protected', 3);
    w.cpu.segments[L.TR]!.load(S.tssB, 0x6000n, 0x2b, 0x83);
    w.write(0x6002, 2, 0x7000n);
    w.write(0x6004, 2, BigInt(S.data0));
    w.setIdt(0x40, { selector: S.code0, offset: HANDLER, type: 14 });
    deliverEvent(w.cpu, event(0x40));
    expect(w.cpu.rsp).toBe(0x7000n - 20n);
  });
  it('a 16-bit stack changes SP only', () => {
    const w = world('protected');
    w.loadFrom(L.SS, S.data16);
    w.cpu.rsp = 0xabcd_0004n;
    w.setIdt(0x40, { selector: S.code0, offset: HANDLER, type: 14 });
    deliverEvent(w.cpu, event(0x40));
    expect(w.cpu.rsp).toBe(0xabcd_fff8n);
  });
});

describe('from v8086 mode: SDM Vol. 3, 20.3.1', () => {
  it('pushes the data segments and makes them null', () => {
    const w = world('v8086');
    w.setIdt(0x40, { selector: S.code0, offset: HANDLER, type: 14 });
    deliverEvent(w.cpu, event(0x40));
    expect(w.place()).toBe('8:b000 cpl 0');
    // EIP CS EFLAGS ESP SS ES DS FS GS; the world gives segment n the selector n * 16.
    expect(w.stack(9, 4)).toBe(`${CODE.toString(16)} 0 20203 8000 1000 0 30 40 50`);
    for (const n of [L.ES, L.DS, L.FS, L.GS]) expect([w.cpu.segments[n]!.selector, w.cpu.segments[n]!.unusable]).toEqual([0, true]);
    expect(w.cpu.v8086).toBe(false);
    expect(w.cpu.u32(L.CODE_SIZE)).toBe(1);
  });
  it.each([
    ['a handler at ring 1', S.code1, '#GP(81)'],
    ['a conforming handler', S.conforming, '#GP(49)'],
  ])('%s is refused', (_, selector, expected) => {
    const w = world('v8086');
    w.setIdt(0x40, { selector, offset: HANDLER, type: 14 });
    deliverEvent(w.cpu, event(0x40));
    expect(reached(w)).toBe(expected);
  });
  it('INT n needs IOPL 3 and a gate of DPL 3; INT3 needs no IOPL', () => {
    const w = world('v8086');
    w.setIdt(0x40, { selector: S.code0, offset: HANDLER, type: 14, dpl: 3 });
    w.setIdt(3, { selector: S.code0, offset: HANDLER, type: 14, dpl: 3 });
    expect(w.run('cd 40')).toBe('#GP(0)');
    expect(w.run('cc')).toBe('ok');
    expect(w.place()).toBe('8:b000 cpl 0');
    const w3 = world('v8086');
    w3.cpu.sysflags |= Flag.IOPL;
    w3.setIdt(0x40, { selector: S.code0, offset: HANDLER, type: 14, dpl: 3 });
    expect(w3.run('cd 40')).toBe('ok');
    expect(w3.place()).toBe('8:b000 cpl 0');
  });
});

/** Faults during delivery replace the event when that is benign; error codes carry EXT and IDT bits: SDM Vol. 3, 6.13. */
describe('faults during delivery of a benign event', () => {
  type Change = (w: World) => void;
  const none: Change = () => {};
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, gate: GateSpec, type: EventType, expected: string, change?: Change])[] = [
    ['gate absent', 'protected', 0, { selector: S.code0, type: 14, present: false }, 'external', '#NP(203)'],
    ['gate absent, INT n', 'protected', 0, { selector: S.code0, type: 14, present: false }, 'software', '#NP(202)'],
    ['gate absent, INT1', 'protected', 0, { selector: S.code0, type: 14, present: false }, 'privileged-software', '#NP(203)'],
    ['gate DPL, INT n', 'protected', 3, { selector: S.code0, type: 14, dpl: 0 }, 'software', '#GP(202)'],
    ['gate DPL, INT3', 'protected', 3, { selector: S.code0, type: 14, dpl: 2 }, 'software-exception', '#GP(202)'],
    ['gate DPL, INT1 is not checked', 'protected', 3, { selector: S.code0, type: 14, dpl: 0 }, 'privileged-software', 'handler'],
    ['gate DPL, hardware is not checked', 'protected', 3, { selector: S.code0, type: 14, dpl: 0 }, 'external', 'handler'],
    ['gate DPL comes before presence', 'protected', 3, { selector: S.code0, type: 14, present: false }, 'software', '#GP(202)'],
    ['call gate in the IDT', 'protected', 0, { selector: S.code0, type: 12 }, 'external', '#GP(203)'],
    ['segment descriptor in the IDT', 'protected', 0, { selector: S.code0, type: 0x1e }, 'external', '#GP(203)'],
    ['null handler selector', 'protected', 0, { selector: 3, type: 14 }, 'external', '#GP(1)'],
    ['null handler selector, INT n', 'protected', 0, { selector: 0, type: 14 }, 'software', '#GP(0)'],
    ['handler selector beyond the GDT', 'protected', 0, { selector: S.beyond, type: 14 }, 'external', '#GP(201)'],
    ['handler is data', 'protected', 0, { selector: S.data0, type: 14 }, 'external', '#GP(11)'],
    ['handler in an outer ring', 'protected', 0, { selector: S.code3, type: 14 }, 'external', '#GP(19)'],
    ['handler absent', 'protected', 0, { selector: S.absentCode, type: 14 }, 'external', '#NP(91)'],
    ['handler beyond its limit', 'protected', 0, { selector: S.code16, offset: 0x1_0000, type: 14 }, 'external', '#GP(1)'],
    ['beyond the IDT limit', 'protected', 0, { selector: S.code0, type: 14 }, 'external', '#GP(203)', (w) => w.cpu.setU32(L.IDTR_LIMIT, 0x40 * 8 + 6)],
    ['just inside the IDT limit', 'protected', 0, { selector: S.code0, type: 14 }, 'external', 'handler', (w) => w.cpu.setU32(L.IDTR_LIMIT, 0x40 * 8 + 7)],
    ['TSS too short for SS0', 'protected', 3, { selector: S.code0, type: 14 }, 'external', 'shutdown', (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 8, 0x8b)],
    ['SS1 null', 'protected', 3, { selector: S.code1, type: 14 }, 'external', '#TS(1)', (w) => w.write(0x5010, 2, 0n)],
    ['SS1 beyond the GDT', 'protected', 3, { selector: S.code1, type: 14 }, 'external', '#TS(201)', (w) => w.write(0x5010, 2, 0x201n)],
    ['SS1 RPL', 'protected', 3, { selector: S.code1, type: 14, dpl: 3 }, 'software', '#TS(88)', (w) => w.write(0x5010, 2, 0x88n)],
    ['SS1 DPL', 'protected', 3, { selector: S.code1, type: 14 }, 'external', '#TS(11)', (w) => w.write(0x5010, 2, 0x11n)],
    ['SS1 absent', 'protected', 3, { selector: S.code1, type: 14 }, 'external', '#SS(99)', (w) => { w.setDescriptor(S.absentData, descriptor({ type: 0x13, dpl: 1, present: false })); w.write(0x5010, 2, 0x99n); }],
    ['ring-1 stack too small', 'protected', 3, { selector: S.code1, type: 14 }, 'external', '#SS(89)', (w) => { w.setDescriptor(S.data1, descriptor({ type: 0x13, dpl: 1, limit: 0xf })); w.write(0x500c, 4, 0x1_0010n); }],
    ['long: 32-bit handler', 'long', 0, { selector: S.code0, type: 14 }, 'external', '#GP(9)'],
    ['long: L and D both set', 'long', 0, { selector: S.badCode, type: 14 }, 'external', '#GP(d1)'],
    ['long: handler absent', 'long', 0, { selector: S.code64Absent, type: 14 }, 'external', '#NP(e1)'],
    ['long: 16-bit gate', 'long', 0, { selector: S.code64, type: 6 }, 'external', '#GP(203)'],
    ['long: task gate', 'long', 0, { selector: S.tssB, type: 5 }, 'external', '#GP(203)'],
    ['long: gate absent', 'long', 0, { selector: S.code64, type: 14, present: false }, 'external', '#NP(203)'],
    ['long: gate DPL, INT n', 'long', 3, { selector: S.code64, type: 14 }, 'software', '#GP(202)'],
    ['long: non-canonical handler', 'long', 0, { selector: S.code64, offset: 0x8000_0000_0000n, type: 14 }, 'external', '#GP(1)'],
    ['long: beyond the IDT limit', 'long', 0, { selector: S.code64, type: 14 }, 'external', '#GP(203)', (w) => w.cpu.setU32(L.IDTR_LIMIT, 0x40 * 16 + 14)],
    ['long: IST beyond the TSS', 'long', 0, { selector: S.code64, type: 14, extra: 2 }, 'external', '#TS(29)', (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 0x32, 0x8b)],
    ['long: IST non-canonical', 'long', 0, { selector: S.code64, type: 14, extra: 2 }, 'external', '#SS(1)', (w) => w.write(0x502c, 8, 1n << 63n)],
    ['long: IST non-canonical, INT n', 'long', 0, { selector: S.code64, type: 14, extra: 2 }, 'software', '#SS(0)', (w) => w.write(0x502c, 8, 1n << 63n)],
    ['long: page fault on the stack of IST', 'long', 0, { selector: S.code64, type: 14, extra: 2 }, 'external', '#PF(2)', (w) => w.write(0x502c, 8, 0x4000_0000n)],
  ]; // prettier-ignore
  for (const [name, mode, cpl, spec, type, expected, change = none] of rows) {
    it(name, () => {
      const w = world(mode, cpl);
      w.setIdt(0x40, { offset: HANDLER, ...spec });
      change(w);
      deliverEvent(w.cpu, event(0x40, type, undefined, 1));
      if (expected === 'shutdown') expect(w.cpu.activity).toBe(Activity.shutdown);
      else expect(reached(w)).toBe(expected);
    });
  }
});

describe('double and triple faults: SDM Vol. 3, tables 6-4 and 6-5', () => {
  const hw = (vector: number): GuestEvent => event(vector, 'hardware', 0);
  it.each([
    ['external + #GP', event(13, 'external'), hw(13), 'second'],
    ['NMI + #PF', event(2, 'nmi'), hw(14), 'second'],
    ['INT 13 + #NP', event(13, 'software'), hw(11), 'second'],
    ['#UD + #GP', hw(6), hw(13), 'second'],
    ['#DE + #DE', hw(0), hw(0), 'double-fault'],
    ['#TS + #NP', hw(10), hw(11), 'double-fault'],
    ['#SS + #GP', hw(12), hw(13), 'double-fault'],
    ['#CP + #GP', hw(21), hw(13), 'double-fault'],
    ['#GP + #PF', hw(13), hw(14), 'second'],
    ['#GP + #UD', hw(13), hw(6), 'second'],
    ['#PF + #PF', hw(14), hw(14), 'double-fault'],
    ['#PF + #GP', hw(14), hw(13), 'double-fault'],
    ['#VE + #PF', hw(20), hw(14), 'double-fault'],
    ['#PF + #NM', hw(14), hw(7), 'second'],
    ['#DF + #PF', hw(8), hw(14), 'shutdown'],
    ['#DF + #NP', hw(8), hw(11), 'shutdown'],
    ['#DF + #UD', hw(8), hw(6), 'second'],
  ] as const)('%s', (_, first, second, expected) => expect(combine(first, second)).toBe(expected));

  it('#GP through an absent gate is #DF with error code 0, which saves the place of the first', () => {
    const w = world('long', 3);
    w.setIdt(13, { selector: S.code64, type: 14, present: false });
    deliverEvent(w.cpu, event(13, 'hardware', 0x18));
    expect(reached(w)).toBe('#DF(0)');
    expect(w.stack(3, 8)).toBe(`0 ${CODE.toString(16)} 43`);
  });
  it('#GP, then #PF, is delivered as #PF', () => {
    const w = world('long');
    w.write(0x5000 + 0x24, 8, 0x4000_0000n);
    w.setIdt(13, { selector: S.code64, type: 14, extra: 1 });
    deliverEvent(w.cpu, event(13, 'hardware', 0x18));
    expect(reached(w)).toBe('#PF(2)');
    expect(w.cpu.cr2).toBe(0x4000_0000n - 8n);
  });
  it('an absent #DF gate shuts down; nothing is changed', () => {
    const w = world('protected', 3);
    for (const v of [8, 13]) w.setIdt(v, { selector: S.code0, type: 14, present: false });
    deliverEvent(w.cpu, event(13, 'hardware', 0));
    expect(w.cpu.activity).toBe(Activity.shutdown);
    expect(w.machine.requests.map((r) => r.what)).toEqual(['triple-fault']);
    expect([w.place(), w.cpu.rsp]).toEqual([`1b:${CODE.toString(16)} cpl 3`, BigInt(STACK)]);
  });
});

describe('VMX hooks', () => {
  /** Records what the hooks are asked, and says yes to the named ones. */
  function watch(w: World, exits: (e: GuestEvent) => boolean, triple = false): string[] {
    const seen: string[] = [];
    w.cpu.guest = {
      event: (_: unknown, e: GuestEvent) => {
        seen.push(`${faultName(e)} during ${currentDelivery[0] ? faultName(currentDelivery[0]) : 'nothing'}`);
        return exits(e);
      },
      tripleFault: () => (seen.push(`triple during ${currentDelivery[0] ? 'something' : 'nothing'}`), triple),
      taskSwitch: () => {},
    } as unknown as GuestHooks;
    return seen;
  }
  it('a nested fault is shown as raised, during the first event', () => {
    const w = world('long');
    w.setIdt(13, { selector: S.code64, type: 14, present: false });
    const seen = watch(w, (e) => e.vector === 11);
    deliverEvent(w.cpu, event(13, 'hardware', 0));
    expect(seen).toEqual(['#NP(6b) during #GP(0)']);
    expect(w.cpu.rip).toBe(BigInt(CODE));
    expect(currentDelivery[0]).toBeUndefined();
  });
  it('then the double fault, as an event of its own', () => {
    const w = world('long');
    w.setIdt(13, { selector: S.code64, type: 14, present: false });
    const seen = watch(w, (e) => e.vector === 8);
    deliverEvent(w.cpu, event(13, 'hardware', 0));
    expect(seen).toEqual(['#NP(6b) during #GP(0)', '#DF(0) during nothing']);
    expect(w.cpu.rip).toBe(BigInt(CODE));
  });
  it('then the triple fault, which need not shut the machine down', () => {
    const w = world('long');
    for (const v of [8, 13]) w.setIdt(v, { selector: S.code64, type: 14, present: false });
    const seen = watch(w, () => false, true);
    deliverEvent(w.cpu, event(13, 'hardware', 0));
    expect(seen).toEqual(['#NP(6b) during #GP(0)', '#DF(0) during nothing', '#NP(43) during #DF(0)', 'triple during nothing']);
    expect(w.machine.requests).toEqual([]);
    expect(w.cpu.activity).toBe(Activity.active);
  });
  it('INT3 is shown to the exception bitmap, INT n is not', () => {
    const w = world('long');
    for (const v of [3, 0x40]) w.setIdt(v, { selector: S.code64, offset: HANDLER, type: 14 });
    const seen = watch(w, (e) => e.vector === 3);
    expect(w.run('cc')).toBe('abandoned');
    expect(w.run('cd 40')).toBe('ok');
    expect(seen).toEqual(['#BP during nothing']);
  });
});

describe('flags and interruptibility', () => {
  const pushed = (e: GuestEvent): number => {
    const w = world('long');
    w.setIdt(e.vector, { selector: S.code64, offset: HANDLER, type: 14 });
    deliverEvent(w.cpu, e);
    return Number(w.read(Number(w.cpu.rsp) + (e.errorCode === undefined ? 16 : 24), 8));
  };
  it.each([
    ['#UD', event(6, 'hardware'), true],
    ['#PF', event(14, 'hardware', 0), true],
    ['#DB trap', event(1, 'hardware'), false],
    ['external', event(0x40), false],
    ['NMI', event(2, 'nmi'), false],
    ['INT3', event(3, 'software-exception', undefined, 1), false],
    ['#DF', event(8, 'hardware', 0), false],
  ] as const)('RF pushed for %s: %s', (_, e, set) => expect((pushed(e) & Flag.RF) !== 0).toBe(set));

  it('NMI blocks NMIs; shadows end; #DB clears GD', () => {
    const w = world('long');
    for (const v of [1, 2]) w.setIdt(v, { selector: S.code64, offset: HANDLER, type: 14 });
    w.cpu.interruptibility = Interruptibility.sti;
    w.cpu.setDr(7, 0x2400n);
    deliverEvent(w.cpu, event(2, 'nmi'));
    expect([w.cpu.interruptibility, w.cpu.dr(7)]).toEqual([Interruptibility.nmi, 0x2400n]);
    deliverEvent(w.cpu, event(1, 'hardware'));
    expect(w.cpu.dr(7)).toBe(0x400n);
  });
  it('ends HLT', () => {
    const w = world('long');
    w.setIdt(0x40, { selector: S.code64, offset: HANDLER, type: 14 });
    w.cpu.activity = Activity.hlt;
    deliverEvent(w.cpu, event(0x40));
    expect(w.cpu.activity).toBe(Activity.active);
  });
  it('a frame that crosses into an absent page is not begun', () => {
    const w = world('long');
    w.setIdt(0x40, { selector: S.code64, offset: HANDLER, type: 14 });
    w.setIdt(14, { selector: S.code64, offset: FAULT_HANDLER + 14 * 16, type: 14, extra: 1 });
    w.tables!.map(0x80_0000n, 0, P | W | U, 1);
    w.write(0, 8, 0x1111n);
    w.cpu.rsp = 0x80_0010n;
    deliverEvent(w.cpu, event(0x40));
    expect([reached(w), w.read(0, 8), w.read(8, 8)]).toEqual(['#PF(2)', 0x1111n, 0n]);
  });
  it('reports delivered events to the probe, not failed ones', () => {
    const w = world('long');
    const seen: string[] = [];
    w.machine.probe = { interrupt: (_, e) => void seen.push(faultName(e)) };
    w.setIdt(0x40, { selector: S.code64, type: 14, present: false });
    deliverEvent(w.cpu, event(0x40));
    expect(seen).toEqual(['#NP(203)']);
  });
  it('keeps the IDT where IDTR says', () => {
    const w = world('long');
    w.cpu.setU64(L.IDTR_BASE, 0xffff_8000_0000_0000n + BigInt(IDT));
    w.setIdt(0x40, { selector: S.code64, offset: 0xffff_8000_0000_b000n, type: 14 });
    deliverEvent(w.cpu, event(0x40));
    expect(w.place()).toBe('38:ffff80000000b000 cpl 0');
  });
});
