import { add, mul } from '../../float/arithmetic.ts';
import type { Format } from '../../float/format.ts';
import type { Real } from '../../float/real.ts';
import { zero } from '../../float/real.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, immediate, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { i32x4, lanesConst, shuffleLanes } from '../vector/simd.ts';
import { isZero, noDenormal, normal, normalOrZero } from './domain.ts';
import type { Shape } from './elements.ts';
import { elementCount, numbered, shapes } from './elements.ts';
import type { ExactCall } from './exact.ts';
import type { Elementwise } from './instruction.ts';
import { compute, writePacked } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { all, and, not, or } from './lanes.ts';

/**
 * DPPS and DPPD: products of the elements that imm[7:4] selects, added in pairs, then the pairs; the sum goes where imm[3:0] says, zero
 * elsewhere. Each step rounds, and an unmasked exception of one step ends it (SDM Vol. 2, DPPS).
 */

/** Sums of neighbours, rounded to the format. A denormal intermediate is an operand like any other. */
function pairSums(call: ExactCall, f: Format, terms: readonly Real[]): Real[] {
  const { env } = call;
  const operand = (a: Real): Real => (env.daz && a.denormal ? zero(a.sign) : a);
  return Array.from({ length: terms.length / 2 }, (_, n) => add(f, env, operand(terms[2 * n]!), operand(terms[2 * n + 1]!)));
}

/** Mask of the lanes whose bits are set in an i32, lane 0 by bit `from`. */
function laneMask(f: Lanes, imm: Value, from: number): Value {
  const splat = i32x4.splat(imm);
  const bit = f.bytes === 4 ? lanesConst(32, [1, 2, 4, 8].map((b) => b << from)) : lanesConst(32, [1, 1, 2, 2].map((b) => b << from)); // prettier-ignore
  return i32x4.eq(and(splat, bit), bit);
}

function dot(s: Shape): Semantics {
  const { lanes: f, format } = s;
  const number = numbered((count) => (call) => {
    const selected = (n: number): boolean => ((call.x >> (4 + (n % f.count))) & 1) !== 0;
    const product = (n: number): Real => mul(format, call.env, call.real(format, call.a, n), call.real(format, call.b, n));
    let terms = Array.from({ length: count }, (_, n) => (selected(n) ? product(n) : zero(0)));
    for (let width = f.count; width > 1; width /= 2) {
      if (call.endStep()) return;
      terms = pairSums(call, format, terms);
    }
    for (let n = 0; n < count; n++) call.set(format, n, ((call.x >> (n % f.count)) & 1) === 0 ? zero(0) : terms[Math.floor(n / f.count)]!);
  });
  const e: Elementwise = {
    lanes: f,
    packed: true,
    fast: (m, a, b) => {
      const imm = m.let(immediate(m));
      const taken = m.let(laneMask(f, imm, 4));
      const product = m.let(f.mul(a!, b!));
      const exactZero = and(isZero(f, product), or(isZero(f, a!), isZero(f, b!)));
      const fine = m.let(all(or(normal(f, product), exactZero), noDenormal(f, a!), noDenormal(f, b!)));
      let good: Value = or(fine, not(taken));
      let sum: Value = m.let(and(product, taken));
      // All lanes get the sum: a + b and b + a are the same.
      for (let distance = 1; distance < f.count; distance *= 2) {
        const other = shuffleLanes(sum, sum, f.bytes, Array.from({ length: f.count }, (_, n) => n ^ distance)); // prettier-ignore
        sum = m.let(f.add(sum, m.let(other)));
        good = m.let(and(good, normalOrZero(f, sum)));
      }
      return { result: and(sum, laneMask(f, imm, 0)), good, rounds: { mode: 'nearest' } };
    },
    exact: (bytes) => number(elementCount(s, bytes)),
  };
  return (m) => {
    requireVectors(m);
    const b = lastSource(m);
    const a = firstSource(m);
    writePacked(m, vectorOperand(m, 0, 'write'), compute(m, e, [a, b], w.and(immediate(m), w.i32(0xff))));
  };
}

export const dots: SemanticsTable = { dpps: dot(shapes[0]!), dppd: dot(shapes[1]!) };
