import { roundToIntegral } from '../../float/convert.ts';
import { Rounding } from '../../float/environment.ts';
import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, immediate, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { i32x4 } from '../vector/simd.ts';
import { noDenormal, ordered } from './domain.ts';
import type { Shape } from './elements.ts';
import { family, unaryElements, write } from './elements.ts';
import type { Fast } from './instruction.ts';
import { compute } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { and, or } from './lanes.ts';

/** ROUNDPS and its like. The immediate: bits 1:0 the rounding mode, 2 MXCSR.RC's instead, 3 no PE (SDM Vol. 2, figure 4-24). */
const BY_MXCSR = 4;
const QUIET = 8;

/** i32: the rounding mode. */
function modeOf(m: Emitter, imm: Value): Value {
  const rc = w.and(w.shrU(w.load32(m.c, L.MXCSR), w.i32(13)), w.i32(3));
  return w.select(w.and(imm, w.i32(BY_MXCSR)), rc, w.and(imm, w.i32(3)));
}

/** Whole numbers by a mode that is known only when it runs. */
function byMode(m: Emitter, f: Lanes, v: Value, mode: Value): Local {
  const result = m.f.temp('v128');
  const set = (rounding: number) => (): void => m.f.set(result, f.integral[rounding as 0](v));
  m.f.if(
    w.and(mode, w.i32(2)),
    () => m.f.if(w.and(mode, w.i32(1)), set(Rounding.zero), set(Rounding.up)),
    () => m.f.if(w.and(mode, w.i32(1)), set(Rounding.down), set(Rounding.nearest)),
  );
  return result;
}

function rounded(m: Emitter, f: Lanes, v: Value): Fast {
  const known = m.knownImmByte;
  const imm = m.let(immediate(m));
  const result = known !== undefined && (known & BY_MXCSR) === 0 ? m.let(f.integral[(known & 3) as 0](v)) : byMode(m, f, v, m.let(modeOf(m, imm)));
  const quiet = (): Value => i32x4.splat(w.sub(w.i32(0), w.and(w.shrU(imm, w.i32(3)), w.i32(1))));
  return {
    result,
    good: and(ordered(f, v), noDenormal(f, v)),
    rounds: known !== undefined && (known & QUIET) !== 0 ? undefined : { mode: 'any', exact: () => or(f.eq(result, v), quiet()) },
  };
}

function instruction(s: Shape): Semantics {
  const e = unaryElements(s, {
    fast: rounded,
    exact: (_f, env, a, x) => roundToIntegral(env, a, (x & BY_MXCSR) !== 0 ? env.rounding : x & 3, (x & QUIET) === 0),
  });
  return (m) => {
    requireVectors(m);
    const a = lastSource(m);
    const upper = firstSource(m);
    const d = vectorOperand(m, 0, 'write');
    write(m, s, d, compute(m, e, [a], immediate(m)), upper);
  };
}

export const roundings: SemanticsTable = family('round', instruction);
