import * as w from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { firstSource, immediate, lastSource, requireVectors, setVector } from './operands.ts';
import { i64x2, v128, zero } from './simd.ts';

/** PCLMULQDQ: SDM Vol. 2. Bits 0 and 4 of the immediate choose the quadwords. */
export const carryless: SemanticsTable = {
  pclmulqdq(m) {
    requireVectors(m);
    const s = lastSource(m);
    const [d, b] = [m.let(firstSource(m).v128()), m.let(s.v128())];
    const quadword = (v: w.Value, bit: number): w.Value => w.select(w.and(immediate(m), w.i32(bit)), i64x2.extract(v, 1), i64x2.extract(v, 0));
    const x = m.let(i64x2.splat(quadword(d, 1)));
    const y = m.let(quadword(b, 16));
    // Bit by bit of y, from the top.
    const [low, high] = [m.let(w.i64(0)), m.let(w.i64(0))];
    const factor = m.let(i64x2.extract(x, 0));
    const n = m.let(w.i32(64));
    m.f.loop((again) => {
      m.f.set(n, w.sub(n, w.i32(1)));
      m.f.set(high, w.or(w.shl(high, w.i64(1)), w.shrU(low, w.i64(63))));
      const chosen = w.sub(w.i64(0), w.and(w.shrU(y, w.unsigned64(n)), w.i64(1)));
      m.f.set(low, w.xor(w.shl(low, w.i64(1)), w.and(factor, chosen)));
      m.f.brIf(again, n);
    });
    setVector(m, 0, [m.let(v128.or(i64x2.replace(zero, 0, low), i64x2.replace(zero, 1, high)))]);
  },
};
