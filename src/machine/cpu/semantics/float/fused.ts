import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import { isZero, magnitude, noDenormal, normal } from './domain.ts';
import { productError, sumError } from './errors.ts';
import type { Fast } from './instruction.ts';
import { all, and, andNot, convert, F32, F64, highHalf, lowHalves, or, xor } from './lanes.ts';

/**
 * a * b + c, rounded once. WebAssembly has no such operation, so it is made of others: what is added last is an intermediate "rounded to odd",
 * whose last bit says that something lies below it; then the last rounding is the only one that counts (Boldo and Melquiond, Emulation of FMA and
 * correctly rounded sums, 2008).
 */

/** a + b rounded to odd, of f64 lanes, and what that lacks. */
function oddSum(m: Emitter, a: Value, b: Value): { readonly sum: Value; readonly error: Value } {
  const f = F64;
  const s = m.let(f.add(a, b));
  const error = m.let(sumError(m, f, a, b, s));
  const one = f.splat(1n);
  // An inexact sum that is even moves to its odd neighbour, in the direction of the error.
  const moves = andNot(f.ne(error, f.splat(0n)), f.intEq(and(s, one), one));
  const step = or(f.shrS(xor(error, s), 63), one);
  return { sum: m.let(f.intAdd(s, and(moves, step))), error };
}

/** f32 lanes. The product is exact in f64, which also has the room to round to odd. `scalar`: the lower half is enough. */
export function fusedSingle(m: Emitter, scalar: boolean, a: Value, b: Value, c: Value): Fast {
  const halves = (scalar ? [(v: Value): Value => v] : [(v: Value): Value => v, highHalf]).map((half) => {
    const [x, y, z] = [a, b, c].map((v) => m.let(convert.promoteLow(half(v))));
    const { sum, error } = oddSum(m, m.let(F64.mul(x!, y!)), z!);
    const result = m.let(convert.demote(sum));
    const back = m.let(convert.promoteLow(result));
    const good = m.let(or(magnitude(F64, back, -125, 128), isZero(F64, sum)));
    return { result, good, exact: (): Value => and(F64.eq(back, sum), isZero(F64, error)) };
  });
  // Masks of two f64 lanes stand for the f32 lanes beside each other: only whether all are set counts.
  return {
    result: scalar ? halves[0]!.result : lowHalves(halves[0]!.result, halves[1]!.result),
    good: all(...halves.map((h) => h.good), ...[a, b, c].map((v) => noDenormal(F32, v))),
    rounds: { mode: 'nearest', exact: () => all(...halves.map((h) => h.exact())) },
  };
}

/** f64 lanes. Exponents are kept to where the product's error and all sums are exact. */
export function fusedDouble(m: Emitter, a: Value, b: Value, c: Value): Fast {
  const f = F64;
  const between = (v: Value, low: number, high: number): Value => or(magnitude(f, v, low, high), isZero(f, v));
  const product = m.let(f.mul(a, b));
  const low = m.let(productError(m, f, a, b, product));
  const t = m.let(f.add(c, low));
  const tError = m.let(sumError(m, f, c, low, t));
  const v = m.let(f.add(product, t));
  const vError = m.let(sumError(m, f, product, t, v));
  const { sum, error } = oddSum(m, tError, vError);
  const result = m.let(f.add(v, sum));
  const sizes = [a, b, c].map((x) => f.abs(x));
  const least = sizes.reduce((x, y) => f.pmin(x, y));
  const greatest = sizes.reduce((x, y) => f.pmax(x, y));
  return {
    result,
    likely: all(f.ge(least, f.number(2 ** -480)), f.lt(greatest, f.number(2 ** 480)), f.gt(f.abs(result), f.number(2 ** -1022))),
    good: all(normal(f, result), between(a, -480, 480), between(b, -480, 480), between(c, -900, 960)),
    rounds: { mode: 'nearest', exact: () => and(isZero(f, error), isZero(f, m.let(sumError(m, f, v, sum, result)))) },
  };
}
