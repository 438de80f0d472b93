import { describe, expect, it } from 'vitest';
import * as L from '../../src/machine/cpu/layout.ts';
import { Bench, FULL } from './area.ts';

const COMPACTED = 1n << 63n;

/** A bench whose area was saved from a filled state by an instruction; the state itself is initial again. */
function saved(by: string, mask = 7n): Bench {
  const b = new Bench();
  b.fill();
  b.header(0n);
  expect(b.run(by, mask)).toBe('ok');
  b.initialize();
  return b;
}

const state = (b: Bench): Uint8Array => b.cpu.m.u8.slice(b.cpu.block + L.VECTORS, b.cpu.block + L.FPR + 128);

describe.each([
  ['xsave', 'xrstor'],
  ['xsaveopt', 'xrstor'],
  ['xsavec', 'xrstor'],
  ['xsaves', 'xrstors'],
])('%s and %s', (save, restore) => {
  it.each([7n, 1n, 2n, 3n, 6n])('bring the components of the mask %i back', (mask) => {
    const b = saved(save, mask);
    const expected = new Bench();
    if (mask & 1n) {
      expected.cpu.setU32(L.FCW, 0x27f);
      expected.cpu.setU32(L.FTW, 0);
      for (let n = 0; n < 8; n++) expected.cpu.setU64(L.FPR + n * 16, BigInt(0x2000 + n));
    }
    for (let n = 0; n < 64; n++) {
      const component = n & 2 ? 4n : 2n;
      if (mask & component) expected.cpu.setU64(L.VECTORS + n * 8, BigInt(0x1000 + n));
    }
    if (mask & 2n) expected.cpu.setU32(L.MXCSR, 0x3f80);
    expect(b.run(restore, mask)).toBe('ok');
    expect(state(b)).toEqual(state(expected));
  });
  it('give what is not in use its initial state', () => {
    const b = new Bench();
    b.header(0n);
    expect(b.run(save)).toBe('ok');
    const initial = state(b);
    b.fill();
    expect(b.run(restore)).toBe('ok');
    expect(state(b)).toEqual(initial);
  });
});

describe('MXCSR', () => {
  it.each([
    ['standard, with AVX only', 0n, 0n, 4n, 0x1fa0],
    ['standard, with SSE not in use', 0n, 0n, 2n, 0x1fa0],
    ['standard, with x87', 7n, 0n, 1n, 0x3f80],
    ['compacted, with SSE', 7n, COMPACTED | 7n, 2n, 0x1fa0],
    ['compacted, with SSE not in use', 0n, COMPACTED | 7n, 2n, 0x1f80],
    ['compacted, with AVX only', 7n, COMPACTED | 7n, 4n, 0x3f80],
  ] as const)('%s', (_what, bv, layout, mask, expected) => {
    const b = new Bench();
    b.fill(); // MXCSR 0x3f80
    b.setU64(24, 0xffff_0000_1fa0n);
    b.header(bv, layout);
    expect(b.run('xrstor', mask)).toBe('ok');
    expect(b.cpu.u32(L.MXCSR)).toBe(expected);
  });
  it('with a reserved bit is #GP where it would be loaded', () => {
    for (const [mask, expected] of [[6n, '#GP'], [1n, 'ok']] as const) {
      const b = new Bench();
      b.setU64(24, 0xffff_0001_1f80n);
      b.header(0n);
      expect(b.run('xrstor', mask)).toBe(expected);
    }
  }); // prettier-ignore
});

describe('headers that are refused: SDM Vol. 1, 13.8', () => {
  it.each([
    ['a state that XCR0 does not have', 8n, 0n, 'xrstor', '#GP'],
    ['XCOMP_BV without bit 63', 0n, 1n, 'xrstor', '#GP'],
    ['a place that XCR0 does not have', 0n, COMPACTED | 8n, 'xrstor', '#GP'],
    ['a state without a place', 4n, COMPACTED | 3n, 'xrstor', '#GP'],
    ['XRSTORS of a standard area', 7n, 0n, 'xrstors', '#GP'],
    ['XRSTORS of a compacted one', 7n, COMPACTED | 7n, 'xrstors', 'ok'],
    ['a compacted area', 3n, COMPACTED | 7n, 'xrstor', 'ok'],
  ] as const)('%s', (_what, bv, layout, name, expected) => {
    const b = saved('xsave');
    b.header(bv, layout);
    expect(b.run(name)).toBe(expected);
  });
  it.each([
    [16, 0n, '#GP'],
    [24, 0n, 'ok'],
    [56, 0n, 'ok'],
    [16, COMPACTED | 7n, '#GP'],
    [24, COMPACTED | 7n, '#GP'],
    [56, COMPACTED | 7n, '#GP'],
  ] as const)('a byte at %i of the header, XCOMP_BV %x', (at, layout, expected) => {
    const b = saved('xsave');
    b.header(7n, layout);
    b.setU64(512 + at, 1n);
    expect(b.run('xrstor')).toBe(expected);
  });
  it('a compacted area where there is no XSAVEC', () => {
    const b = new Bench({ features: FULL.filter((f) => f !== 'xsavec') });
    b.header(0n, COMPACTED | 7n);
    expect(b.run('xrstor')).toBe('#GP');
  });
});

it('the compacted format has no hole for what is not asked for', () => {
  const b = saved('xsavec', 1n);
  expect(b.u64(576)).toBe(0xeeee_eeee_eeee_eeeen);
  expect(b.u64(520)).toBe(COMPACTED | 1n);
});
