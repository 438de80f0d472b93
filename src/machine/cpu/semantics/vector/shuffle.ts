import type { Emitter } from '../../tiers/emitter.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { byImmediate, immTable, type ImmTable } from './imm-table.ts';
import {
  firstSource,
  halves,
  immediate,
  lanewise,
  lastSource,
  loadHalves,
  requireVectors,
  setVector,
  unary,
  xmm,
  vectorOperand,
} from './operands.ts';
import type { Lanes } from './operands.ts';
import { i16x8, i32x4, i64x2, i8x16, lanesConst, shuffleLanes, v128, zero } from './simd.ts';

/** Byte numbers of lanes of `bytes` bytes. */
const bytesOf = (bytes: number, lanes: readonly number[]): number[] => lanes.flatMap((n) => Array.from({ length: bytes }, (_, k) => n * bytes + k));
/** Bit fields of an immediate: `count` of `width` bits. */
const fields = (imm: number, width: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => (imm >> (n * width)) & ((1 << width) - 1));
/** Masks for blends: lanes of `bytes` bytes whose bit is set. */
const maskOf = (bytes: number, bits: number): number[] => Array.from({ length: 16 }, (_, n) => ((bits >> Math.floor(n / bytes)) & 1 ? 0xff : 0));

const dwords = immTable((imm) => bytesOf(4, fields(imm, 2, 4)));
export const lowWords = immTable((imm) => bytesOf(2, [...fields(imm, 2, 4), 4, 5, 6, 7]));
const highWords = immTable((imm) => bytesOf(2, [0, 1, 2, 3, ...fields(imm, 2, 4).map((n) => n + 4)]));
/** Bits 1:0 for the low half of a vector, 3:2 for the high one. */
const qwords = [immTable((imm) => bytesOf(8, fields(imm, 1, 2))), immTable((imm) => bytesOf(8, fields(imm >> 2, 1, 2)))] as const;
/** Among 32 bytes: VPERMQ, whose halves use the immediate's nibbles. */
const acrossQwords = [immTable((imm) => bytesOf(8, fields(imm, 2, 2))), immTable((imm) => bytesOf(8, fields(imm >> 4, 2, 2)))] as const;

const wordMask = immTable((imm) => maskOf(2, imm));
const dwordMask = [immTable((imm) => maskOf(4, imm)), immTable((imm) => maskOf(4, imm >> 4))] as const;
const qwordMask = [immTable((imm) => maskOf(8, imm)), immTable((imm) => maskOf(8, imm >> 2))] as const;

/** The table of the half at offset k. */
const half = (pair: readonly [ImmTable, ImmTable], k: number): ImmTable => pair[k / 16]!;

const bySelector = (selector: (m: Emitter, k: number) => Value) => unary((m, a, k) => i8x16.swizzle(a, selector(m, k)));
const blend =
  (mask: (k: number) => ImmTable): Lanes =>
  (m, a, b, k) =>
    v128.bitselect(b, a, byImmediate(m, mask(k)));

/** Selectors of a swizzle from numbers of lanes: every byte of a lane holds the number times the lane's size, plus its place. */
const selectDwords = (numbers: Value): Value => i32x4.add(i32x4.mul(numbers, lanesConst(32, [0x0404_0404])), lanesConst(32, [0x0302_0100]));

/** Bytes 0 to 31 of a vector of two halves. */
const swizzle32 = (low: Value, high: Value, selector: Value): Value =>
  v128.or(i8x16.swizzle(low, selector), i8x16.swizzle(high, i8x16.sub(selector, lanesConst(8, [16]))));

/** Blends by the sign of each lane of a mask register: XMM0, or the one in the immediate. */
const blendBySign =
  (signs: (mask: Value) => Value) =>
  (m: Emitter): void => {
    requireVectors(m);
    const b = lastSource(m);
    const a = firstSource(m);
    const mask = m.vex ? vectorOperand(m, 3) : xmm(m, 0);
    setVector(m, 0, halves(m).map((k) => m.let(v128.bitselect(b.v128(k), a.v128(k), signs(mask.v128(k)))))); // prettier-ignore
  };

export const signMasks = {
  8: (v: Value): Value => i8x16.shrS(v, w.i32(7)),
  32: (v: Value): Value => i32x4.shrS(v, w.i32(31)),
  64: (v: Value): Value => i64x2.shrS(v, w.i32(63)),
} as const;

/** VPERM2F128: each half is one of the four given ones, or zero. */
function permuteHalves(m: Emitter): void {
  requireVectors(m);
  const b = loadHalves(m, lastSource(m));
  const a = loadHalves(m, firstSource(m));
  const results = [0, 4].map((shift) => {
    const bit = (n: number): Value => w.and(immediate(m), w.i32(1 << (shift + n)));
    const chosen = w.select(bit(1), w.select(bit(0), b[1]!, b[0]!), w.select(bit(0), a[1]!, a[0]!));
    return m.let(w.select(bit(3), zero, chosen));
  });
  setVector(m, 0, results);
}

/** A vector of numbers of dwords chooses among all eight. The numbers are the first source. */
function permuteDwords(m: Emitter): void {
  requireVectors(m);
  const [low, high] = loadHalves(m, lastSource(m)) as [Local, Local];
  const numbers = loadHalves(m, firstSource(m));
  setVector(m, 0, numbers.map((n) => m.let(swizzle32(low, high, m.let(selectDwords(v128.and(n, lanesConst(32, [7])))))))); // prettier-ignore
}

function permuteQwords(m: Emitter): void {
  requireVectors(m);
  const [low, high] = loadHalves(m, lastSource(m)) as [Local, Local];
  setVector(m, 0, acrossQwords.map((t) => m.let(swizzle32(low, high, m.let(byImmediate(m, t)))))); // prettier-ignore
}

/** INSERTPS: SDM Vol. 2. The immediate's bits 7:6 choose the source's lane (0 from memory), 5:4 the destination's, 3:0 zeros. */
const insertedLane = immTable((imm) => maskOf(4, 1 << ((imm >> 4) & 3)));
const sourceLane = immTable((imm) => bytesOf(4, new Array<number>(4).fill(imm >> 6)));
function insertps(m: Emitter): void {
  requireVectors(m);
  const s = lastSource(m);
  const a = m.let(firstSource(m).v128());
  const v = s.memory ? i32x4.splat(s.i32()) : i8x16.swizzle(s.v128(), byImmediate(m, sourceLane));
  const inserted = v128.bitselect(v, a, byImmediate(m, insertedLane));
  setVector(m, 0, [m.let(v128.andnot(inserted, byImmediate(m, dwordMask[0])))]);
}

export const vectorShuffles: SemanticsTable = {
  pshufd: bySelector((m) => byImmediate(m, dwords)),
  pshuflw: bySelector((m) => byImmediate(m, lowWords)),
  pshufhw: bySelector((m) => byImmediate(m, highWords)),
  permilps_i: bySelector((m) => byImmediate(m, dwords)),
  permilpd_i: bySelector((m, k) => byImmediate(m, half(qwords, k))),
  permilps: lanewise((_m, a, b) => i8x16.swizzle(a, selectDwords(v128.and(b, lanesConst(32, [3]))))),
  // Bit 1 of each quadword chooses.
  permilpd: lanewise((_m, a, b) =>
    v128.bitselect(shuffleLanes(a, a, 8, [1, 1]), shuffleLanes(a, a, 8, [0, 0]), i64x2.shrS(i64x2.shl(b, w.i32(62)), w.i32(63))),
  ),
  shufps: lanewise((m, a, b) => {
    const selector = m.let(byImmediate(m, dwords));
    return shuffleLanes(i8x16.swizzle(a, selector), i8x16.swizzle(b, selector), 8, [0, 3]);
  }),
  shufpd: lanewise((m, a, b, k) => {
    const selector = m.let(byImmediate(m, half(qwords, k)));
    return shuffleLanes(i8x16.swizzle(a, selector), i8x16.swizzle(b, selector), 8, [0, 3]);
  }),
  pblendw: lanewise(blend(() => wordMask)),
  blendps: lanewise(blend((k) => half(dwordMask, k))),
  pblendd: lanewise(blend((k) => half(dwordMask, k))),
  blendpd: lanewise(blend((k) => half(qwordMask, k))),
  pblendvb: blendBySign(signMasks[8]),
  blendvps: blendBySign(signMasks[32]),
  blendvpd: blendBySign(signMasks[64]),
  perm2f128: permuteHalves,
  permd: permuteDwords,
  permq: permuteQwords,
  insertps,
  movddup: unary((_m, a) => shuffleLanes(a, a, 8, [0, 0])),
  movsldup: unary((_m, a) => shuffleLanes(a, a, 4, [0, 0, 2, 2])),
  movshdup: unary((_m, a) => shuffleLanes(a, a, 4, [1, 1, 3, 3])),
  // MPSADBW: eight sums of four differences; imm bit 2 chooses the first block, bits 1:0 the second (5:3 for the upper half).
  mpsadbw: lanewise((m, a, b, k) => {
    const bits = k === 0 ? immediate(m) : w.shrU(immediate(m), w.i32(3));
    const imm = m.let(bits);
    const from = i8x16.splat(w.and(imm, w.i32(4)));
    const window = (n: number): Value =>
      i8x16.swizzle(
        a,
        i8x16.add(
          from,
          lanesConst(
            8,
            Array.from({ length: 16 }, (_, i) => (i < 8 ? i + n : 0x80)),
          ),
        ),
      );
    const block = m.let(i8x16.swizzle(b, i8x16.add(i8x16.splat(w.shl(w.and(imm, w.i32(3)), w.i32(2))), lanesConst(8, [0, 1, 2, 3]))));
    const difference = (n: number): Value =>
      i16x8.abs(i16x8.sub(i16x8.extendLowU(window(n)), i16x8.extendLowU(i8x16.swizzle(block, lanesConst(8, [n])))));
    return i16x8.add(i16x8.add(difference(0), difference(1)), i16x8.add(difference(2), difference(3)));
  }),
};
