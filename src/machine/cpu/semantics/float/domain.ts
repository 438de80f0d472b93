import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import type { Lanes } from './lanes.ts';
import { all, and, or } from './lanes.ts';

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

/** What is found out of a result and its operands, cheaply: the constants are shared, and nothing is computed before it is needed. */
export interface Examined {
  /** No operand is zero, denormal, infinite or a NaN, and the result is an ordinary number. */
  readonly likely: Value;
  /**
   * Neither overflow nor underflow was near, and no operand was denormal.
   * @param zero where a result of zero is right
   */
  good(zero: Value): Value;
}

/** The result is looked at for being finite, which says that no NaN and (but for a divisor) no infinity came in. */
export function examine(m: Emitter, f: Lanes, result: Value, ...operands: readonly Value[]): Examined {
  const smallest = m.let(f.number(SMALLEST[f.name]));
  const size = m.let(f.abs(result));
  const sizes = operands.map((v) => m.let(f.abs(v)));
  const finite = m.let(f.lt(size, f.number(Infinity)));
  return {
    likely: and(
      finite,
      f.gt(
        [size, ...sizes].reduce<Value>((a, b) => f.pmin(a, b), size),
        smallest,
      ),
    ),
    good: (zero) => all(finite, or(f.gt(size, smallest), zero), ...operands.map((v, n) => or(f.ge(sizes[n]!, smallest), isZero(f, v)))),
  };
}

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
