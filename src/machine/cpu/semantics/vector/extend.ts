import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { halves, lastSource, requireVectors, setVector } from './operands.ts';
import { i16x8, i32x4, i64x2, i8x16, lanesConst, shuffleLanes, v128, zero } from './simd.ts';

/** PMOVSX and PMOVZX: `bytes` of the source become 16 of the result. */
const extend =
  (bytes: 8 | 4 | 2, f: (v: Value) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const s = lastSource(m);
    const v = m.let(s.v128());
    // What lies past the operand in memory is not looked at: `f` uses the low bytes.
    const part = (k: number): Value =>
      k === 0
        ? v
        : i8x16.swizzle(
            v,
            lanesConst(
              8,
              Array.from({ length: 16 }, (_, n) => n + (bytes * k) / 16),
            ),
          );
    setVector(m, 0, halves(m).map((k) => m.let(f(part(k))))); // prettier-ignore
  };

export const vectorExtends: SemanticsTable = {
  pmovsxbw: extend(8, i16x8.extendLowS),
  pmovzxbw: extend(8, i16x8.extendLowU),
  pmovsxbd: extend(4, (v) => i32x4.extendLowS(i16x8.extendLowS(v))),
  pmovzxbd: extend(4, (v) => i32x4.extendLowU(i16x8.extendLowU(v))),
  pmovsxbq: extend(2, (v) => i64x2.extendLowS(i32x4.extendLowS(i16x8.extendLowS(v)))),
  pmovzxbq: extend(2, (v) => i64x2.extendLowU(i32x4.extendLowU(i16x8.extendLowU(v)))),
  pmovsxwd: extend(8, i32x4.extendLowS),
  pmovzxwd: extend(8, i32x4.extendLowU),
  pmovsxwq: extend(4, (v) => i64x2.extendLowS(i32x4.extendLowS(v))),
  pmovzxwq: extend(4, (v) => i64x2.extendLowU(i32x4.extendLowU(v))),
  pmovsxdq: extend(8, i64x2.extendLowS),
  pmovzxdq: extend(8, i64x2.extendLowU),
  /** The least of eight words and its number, lowest number first. SDM Vol. 2, PHMINPOSUW. */
  phminposuw(m) {
    requireVectors(m);
    const v = m.let(lastSource(m).v128());
    // Keys of word and number together: one minimum finds both.
    const keys = [i32x4.extendLowU(v), i32x4.extendLowU(shuffleLanes(v, zero, 8, [1, 2]))].map((words, n) =>
      m.let(v128.or(i32x4.shl(words, w.i32(3)), lanesConst(32, n === 0 ? [0, 1, 2, 3] : [4, 5, 6, 7]))),
    );
    const four = m.let(i32x4.minU(keys[0]!, keys[1]!));
    const two = m.let(i32x4.minU(four, shuffleLanes(four, four, 4, [2, 3, 0, 1])));
    const key = m.let(i32x4.minU(two, shuffleLanes(two, two, 4, [1, 0, 3, 2])));
    const word = v128.and(i32x4.shrU(key, w.i32(3)), lanesConst(32, [0xffff, 0, 0, 0]));
    const number = v128.and(i32x4.shl(key, w.i32(16)), lanesConst(32, [0x7_0000, 0, 0, 0]));
    setVector(m, 0, [m.let(v128.or(word, number))]);
  },
};
