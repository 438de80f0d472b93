import { add, div, mul, sqrt, sub } from '../../float/arithmetic.ts';
import * as quick from '../../float/fast.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { isZero, likelyRight, magnitude, noDenormal, normal, normalOrZero } from './domain.ts';
import type { Operation, UnaryOperation } from './elements.ts';
import { binaryInstruction, family, unaryInstruction } from './elements.ts';
import { productError, productRange, sumError } from './errors.ts';
import type { Rounds } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { all, and, or } from './lanes.ts';

/** ADD, SUB, MUL, DIV, SQRT. A normal result says that no operand was a NaN or infinite. */

const nearest = (exact: () => Value): Rounds<Value> => ({ mode: 'nearest', exact });

export const addition: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.add(a, b));
    // A sum of zero is exact; one of unlike signs is +0 when rounded to nearest.
    return {
      result: r,
      likely: likelyRight(f, r, a, b),
      good: all(normalOrZero(f, r), noDenormal(f, a), noDenormal(f, b)),
      rounds: nearest(() => isZero(f, m.let(sumError(m, f, a, b, r)))),
    };
  },
  exact: add,
  quick: { f32: quick.add32, f64: quick.add64 },
};

export const subtraction: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.sub(a, b));
    const negated = (): Value => m.let(f.sub(f.splat(0n), b));
    return {
      result: r,
      likely: likelyRight(f, r, a, b),
      good: all(normalOrZero(f, r), noDenormal(f, a), noDenormal(f, b)),
      rounds: nearest(() => isZero(f, m.let(sumError(m, f, a, negated(), r)))),
    };
  },
  exact: sub,
  quick: { f32: (a, b) => quick.add32(a, -b), f64: (a, b) => quick.add64(a, -b) },
};

/** Lanes in which p = a * b is exact, as far as that can be told. */
function productIsExact(m: Emitter, f: Lanes, a: Value, b: Value, p: Value): Value {
  const { factor, product } = productRange(f);
  const inRange = all(magnitude(f, a, -factor, factor), magnitude(f, b, -factor, factor), magnitude(f, p, product, factor));
  return and(m.let(inRange), isZero(f, m.let(productError(m, f, a, b, p))));
}

export const multiplication: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.mul(a, b));
    const zero = m.let(and(isZero(f, r), or(isZero(f, a), isZero(f, b))));
    return {
      result: r,
      likely: likelyRight(f, r, a, b),
      good: all(or(normal(f, r), zero), noDenormal(f, a), noDenormal(f, b)),
      rounds: nearest(() => or(zero, productIsExact(m, f, a, b, r))),
    };
  },
  exact: mul,
  quick: { f32: quick.mul32, f64: quick.mul64 },
};

export const division: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.div(a, b));
    const zero = m.let(and(isZero(f, r), isZero(f, a)));
    return {
      result: r,
      likely: likelyRight(f, r, a, b),
      good: all(or(normal(f, r), zero), noDenormal(f, a), noDenormal(f, b)),
      rounds: nearest(() => or(zero, and(f.eq(m.let(f.mul(r, b)), a), productIsExact(m, f, r, b, a)))),
    };
  },
  exact: div,
  quick: { f32: quick.div32, f64: quick.div64 },
};

export const root: UnaryOperation = {
  fast(m, f, a) {
    const r = m.let(f.sqrt(a));
    return {
      result: r,
      likely: likelyRight(f, r, a),
      good: and(normalOrZero(f, r), noDenormal(f, a)),
      rounds: nearest(() => or(isZero(f, r), and(f.eq(m.let(f.mul(r, r)), a), productIsExact(m, f, r, r, a)))),
    };
  },
  exact: sqrt,
  quick: { f32: quick.sqrt32, f64: quick.sqrt64 },
};

export const arithmetic: SemanticsTable = {
  ...family('add', (s) => binaryInstruction(s, addition)),
  ...family('sub', (s) => binaryInstruction(s, subtraction)),
  ...family('mul', (s) => binaryInstruction(s, multiplication)),
  ...family('div', (s) => binaryInstruction(s, division)),
  ...family('sqrt', (s) => unaryInstruction(s, root)),
};
