import { describe, expect, it } from 'vitest';
import { EFER, Flag } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { MsrSlot, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import { CODE, STACK, World, type Mode } from './world.ts';

const LSTAR = 0xffff_8000_0000_b000n;
const EIP = 0xb000n;
const ESP = 0x2_8000n;

function world(mode: Mode, cpl: number, sce = true): World {
  const w = new World(mode, cpl);
  if (sce) w.cpu.efer |= BigInt(EFER.SCE);
  setMsrSlot(w.cpu, MsrSlot.star, 0x0063_0053_0000_0000n);
  setMsrSlot(w.cpu, MsrSlot.lstar, LSTAR);
  setMsrSlot(w.cpu, MsrSlot.fmask, 0x4_0300n);
  setMsrSlot(w.cpu, MsrSlot.sysenterCs, 0x73n);
  setMsrSlot(w.cpu, MsrSlot.sysenterEip, mode === 'protected' ? EIP : LSTAR);
  setMsrSlot(w.cpu, MsrSlot.sysenterEsp, ESP);
  return w;
}

/** Selector, base, limit, rights and the like of CS and SS. */
const segments = (w: World): string =>
  [L.CS, L.SS]
    .map((n) => w.cpu.segments[n]!)
    .map((s) => `${s.selector.toString(16)} ${s.base.toString(16)} ${s.limit.toString(16)} ${s.attr.toString(16)}`)
    .join(', ');

describe('SYSCALL and SYSRET: SDM Vol. 2', () => {
  it('syscall', () => {
    const w = world('long', 3);
    w.cpu.rflags = Flag.IF | Flag.TF | Flag.CF | Flag.DF;
    expect(w.run('0f 05')).toBe('ok');
    expect(w.place()).toBe(`50:${LSTAR.toString(16)} cpl 0`);
    expect(segments(w)).toBe('50 0 ffffffff a09b, 58 0 ffffffff c093');
    expect([w.cpu.gpr(1), w.cpu.gpr(11), w.cpu.rflags, w.cpu.rsp]).toEqual([BigInt(CODE + 2), 0x703n, 0x403, BigInt(STACK)]);
  });
  it.each([
    [
      '64-bit',
      '48 0f 07',
      LSTAR - 0xffff_0000_0000_0000n - 0x8000_0000_0000n + 0x1000n,
      '73:c000 cpl 3',
      '73 0 ffffffff a0fb, 6b 0 ffffffff c0f3',
      2,
    ],
    ['32-bit', '0f 07', 0x1_0000_c000n, '63:c000 cpl 3', '63 0 ffffffff c0fb, 6b 0 ffffffff c0f3', 1],
  ])('sysret, %s', (_, bytes, rcx, place, expected, size) => {
    const w = world('long', 0);
    w.cpu.setGpr(1, rcx);
    w.cpu.setGpr(11, 0x3f_ffffn);
    expect(w.run(bytes)).toBe('ok');
    expect([w.place(), segments(w), w.cpu.u32(L.CODE_SIZE)]).toEqual([place, expected, size]);
    expect(w.cpu.rflags).toBe(0x3c_7fd7);
  });
  it.each([
    ['syscall without SCE', 'long', 3, false, '0f 05', '#UD'],
    ['syscall in compatibility mode', 'compatibility', 3, true, '0f 05', '#UD'],
    ['syscall in protected mode', 'protected', 3, true, '0f 05', '#UD'],
    ['sysret without SCE', 'long', 0, false, '48 0f 07', '#UD'],
    ['sysret in compatibility mode', 'compatibility', 0, true, '0f 07', '#UD'],
    ['sysret at ring 3', 'long', 3, true, '48 0f 07', '#GP(0)'],
    ['sysret to a non-canonical address', 'long', 0, true, '48 0f 07', '#GP(0)'],
  ] as const)('%s', (_, mode, cpl, sce, bytes, expected) => {
    const w = world(mode, cpl, sce);
    w.cpu.setGpr(1, 1n << 47n);
    expect(w.run(bytes)).toBe(expected);
  });
});

describe('SYSENTER and SYSEXIT: SDM Vol. 2', () => {
  it.each([
    ['protected', `70:${EIP.toString(16)} cpl 0`, '70 0 ffffffff c09b, 78 0 ffffffff c093', 1],
    ['v8086', `70:${(LSTAR & 0xffff_ffffn).toString(16)} cpl 0`, '70 0 ffffffff c09b, 78 0 ffffffff c093', 1],
    ['long', `70:${LSTAR.toString(16)} cpl 0`, '70 0 ffffffff a09b, 78 0 ffffffff c093', 2],
    ['compatibility', `70:${LSTAR.toString(16)} cpl 0`, '70 0 ffffffff a09b, 78 0 ffffffff c093', 2],
  ] as const)('sysenter from %s mode', (mode, place, expected, size) => {
    const w = world(mode, 3);
    w.cpu.sysflags |= Flag.IF | Flag.RF;
    expect(w.run('0f 34')).toBe('ok');
    expect([w.place(), segments(w), w.cpu.u32(L.CODE_SIZE), w.cpu.rsp, w.cpu.sysflags]).toEqual([place, expected, size, ESP, 0]);
  });
  it.each([
    ['32-bit', 'protected', '0f 35', '83:c000 cpl 3', '83 0 ffffffff c0fb, 8b 0 ffffffff c0f3'],
    ['from 64-bit mode to compatibility', 'long', '0f 35', '83:c000 cpl 3', '83 0 ffffffff c0fb, 8b 0 ffffffff c0f3'],
    ['64-bit', 'long', '48 0f 35', '93:c000 cpl 3', '93 0 ffffffff a0fb, 9b 0 ffffffff c0f3'],
  ] as const)('sysexit, %s', (_, mode, bytes, place, expected) => {
    const w = world(mode, 0);
    w.cpu.setGpr(2, 0xc000n);
    w.cpu.setGpr(1, 0x1_9000n);
    expect(w.run(bytes)).toBe('ok');
    expect([w.place(), segments(w), w.cpu.rsp]).toEqual([place, expected, 0x1_9000n]);
  });
  it.each([
    ['sysenter in real mode', 'real', 0, '0f 34', 0x73n],
    ['sysenter with a null CS', 'protected', 3, '0f 34', 3n],
    ['sysexit with a null CS', 'protected', 0, '0f 35', 0n],
    ['sysexit at ring 3', 'protected', 3, '0f 35', 0x73n],
    ['sysexit in real mode', 'real', 0, '0f 35', 0x73n],
    ['sysexit to a non-canonical address', 'long', 0, '48 0f 35', 0x73n],
  ] as const)('%s', (_, mode, cpl, bytes, cs) => {
    const w = world(mode, cpl);
    setMsrSlot(w.cpu, MsrSlot.sysenterCs, cs);
    w.cpu.setGpr(2, 1n << 47n);
    expect(w.run(bytes)).toBe('#GP(0)');
  });
});
