import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { lanesConst, shuffle, v128 } from '../vector/simd.ts';

/** Vector operations on lanes of one floating-point format, by their numbers in the WebAssembly core specification (2.0, 5.4.9). */

type Unary = (a: Value) => Value;
type Binary = (a: Value, b: Value) => Value;

const unary = (op: number): Unary => (a) => w.simd(op, 'v128', a); // prettier-ignore
const binary = (op: number): Binary => (a, b) => w.simd(op, 'v128', a, b); // prettier-ignore

export const { and, andnot: andNot, or, xor, not } = v128;
/** Bits of a where the mask is set, else of b. */
export const choose = (mask: Value, a: Value, b: Value): Value => v128.bitselect(a, b, mask);
export const all = (...masks: readonly Value[]): Value => masks.reduce(and);

/** One lane of a vector, stored. */
export const storeLane = (bytes: 4 | 8, address: Value, v: Value, offset: number): w.Code =>
  [address.code, v.code, 0xfd, bytes === 4 ? 90 : 91, 0, ...w.uleb(offset), 0]; // prettier-ignore
/** A value from memory, in all lanes. */
export const loadSplat = (bytes: 4 | 8, address: Value, offset: number): Value => ({
  type: 'v128',
  code: [address.code, 0xfd, bytes === 4 ? 9 : 10, 0, ...w.uleb(offset)],
});

/** A floating-point format as lanes, with what a fast path must know of its encoding. */
export interface Lanes {
  readonly name: 'f32' | 'f64';
  readonly bytes: 4 | 8;
  /** Lanes in 16 bytes. */
  readonly count: 4 | 2;
  readonly precision: number;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  readonly sqrt: Unary;
  /** b < a ? b : a, and a < b ? b : a, bit for bit. */
  readonly pmin: Binary;
  readonly pmax: Binary;
  readonly abs: Unary;
  readonly eq: Binary;
  readonly ne: Binary;
  readonly lt: Binary;
  readonly gt: Binary;
  readonly ge: Binary;
  /** To a whole number, by MXCSR.RC's encoding. */
  readonly integral: readonly [Unary, Unary, Unary, Unary];
  /** The same lanes as signed integers. */
  readonly intAdd: Binary;
  readonly intSub: Binary;
  readonly intEq: Binary;
  readonly intLt: Binary;
  readonly intGe: Binary;
  /** By a constant count. */
  readonly shl: (a: Value, count: number) => Value;
  readonly shrS: (a: Value, count: number) => Value;
  readonly shrU: (a: Value, count: number) => Value;
  /** i32: the lanes' sign bits. */
  readonly bitmask: Unary;
  /** The same bits in all lanes. */
  splat(bits: bigint): Value;
  /** The same number in all lanes. */
  number(n: number): Value;
}

/** i32: whether a mask is set in all lanes, and whether it is not. */
export const allTrue = (f: Lanes, mask: Value): Value => w.eq(f.bitmask(mask), w.i32((1 << f.count) - 1));
export const notAll = (f: Lanes, mask: Value): Value => w.ne(f.bitmask(mask), w.i32((1 << f.count) - 1));

const shift = (op: number) => (a: Value, count: number): Value => w.simd(op, 'v128', a, w.i32(count)); // prettier-ignore
const test = (op: number): Unary => (a) => w.simd(op, 'i32', a); // prettier-ignore
const bitsOf = (n: number): bigint => new BigUint64Array(Float64Array.of(n).buffer)[0]!;
const bitsOf32 = (n: number): bigint => BigInt(new Uint32Array(Float32Array.of(n).buffer)[0]!);
const splat32 = (bits: bigint): Value => lanesConst(32, [bits]);
const splat64 = (bits: bigint): Value => lanesConst(64, [bits]);

export const F32: Lanes = {
  name: 'f32', bytes: 4, count: 4, precision: 24,
  add: binary(228), sub: binary(229), mul: binary(230), div: binary(231), sqrt: unary(227), pmin: binary(234), pmax: binary(235), abs: unary(224),
  eq: binary(65), ne: binary(66), lt: binary(67), gt: binary(68), ge: binary(70),
  integral: [unary(106), unary(104), unary(103), unary(105)],
  intAdd: binary(174), intSub: binary(177), intEq: binary(55), intLt: binary(57), intGe: binary(63),
  shl: shift(171), shrS: shift(172), shrU: shift(173), bitmask: test(164),
  splat: splat32,
  number: (n) => splat32(bitsOf32(n)),
}; // prettier-ignore

export const F64: Lanes = {
  name: 'f64', bytes: 8, count: 2, precision: 53,
  add: binary(240), sub: binary(241), mul: binary(242), div: binary(243), sqrt: unary(239), pmin: binary(246), pmax: binary(247), abs: unary(236),
  eq: binary(71), ne: binary(72), lt: binary(73), gt: binary(74), ge: binary(76),
  integral: [unary(148), unary(117), unary(116), unary(122)],
  intAdd: binary(206), intSub: binary(209), intEq: binary(214), intLt: binary(216), intGe: binary(219),
  shl: shift(203), shrS: shift(204), shrU: shift(205), bitmask: test(196),
  splat: splat64,
  number: (n) => splat64(bitsOf(n)),
}; // prettier-ignore

/** Conversions between lanes. */
export const convert = {
  /** The two low f32 lanes as f64. */
  promoteLow: unary(95),
  /** Two f64 lanes as f32; the high half is zero. */
  demote: unary(94),
  i32ToF32: unary(250),
  lowI32ToF64: unary(254),
  /** Toward zero, saturating; NaN is 0. */
  f32ToI32: unary(248),
  f64ToI32: unary(252),
} as const;

export const highHalf = (v: Value): Value => shuffle(v, v, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
/** The low halves of two vectors. */
export const lowHalves = (a: Value, b: Value): Value => shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
