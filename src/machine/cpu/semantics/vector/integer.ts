import type { Value } from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import type { Lanes } from './operands.ts';
import { lanewise, unary } from './operands.ts';
import { i16x8, i32x4, i64x2, i8x16, lanesConst, shuffleLanes, v128, zero } from './simd.ts';

const plain =
  (f: (a: Value, b: Value) => Value): Lanes =>
  (_m, a, b) =>
    f(a, b);

/** High halves of 16-bit products, from the products of the low and of the high lanes. */
const highWords = (low: Value, high: Value): Value => shuffleLanes(low, high, 2, [1, 3, 5, 7, 9, 11, 13, 15]);

/** Even and odd lanes of two vectors, as horizontal operations pair them. In a 64-bit vector the second operand's come from its low half. */
const pairs =
  (bytes: 2 | 4, f: (even: Value, odd: Value) => Value): Lanes =>
  (m, a, b) => {
    const count = 16 / bytes;
    const inUse = m.vectorBytes === 8 ? count / 2 : count;
    const from = (odd: number): number[] =>
      Array.from({ length: count }, (_, n) => {
        const pair = (n % inUse) * 2 + odd;
        return pair < inUse ? pair : pair - inUse + count;
      });
    return f(shuffleLanes(a, b, bytes, from(0)), shuffleLanes(a, b, bytes, from(1)));
  };

/** b < 0 ? -a : b == 0 ? 0 : a */
const sign =
  (lane: { ltS(a: Value, b: Value): Value; eq(a: Value, b: Value): Value; neg(a: Value): Value }): Lanes =>
  (_m, a, b) =>
    v128.andnot(v128.bitselect(lane.neg(a), a, lane.ltS(b, zero)), lane.eq(b, zero));

/** Low half of each operand as one vector, when the vectors have 64 bits: packs then give all of the result in the low half. */
const pack =
  (narrow: (a: Value, b: Value) => Value): Lanes =>
  (m, a, b) =>
    m.vectorBytes === 8 ? narrow(shuffleLanes(a, b, 8, [0, 2]), zero) : narrow(a, b);

const interleave =
  (bytes: number, high: boolean): Lanes =>
  (m, a, b) => {
    const used = m.vectorBytes === 8 ? 8 : 16;
    const first = high ? used / bytes / 2 : 0;
    const count = 16 / bytes;
    return shuffleLanes(
      a,
      b,
      bytes,
      Array.from({ length: count }, (_, n) => first + (n >> 1) + (n & 1) * count),
    );
  };

/** Even 32-bit lanes of a, in the low half. */
const even = (a: Value): Value => shuffleLanes(a, a, 4, [0, 2, 0, 2]);

/** The lanes of each operation, by mnemonic without `v`. Also for 64-bit vectors, whose upper half is not looked at afterwards. */
export const integerLanes: Readonly<Record<string, Lanes>> = {
  paddb: plain(i8x16.add), paddw: plain(i16x8.add), paddd: plain(i32x4.add), paddq: plain(i64x2.add),
  psubb: plain(i8x16.sub), psubw: plain(i16x8.sub), psubd: plain(i32x4.sub), psubq: plain(i64x2.sub),
  paddsb: plain(i8x16.addSatS), paddsw: plain(i16x8.addSatS), paddusb: plain(i8x16.addSatU), paddusw: plain(i16x8.addSatU),
  psubsb: plain(i8x16.subSatS), psubsw: plain(i16x8.subSatS), psubusb: plain(i8x16.subSatU), psubusw: plain(i16x8.subSatU),
  pavgb: plain(i8x16.avgrU), pavgw: plain(i16x8.avgrU),
  pminub: plain(i8x16.minU), pminuw: plain(i16x8.minU), pminud: plain(i32x4.minU),
  pminsb: plain(i8x16.minS), pminsw: plain(i16x8.minS), pminsd: plain(i32x4.minS),
  pmaxub: plain(i8x16.maxU), pmaxuw: plain(i16x8.maxU), pmaxud: plain(i32x4.maxU),
  pmaxsb: plain(i8x16.maxS), pmaxsw: plain(i16x8.maxS), pmaxsd: plain(i32x4.maxS),
  pcmpeqb: plain(i8x16.eq), pcmpeqw: plain(i16x8.eq), pcmpeqd: plain(i32x4.eq), pcmpeqq: plain(i64x2.eq),
  pcmpgtb: plain(i8x16.gtS), pcmpgtw: plain(i16x8.gtS), pcmpgtd: plain(i32x4.gtS), pcmpgtq: plain(i64x2.gtS),
  pand: plain(v128.and), pandn: (_m, a, b) => v128.andnot(b, a), por: plain(v128.or), pxor: plain(v128.xor),
  pmullw: plain(i16x8.mul), pmulld: plain(i32x4.mul), pmaddwd: plain(i32x4.dot),
  pmulhw: (_m, a, b) => highWords(i32x4.mulLowS(a, b), i32x4.mulHighS(a, b)),
  pmulhuw: (_m, a, b) => highWords(i32x4.mulLowU(a, b), i32x4.mulHighU(a, b)),
  // WebAssembly's product saturates -1 * -1, x86's wraps.
  pmulhrsw: (_m, a, b) => {
    const least = lanesConst(16, [0x8000]);
    return v128.xor(i16x8.q15mulrSatS(a, b), v128.and(i16x8.eq(a, least), i16x8.eq(b, least)));
  },
  pmuludq: (_m, a, b) => i64x2.mulLowU(even(a), even(b)),
  pmuldq: (_m, a, b) => i64x2.mulLowS(even(a), even(b)),
  pmaddubsw: (m, a, b) => {
    const low = m.let(i16x8.mul(i16x8.extendLowU(a), i16x8.extendLowS(b)));
    const high = m.let(i16x8.mul(i16x8.extendHighU(a), i16x8.extendHighS(b)));
    return i16x8.addSatS(shuffleLanes(low, high, 2, [0, 2, 4, 6, 8, 10, 12, 14]), shuffleLanes(low, high, 2, [1, 3, 5, 7, 9, 11, 13, 15]));
  },
  psadbw: (m, a, b) => {
    const sums = m.let(i32x4.addPairsU(i16x8.addPairsU(i8x16.sub(i8x16.maxU(a, b), i8x16.minU(a, b)))));
    return v128.and(i32x4.add(sums, shuffleLanes(sums, sums, 4, [1, 0, 3, 2])), lanesConst(64, [0xffff]));
  },
  psignb: sign(i8x16), psignw: sign(i16x8), psignd: sign(i32x4),
  phaddw: pairs(2, i16x8.add), phaddd: pairs(4, i32x4.add), phaddsw: pairs(2, i16x8.addSatS),
  phsubw: pairs(2, i16x8.sub), phsubd: pairs(4, i32x4.sub), phsubsw: pairs(2, i16x8.subSatS),
  packsswb: pack(i8x16.narrowS), packuswb: pack(i8x16.narrowU), packssdw: pack(i16x8.narrowS), packusdw: pack(i16x8.narrowU),
  punpcklbw: interleave(1, false), punpcklwd: interleave(2, false), punpckldq: interleave(4, false), punpcklqdq: interleave(8, false),
  punpckhbw: interleave(1, true), punpckhwd: interleave(2, true), punpckhdq: interleave(4, true), punpckhqdq: interleave(8, true),
  unpcklps: interleave(4, false), unpckhps: interleave(4, true),
  // A selector's bit 7 gives zero; WebAssembly's swizzle does so for every number past the end.
  pshufb: (m, a, b) => i8x16.swizzle(a, v128.and(b, lanesConst(8, [m.vectorBytes === 8 ? 0x87 : 0x8f]))),
}; // prettier-ignore

export const absLanes: Readonly<Record<string, (a: Value) => Value>> = { pabsb: i8x16.abs, pabsw: i16x8.abs, pabsd: i32x4.abs };

export const vectorInteger: SemanticsTable = {
  ...Object.fromEntries(Object.entries(integerLanes).map(([name, f]) => [name, lanewise(f)])),
  ...Object.fromEntries(Object.entries(absLanes).map(([name, f]) => [name, unary((_m, a) => f(a))])),
};
