import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';

/** WebAssembly's vector instructions by their names: core specification 2.0, 5.4.9. */

type Op1 = (a: Value) => Value;
type Op2 = (a: Value, b: Value) => Value;
const unop = (n: number): Op1 => (a) => w.simd(n, 'v128', a); // prettier-ignore
const binop = (n: number): Op2 => (a, b) => w.simd(n, 'v128', a, b); // prettier-ignore
const toI32 = (n: number): Op1 => (a) => w.simd(n, 'i32', a); // prettier-ignore
const extract = (n: number, type: 'i32' | 'i64') => (a: Value, lane: number): Value => ({ type, code: [a.code, 0xfd, ...w.uleb(n), lane] }); // prettier-ignore
const replace = (n: number) => (a: Value, lane: number, v: Value): Value => ({ type: 'v128', code: [a.code, v.code, 0xfd, ...w.uleb(n), lane] }); // prettier-ignore

export const v128 = {
  and: binop(78), andnot: binop(79), or: binop(80), xor: binop(81), not: unop(77),
  /** Bits of a where the mask is set, else of b. */
  bitselect: (a: Value, b: Value, mask: Value): Value => w.simd(82, 'v128', a, b, mask),
  anyTrue: toI32(83),
}; // prettier-ignore

export const i8x16 = {
  swizzle: binop(14), splat: unop(15), extractU: extract(22, 'i32'), replace: replace(23),
  eq: binop(35), ltS: binop(37), gtS: binop(39), abs: unop(96), neg: unop(97), bitmask: toI32(100),
  narrowS: binop(101), narrowU: binop(102), shl: binop(107), shrS: binop(108), shrU: binop(109),
  add: binop(110), addSatS: binop(111), addSatU: binop(112), sub: binop(113), subSatS: binop(114), subSatU: binop(115),
  minS: binop(118), minU: binop(119), maxS: binop(120), maxU: binop(121), avgrU: binop(123),
}; // prettier-ignore

export const i16x8 = {
  splat: unop(16), extractU: extract(25, 'i32'), replace: replace(26),
  eq: binop(45), ltS: binop(47), gtS: binop(49), addPairsU: unop(125), abs: unop(128), neg: unop(129), q15mulrSatS: binop(130), bitmask: toI32(132),
  narrowS: binop(133), narrowU: binop(134), extendLowS: unop(135), extendHighS: unop(136), extendLowU: unop(137), extendHighU: unop(138),
  shl: binop(139), shrS: binop(140), shrU: binop(141),
  add: binop(142), addSatS: binop(143), addSatU: binop(144), sub: binop(145), subSatS: binop(146), subSatU: binop(147), mul: binop(149),
  minS: binop(150), minU: binop(151), maxS: binop(152), maxU: binop(153), avgrU: binop(155),
}; // prettier-ignore

export const i32x4 = {
  splat: unop(17), extract: extract(27, 'i32'), replace: replace(28),
  eq: binop(55), ltS: binop(57), gtS: binop(59), addPairsU: unop(127), abs: unop(160), neg: unop(161), bitmask: toI32(164),
  extendLowS: unop(167), extendLowU: unop(169), shl: binop(171), shrS: binop(172), shrU: binop(173),
  add: binop(174), sub: binop(177), mul: binop(181), minS: binop(182), minU: binop(183), maxS: binop(184), maxU: binop(185), dot: binop(186),
  mulLowS: binop(188), mulHighS: binop(189), mulLowU: binop(190), mulHighU: binop(191),
}; // prettier-ignore

export const i64x2 = {
  splat: unop(18), extract: extract(29, 'i64'), replace: replace(30), bitmask: toI32(196),
  extendLowS: unop(199), extendLowU: unop(201), shl: binop(203), shrS: binop(204), shrU: binop(205),
  add: binop(206), sub: binop(209), mul: binop(213), eq: binop(214), gtS: binop(217), mulLowS: binop(220), mulLowU: binop(222),
}; // prettier-ignore

export const v128Const = (bytes: readonly number[]): Value => ({ type: 'v128', code: [0xfd, 12, ...bytes] });
export const zero = v128Const(new Array<number>(16).fill(0));

/** A constant of equal or given lanes, little-endian. */
export function lanesConst(width: 8 | 16 | 32 | 64, lanes: readonly (number | bigint)[]): Value {
  const bytes: number[] = [];
  for (let n = 0; n < 128 / width; n++) {
    const v = BigInt(lanes[n % lanes.length]!);
    for (let b = 0; b < width; b += 8) bytes.push(Number((v >> BigInt(b)) & 0xffn));
  }
  return v128Const(bytes);
}

/** Bytes of a (0-15) and b (16-31) by constant numbers. */
export const shuffle = (a: Value, b: Value, bytes: readonly number[]): Value => ({ type: 'v128', code: [a.code, b.code, 0xfd, 13, ...bytes] });

/** Lanes of `bytes` bytes of a and b by constant numbers. */
export const shuffleLanes = (a: Value, b: Value, bytes: number, lanes: readonly number[]): Value =>
  shuffle(
    a,
    b,
    lanes.flatMap((n) => Array.from({ length: bytes }, (_, k) => n * bytes + k)),
  );

/** Loads of fewer than 16 bytes; the rest is zero. */
export const load64Zero = (address: Value, offset = 0): Value => ({ type: 'v128', code: [address.code, 0xfd, ...w.uleb(93), 0, ...w.uleb(offset)] });
export const load32Zero = (address: Value, offset = 0): Value => ({ type: 'v128', code: [address.code, 0xfd, ...w.uleb(92), 0, ...w.uleb(offset)] });
