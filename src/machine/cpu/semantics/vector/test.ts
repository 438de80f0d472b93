import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { halves, lastSource, requireVectors, vectorOperand } from './operands.ts';
import { i64x2, i32x4, v128 } from './simd.ts';

/** Sets the flags from bits (i32, 0 or 1); AF and PF become 0. The symbolic form is described in layout.ts. */
export function setFlagBits(m: Emitter, bits: { readonly cf: Value; readonly zf: Value; readonly sf?: Value; readonly of?: Value }): void {
  const [cf, zf] = [m.let(bits.cf), m.let(bits.zf)];
  const overflow = bits.of ? w.xor(cf, bits.of) : cf;
  // The result's low byte has one bit, or gets it by the mask in bits 15:8 of FLG: PF is 0.
  const flg = w.or(w.or(cf, w.shl(zf, w.i32(8))), bits.sf ? w.shl(bits.sf, w.i32(1)) : w.i32(0));
  m.setFlags(w.unsigned64(w.eqz(zf)), w.shl(w.unsigned64(overflow), w.i64(63)), flg);
}

/** PTEST and VTESTPS: ZF when no bit of a and b, CF when no bit of b alone, as `any` looks at them. */
const test =
  (any: (v: Value) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const b = lastSource(m);
    const a = vectorOperand(m, 0);
    const over = (f: (a: Value, b: Value) => Value): Value => halves(m).map((k) => f(a.v128(k), b.v128(k))).reduce((x, y) => v128.or(x, y)); // prettier-ignore
    setFlagBits(m, { zf: w.eqz(any(over(v128.and))), cf: w.eqz(any(over((x, y) => v128.andnot(y, x)))) });
  };

export const vectorTests: SemanticsTable = {
  ptest: test(v128.anyTrue),
  testps: test(i32x4.bitmask),
  testpd: test(i64x2.bitmask),
};
