import type { Emitter } from '../../tiers/emitter.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import type { Lanes } from './operands.ts';
import { halves, immediate, lanewise, lastSource, firstSource, requireVectors, setVector } from './operands.ts';
import { i16x8, i32x4, i64x2, i8x16, lanesConst, v128, zero } from './simd.ts';

type ShiftOp = (a: Value, count: Value) => Value;

/** Shifts every lane by one 64-bit count: WebAssembly takes it modulo the width, x86 shifts everything out (or in: the sign). */
export interface Shift {
  readonly width: 16 | 32 | 64;
  readonly op: ShiftOp;
  readonly arithmetic: boolean;
}

const shift = (width: Shift['width'], op: ShiftOp, arithmetic = false): Shift => ({ width, op, arithmetic });

export const shiftKinds: Readonly<Record<string, Shift>> = {
  psllw: shift(16, i16x8.shl), pslld: shift(32, i32x4.shl), psllq: shift(64, i64x2.shl),
  psrlw: shift(16, i16x8.shrU), psrld: shift(32, i32x4.shrU), psrlq: shift(64, i64x2.shrU),
  psraw: shift(16, i16x8.shrS, true), psrad: shift(32, i32x4.shrS, true),
}; // prettier-ignore

/** The count as a function of the operands (i64), then one half. */
export function shiftLanes(s: Shift, a: Value, count: Local): Value {
  const inside = w.ltU(count, w.i64(s.width));
  if (s.arithmetic) return s.op(a, w.wrap(w.select(inside, count, w.i64(s.width - 1))));
  return w.select(inside, s.op(a, w.wrap(count)), zero);
}

/** Shifts by the low quadword of the last operand. */
const byRegister =
  (s: Shift): Semantics =>
  (m) => {
    requireVectors(m);
    const count = m.let(lastSource(m).i64());
    const a = firstSource(m);
    setVector(m, 0, halves(m).map((k) => m.let(shiftLanes(s, m.let(a.v128(k)), count)))); // prettier-ignore
  };

/** Shifts by the immediate: the source is ModRM.rm, with VEX the destination is VEX.vvvv. */
const byImmediate =
  (f: (m: Emitter, a: Value) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const a = lastSource(m);
    setVector(m, 0, halves(m).map((k) => m.let(f(m, m.let(a.v128(k)))))); // prettier-ignore
  };

const IOTA = Array.from({ length: 16 }, (_, n) => n);

/** Whole vectors by bytes. The selector of a byte that comes from outside is at least 16, which gives zero. */
const shiftBytes = (m: Emitter, a: Value, left: boolean): Value => {
  const count = m.let(w.select(w.gtU(immediate(m), w.i32(15)), w.i32(16), immediate(m)));
  const index = left ? i8x16.sub(lanesConst(8, IOTA), i8x16.splat(count)) : i8x16.add(lanesConst(8, IOTA), i8x16.splat(count));
  return i8x16.swizzle(a, index);
};

/** Every lane by a count of its own. */
const variable =
  (width: 32 | 64, op: (a: Value, count: Value) => Value, arithmetic = false): Lanes =>
  (m, a, b) => {
    const lane = width === 32 ? i32x4 : i64x2;
    let r = a;
    for (let n = 0; n < 128 / width; n++) {
      const [v, count] = [lane.extract(a, n), m.let(lane.extract(b, n))];
      const inside = w.ltU(count, w.like(count, width));
      const shifted = arithmetic ? op(v, w.select(inside, count, w.like(count, width - 1))) : w.select(inside, op(v, count), w.like(count, 0));
      r = m.let(lane.replace(r, n, shifted));
    }
    return r;
  };

/** The two operands as one vector of twice the length, shifted right by `imm` bytes. In 64-bit vectors they lie together. */
export const alignRight: Lanes = (m, a, b) => {
  const size = m.vectorBytes === 8 ? 8 : 16;
  const count = m.let(w.select(w.gtU(immediate(m), w.i32(2 * size)), w.i32(2 * size), immediate(m)));
  const index = m.let(i8x16.add(lanesConst(8, IOTA), i8x16.splat(count)));
  if (size === 8) {
    const both = v128.or(b, i64x2.replace(zero, 1, i64x2.extract(a, 0)));
    return i8x16.swizzle(both, index);
  }
  return v128.or(i8x16.swizzle(b, index), i8x16.swizzle(a, i8x16.sub(index, lanesConst(8, [16]))));
};

export const vectorShifts: SemanticsTable = {
  ...Object.fromEntries(Object.entries(shiftKinds).map(([name, s]) => [name, byRegister(s)])),
  ...Object.fromEntries(
    Object.entries(shiftKinds).map(([name, s]) => [`${name}_i`, byImmediate((m, a) => shiftLanes(s, a, m.let(w.unsigned64(immediate(m)))))]),
  ),
  pslldq: byImmediate((m, a) => shiftBytes(m, a, true)),
  psrldq: byImmediate((m, a) => shiftBytes(m, a, false)),
  psllvd: lanewise(variable(32, w.shl)),
  psllvq: lanewise(variable(64, w.shl)),
  psrlvd: lanewise(variable(32, w.shrU)),
  psrlvq: lanewise(variable(64, w.shrU)),
  psravd: lanewise(variable(32, w.shrS, true)),
  palignr: lanewise(alignRight),
};
