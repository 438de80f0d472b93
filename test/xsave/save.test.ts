import { describe, expect, it } from 'vitest';
import { CR0, CR4 } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { AREA, Bench, FULL } from './area.ts';

const COMPACTED = 1n << 63n;
const UNTOUCHED = 0xeeee_eeee_eeee_eeeen;
const [XSTATE_BV, XCOMP_BV, MXCSR, ST0, XMM0, YMM0H] = [512, 520, 24, 32, 160, 576] as const;

describe('what comes first: SDM Vol. 2, XSAVE', () => {
  it.each(['xsave', 'xsaveopt', 'xsavec', 'xsaves', 'xrstor', 'xrstors'])('%s', (name) => {
    const off = new Bench();
    off.cpu.cr4 &= ~BigInt(CR4.OSXSAVE);
    expect(off.run(name)).toBe('#UD');
    const switched = new Bench();
    switched.cpu.cr0 |= BigInt(CR0.TS);
    expect(switched.run(name)).toBe('#NM');
    expect(new Bench().run(name, 7n, AREA + 32)).toBe('#GP');
    expect(new Bench().run(name, 7n, 0x7000_0000)).toBe('#PF');
    // CR0.EM has no say.
    const emulated = new Bench();
    emulated.cpu.cr0 |= BigInt(CR0.EM);
    emulated.setU64(24, 0x1f80n);
    emulated.header(0n, /rstors/.test(name) ? COMPACTED : 0n);
    expect(emulated.run(name)).toBe('ok');
  });
  it.each([
    ['xsaveopt', 'xsaveopt'],
    ['xsavec', 'xsavec'],
    ['xsaves', 'xsaves'],
    ['xrstors', 'xsaves'],
  ])('%s is #UD without the feature', (name, feature) => {
    expect(new Bench({ features: FULL.filter((f) => f !== feature) }).run(name)).toBe('#UD');
  });
  it.each(['xsaves', 'xrstors'])('%s is #GP at CPL 3', (name) => {
    expect(new Bench({ cpl: 3 }).run(name)).toBe('#GP');
  });
});

describe('XSAVE', () => {
  it('stores what is asked for, in use or not, and says what is in use', () => {
    const b = new Bench();
    b.cpu.setU64(L.VECTORS + 16, 0x77n);
    b.header(0xff00n);
    expect(b.run('xsave')).toBe('ok');
    expect(b.u64(XSTATE_BV)).toBe(0xff04n); // bits outside the mask stay
    expect([b.u64(XMM0), b.u64(YMM0H), b.u64(ST0)]).toEqual([0n, 0x77n, 0n]);
    expect(b.u64(MXCSR)).toBe(0xffff_0000_1f80n);
    expect(b.u64(XCOMP_BV)).toBe(0n);
  });
  it.each([
    [1n, { x87: true, mxcsr: false, sse: false, avx: false }],
    [2n, { x87: false, mxcsr: true, sse: true, avx: false }],
    [4n, { x87: false, mxcsr: true, sse: false, avx: true }],
    [0n, { x87: false, mxcsr: false, sse: false, avx: false }],
    [0xffff_ffff_ffff_fff8n, { x87: false, mxcsr: false, sse: false, avx: false }],
  ] as const)('with the mask %x writes only those components', (mask, expected) => {
    const b = new Bench();
    b.fill();
    expect(b.run('xsave', mask)).toBe('ok');
    const written = (at: number): boolean => b.u64(at) !== UNTOUCHED;
    expect({ x87: written(ST0), mxcsr: written(MXCSR), sse: written(XMM0), avx: written(YMM0H) }).toEqual(expected);
    expect(b.u64(XSTATE_BV)).toBe((UNTOUCHED & ~(mask & 7n)) | (mask & 7n));
  });
  it('leaves alone what the software may use', () => {
    const b = new Bench();
    b.fill();
    b.run('xsave');
    expect(new Set([...b.bytes(416, 512), ...b.bytes(528, 576), ...b.bytes(832, 1024)])).toEqual(new Set([0xee]));
  });
  it('has eight vector registers outside 64-bit mode', () => {
    const b = new Bench({ mode: 'protected' });
    b.fill();
    expect(b.run('xsave')).toBe('ok');
    expect([b.u64(XMM0 + 7 * 16), b.u64(XMM0 + 8 * 16)]).toEqual([0x1000n + 28n, UNTOUCHED]);
    expect([b.u64(YMM0H + 7 * 16), b.u64(YMM0H + 8 * 16)]).toEqual([0x1000n + 30n, UNTOUCHED]);
  });
  it('follows XCR0', () => {
    const b = new Bench();
    b.fill();
    b.cpu.setU64(L.XCR0, 3n);
    b.header(0n);
    expect(b.run('xsave')).toBe('ok');
    expect([b.u64(XSTATE_BV), b.u64(YMM0H)]).toEqual([3n, UNTOUCHED]);
  });
});

describe('XSAVEOPT', () => {
  it('stores only what is in use, but MXCSR with the mask', () => {
    const b = new Bench();
    b.cpu.setU64(L.VECTORS + 16, 0x77n);
    b.header(3n);
    expect(b.run('xsaveopt')).toBe('ok');
    expect([b.u64(XSTATE_BV), b.u64(XMM0), b.u64(YMM0H), b.u64(ST0)]).toEqual([4n, UNTOUCHED, 0x77n, UNTOUCHED]);
    expect(b.u64(MXCSR)).toBe(0xffff_0000_1f80n);
  });
});

describe.each(['xsavec', 'xsaves'])('%s', (name) => {
  it('writes the compacted format', () => {
    const b = new Bench();
    b.fill();
    expect(b.run(name, 6n)).toBe('ok');
    expect([b.u64(XSTATE_BV), b.u64(XCOMP_BV), b.u64(XMM0), b.u64(YMM0H)]).toEqual([6n, COMPACTED | 6n, 0x1000n, 0x1002n]);
    expect([b.u64(ST0), b.u64(0), b.u64(528)]).toEqual([UNTOUCHED, UNTOUCHED, UNTOUCHED]);
  });
  it('takes MXCSR as part of SSE state', () => {
    const b = new Bench();
    expect(b.run(name)).toBe('ok');
    expect([b.u64(XSTATE_BV), b.u64(XCOMP_BV), b.u64(MXCSR)]).toEqual([0n, COMPACTED | 7n, UNTOUCHED]);
    b.cpu.setU32(L.MXCSR, 0x1f00);
    expect(b.run(name, 4n)).toBe('ok');
    expect([b.u64(XSTATE_BV), b.u64(MXCSR)]).toEqual([0n, UNTOUCHED]);
    expect(b.run(name, 2n)).toBe('ok');
    expect([b.u64(XSTATE_BV), b.u64(MXCSR)]).toEqual([2n, 0xffff_0000_1f00n]);
  });
});
