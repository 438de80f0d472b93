import type { Emitter } from '../../tiers/emitter.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { firstSource, immediate, lastSource, requireVectors, setVector } from './operands.ts';
import { i64x2 } from './simd.ts';

/** Every fourth bit, from bit n on. */
const STRIDES = [0, 1, 2, 3].map((n) => w.i64(0x1111_1111_1111_1111n << BigInt(n)));
const xor = (values: readonly Value[]): Value => values.reduce((a, b) => w.xor(a, b));

/**
 * The low half of a carry-less product by ordinary multiplications: of operands that have one bit in four, at most fifteen
 * products meet in a place, and their carries stay in the three bits that are free; where sixteen meet, at the top, the carry
 * falls out. (The known trick of constant-time GHASH.)
 */
function lowProduct(m: Emitter, x: Value, y: Value): Local {
  const split = (v: Value): Local[] => STRIDES.map((stride) => m.let(w.and(v, stride)));
  const [a, b] = [split(x), split(y)];
  // Part n of the product is of the pairs of strides that add up to n.
  const parts = STRIDES.map((stride, n) => w.and(xor(a.map((v, k) => w.mul(v, b[(n - k) & 3]!))), stride));
  return m.let(parts.reduce((p, q) => w.or(p, q)));
}

/** Bit 0 to bit 63: neighbours change places, then pairs, and so on. */
function reversed(m: Emitter, v: Value): Local {
  const steps = [
    [1, 0x5555_5555_5555_5555n],
    [2, 0x3333_3333_3333_3333n],
    [4, 0x0f0f_0f0f_0f0f_0f0fn],
    [8, 0x00ff_00ff_00ff_00ffn],
    [16, 0x0000_ffff_0000_ffffn],
  ] as const;
  let r = m.let(v);
  for (const [by, mask] of steps) {
    const right = w.and(w.shrU(r, w.i64(by)), w.i64(mask));
    r = m.let(w.or(right, w.shl(w.and(r, w.i64(mask)), w.i64(by))));
  }
  return m.let(w.rotl(r, w.i64(32)));
}

/** PCLMULQDQ: SDM Vol. 2. Bits 0 and 4 of the immediate choose the quadwords. */
export const carryless: SemanticsTable = {
  pclmulqdq(m) {
    requireVectors(m);
    const [b, a] = [lastSource(m), firstSource(m)].map((p) => m.let(p.v128())) as [Local, Local];
    const quadword = (v: Value, bit: number): Local => m.let(w.select(w.and(immediate(m), w.i32(bit)), i64x2.extract(v, 1), i64x2.extract(v, 0)));
    const [x, y] = [quadword(a, 1), quadword(b, 16)];
    // The high half is the low half of the mirrored product, mirrored: 127 bits in all, so one place lower.
    const high = w.shrU(reversed(m, lowProduct(m, reversed(m, x), reversed(m, y))), w.i64(1));
    const low = i64x2.splat(lowProduct(m, x, y));
    setVector(m, 0, [m.let(i64x2.replace(low, 1, high))]);
  },
};
