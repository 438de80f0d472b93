import { add, div, mul, sqrt, sub } from '../../float/arithmetic.ts';
import * as quick from '../../float/fast.ts';
import type { Value } from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { examine, isZero } from './domain.ts';
import type { Operation, UnaryOperation } from './elements.ts';
import { binaryInstruction, family, unaryInstruction } from './elements.ts';
import { sumError } from './errors.ts';
import type { Rounds } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { and, or } from './lanes.ts';

/** ADD, SUB, MUL, DIV, SQRT. A normal result says that no operand was a NaN or infinite. */

const nearest = (exact: () => Value): Rounds<Value> => ({ mode: 'nearest', exact });

export const addition: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.add(a, b));
    const { likely, good } = examine(m, f, r, a, b);
    // A sum of zero is exact; one of unlike signs is +0 when rounded to nearest.
    return { result: r, likely, good: good(isZero(f, r)), rounds: nearest(() => isZero(f, sumError(m, f, a, b, r))) };
  },
  exact: add,
  quick: { f32: quick.add32, f64: quick.add64 },
};

export const subtraction: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.sub(a, b));
    const { likely, good } = examine(m, f, r, a, b);
    const negated = (): Value => m.let(f.sub(f.splat(0n), b));
    return { result: r, likely, good: good(isZero(f, r)), rounds: nearest(() => isZero(f, sumError(m, f, a, negated(), r))) };
  },
  exact: sub,
  quick: { f32: (a, b) => quick.add32(a, -b), f64: (a, b) => quick.add64(a, -b) },
};

/**
 * Lanes whose product is exact because neither factor uses the lower half of its precision: whole numbers and the like. Whoever computes with
 * others will soon have set PE.
 */
const productIsExact = (f: Lanes, a: Value, b: Value): Value =>
  f.intEq(and(or(a, b), f.splat((1n << BigInt(Math.ceil(f.precision / 2))) - 1n)), f.splat(0n));

export const multiplication: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.mul(a, b));
    const { likely, good } = examine(m, f, r, a, b);
    const zero = and(isZero(f, r), or(isZero(f, a), isZero(f, b)));
    return { result: r, likely, good: good(zero), rounds: nearest(() => or(zero, productIsExact(f, a, b))) };
  },
  exact: mul,
  quick: { f32: quick.mul32, f64: quick.mul64 },
};

export const division: Operation = {
  fast(m, f, a, b) {
    const r = m.let(f.div(a, b));
    const { likely, good } = examine(m, f, r, a, b);
    const zero = and(isZero(f, r), isZero(f, a));
    return { result: r, likely, good: good(zero), rounds: nearest(() => or(zero, and(f.eq(f.mul(r, b), a), productIsExact(f, r, b)))) };
  },
  exact: div,
  quick: { f32: quick.div32, f64: quick.div64 },
};

export const root: UnaryOperation = {
  fast(m, f, a) {
    const r = m.let(f.sqrt(a));
    const { likely, good } = examine(m, f, r, a);
    const zero = isZero(f, r);
    return { result: r, likely, good: good(zero), rounds: nearest(() => or(zero, and(f.eq(f.mul(r, r), a), productIsExact(f, r, r)))) };
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
