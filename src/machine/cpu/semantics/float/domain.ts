import type { Value } from '../../wasm/value.ts';
import type { Lanes } from './lanes.ts';
import { and, or } from './lanes.ts';

/**
 * Which operands and results a fast path may have, as masks of lanes. A number without its sign bit, shifted left by one, is ordered as it
 * is encoded: zero, denormals, normal numbers, infinity, NaNs. One subtraction and one signed comparison then test for a range.
 */

const signBit = (f: Lanes): bigint => 1n << BigInt(f.bytes * 8 - 1);
/** The smallest normal number and infinity, shifted so. */
const smallest = (f: Lanes): bigint => 1n << BigInt(f.precision);
const infinite = (f: Lanes): bigint => (1n << BigInt(f.bytes * 8)) - smallest(f);

const doubled = (f: Lanes, v: Value): Value => f.intAdd(v, v);

/** low <= doubled bits < high, or above both ends when high is not given. Zero counts as the largest when low is 1 or more. */
const within = (f: Lanes, v: Value, low: bigint, high: bigint): Value =>
  f.intLt(f.intAdd(doubled(f, v), f.splat(signBit(f) - low)), f.splat(high - low + signBit(f)));

/** The smallest normal number. */
const SMALLEST = { f32: 2 ** -126, f64: 2 ** -1022 } as const;

/** A normal number or infinite: what operands mostly are. */
export const ordinary = (f: Lanes, v: Value): Value => f.ge(f.abs(v), f.number(SMALLEST[f.name]));

/** The same of operands, and of a result that it is neither infinite nor the smallest normal number; so it is finite, and no NaN came in. */
export const likelyRight = (f: Lanes, result: Value, ...operands: readonly Value[]): Value => {
  const least = [result, ...operands].map((v) => f.abs(v)).reduce((a, b) => f.pmin(a, b));
  return and(f.gt(least, f.number(SMALLEST[f.name])), f.lt(f.abs(result), f.number(Infinity)));
};

/** No denormal number: DE cannot be raised, and DAZ makes no difference. */
export const noDenormal = (f: Lanes, v: Value): Value =>
  f.intGe(f.intAdd(doubled(f, v), f.splat(signBit(f) - 1n)), f.splat(smallest(f) - 1n + signBit(f)));

/** A normal, finite number above the smallest one: neither overflow nor underflow was near. */
export const normal = (f: Lanes, v: Value): Value => within(f, v, smallest(f) + 2n, infinite(f));

export const isZero = (f: Lanes, v: Value): Value => f.eq(v, f.splat(0n));
export const normalOrZero = (f: Lanes, v: Value): Value => or(normal(f, v), isZero(f, v));

/** No NaN. */
export const ordered = (f: Lanes, v: Value): Value => f.eq(v, v);

/** 2^low <= |v| < 2^high, for exponents of normal numbers. */
export function magnitude(f: Lanes, v: Value, low: number, high: number): Value {
  const bias = f.bytes === 4 ? 127 : 1023;
  const at = (exponent: number): bigint => BigInt(exponent + bias) << BigInt(f.precision);
  return within(f, v, at(low), at(high));
}
