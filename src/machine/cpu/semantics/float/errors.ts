import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import type { Lanes } from './lanes.ts';

/**
 * Error-free transformations (Handbook of Floating-Point Arithmetic, 4.3 and 4.4): what a rounded sum or product leaves out is itself a
 * number of the format, computed with the format's own operations rounded to nearest.
 */

/** a + b - s, for s = a + b rounded: TwoSum. Exact unless s overflows. */
export function sumError(m: Emitter, f: Lanes, a: Value, b: Value, s: Value): Value {
  const c = m.let(f.sub(s, a));
  return f.add(f.sub(a, f.sub(s, c)), f.sub(b, c));
}

/** High part of a number, with half of the precision: Veltkamp's splitting. */
function high(m: Emitter, f: Lanes, a: Value): Value {
  const c = m.let(f.mul(a, f.number(2 ** Math.ceil(f.precision / 2) + 1)));
  return m.let(f.sub(c, f.sub(c, a)));
}

/** a * b - p, for p = a * b rounded: Dekker's product. Exact while splitting does not overflow nor the error underflow. */
export function productError(m: Emitter, f: Lanes, a: Value, b: Value, p: Value): Value {
  const ah = high(m, f, a);
  const bh = high(m, f, b);
  const al = m.let(f.sub(a, ah));
  const bl = m.let(f.sub(b, bh));
  const t = m.let(f.add(f.sub(f.mul(ah, bh), p), f.mul(ah, bl)));
  return f.add(f.add(t, f.mul(al, bh)), f.mul(al, bl));
}
