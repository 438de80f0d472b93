import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, halves, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { load, writePacked, writeScalar } from './instruction.ts';
import { and, choose, F32, or, xor } from './lanes.ts';

/**
 * RCPPS, RSQRTPS: approximations with a relative error of at most 1.5 * 2^-12 (SDM Vol. 2, RCPPS); which one is the processor's own matter. Here
 * it is the quotient of single precision, rounded to 12 bits. MXCSR does not count: denormals are zeros, tiny results become zero, nothing is raised.
 */

const f = F32;
const SIGN = 0x8000_0000n;
const QUIET = 0x0040_0000n;
const INDEFINITE = 0xffc0_0000n;
const SMALLEST = 2 ** -126;

const sign = (v: Value): Value => and(v, f.splat(SIGN));

/** Rounds the significand to 12 bits, and flushes tiny results. */
const shortened = (v: Value): Value => choose(f.gt(f.abs(v), f.number(SMALLEST)), and(f.intAdd(v, f.splat(0x800n)), f.splat(0xffff_f000n)), sign(v));

/** Denormals as zeros of their sign. */
const flushed = (m: Emitter, v: Value): Value => m.let(choose(f.lt(f.abs(v), f.number(SMALLEST)), sign(v), v));

/** A NaN as a quiet one, other results as computed. */
const orNan = (v: Value, result: Value): Value => choose(f.eq(v, v), result, or(v, f.splat(QUIET)));

function reciprocal(m: Emitter, v: Value): Value {
  return orNan(v, m.let(shortened(m.let(f.div(f.number(1), flushed(m, v))))));
}

function reciprocalRoot(m: Emitter, v: Value): Value {
  const a = flushed(m, v);
  // A zero's sign stays; of a negative number there is no root.
  const positive = m.let(shortened(m.let(f.div(f.number(1), m.let(f.sqrt(f.abs(a)))))));
  const signed = choose(f.lt(a, f.splat(0n)), f.splat(INDEFINITE), xor(positive, sign(a)));
  return orNan(v, m.let(signed));
}

const forms = (name: string, approximate: (m: Emitter, v: Value) => Value): Record<string, Semantics> => ({
  [`${name}ps`]: (m) => {
    requireVectors(m);
    const a = lastSource(m);
    const results = halves(m).map((k) => m.let(approximate(m, m.let(a.v128(k)))));
    writePacked(m, vectorOperand(m, 0, 'write'), results);
  },
  [`${name}ss`]: (m) => {
    requireVectors(m);
    const a = lastSource(m);
    const upper = firstSource(m);
    const result = m.let(approximate(m, m.let(load(f, false, a, 0))));
    writeScalar(m, f.bytes, vectorOperand(m, 0, 'write'), result, upper);
  },
});

export const approximations: SemanticsTable = { ...forms('rcp', reciprocal), ...forms('rsqrt', reciprocalRoot) };
