import { convert as convertReal, fromInteger, toInteger } from '../../float/convert.ts';
import { Rounding } from '../../float/environment.ts';
import type { Format } from '../../float/format.ts';
import { f32, f64 } from '../../float/format.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, halves, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { isZero, magnitude, noDenormal, ordered } from './domain.ts';
import { numbered } from './elements.ts';
import type { Exact } from './exact.ts';
import type { Attempt, Fast } from './instruction.ts';
import { addressOf, settle, writePacked, writeScalar } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { allTrue, all, and, convert, F32, F64, highHalf, loadSplat, lowHalves, or } from './lanes.ts';

/** Conversions between vectors: SDM Vol. 1, 11.4.4. What does not fit a doubleword becomes the integer indefinite, with IE. */

const every = (f: Lanes, masks: readonly Value[]): Value => allTrue(f, all(...masks));

// ---- by the exact core

export const exactFormats = (from: Format, to: Format): ((count: number) => Exact) => (count) => (call) => {
  if (to !== f64) call.clear();
  for (let n = 0; n < count; n++) call.set(to, n, convertReal(to, call.env, call.real(from, call.a, n)));
}; // prettier-ignore

export const exactToIntegers = (from: Format, bits: 32 | 64, truncates: boolean): ((count: number) => Exact) => (count) => (call) => {
  call.clear();
  const { env } = call;
  for (let n = 0; n < count; n++)
    call.setInteger(bits, n, toInteger(env, call.real(from, call.a, n), bits, true, truncates ? Rounding.zero : env.rounding));
}; // prettier-ignore

export const exactFromIntegers = (to: Format, bits: 32 | 64): ((count: number) => Exact) => (count) => (call) => {
  // The operand may lie where the result goes.
  const values = Array.from({ length: count }, (_, n) => call.integer(bits, call.a, n));
  for (const [n, v] of values.entries()) call.set(to, n, fromInteger(to, call.env, v));
}; // prettier-ignore

// ---- by WebAssembly

/** Two f32 as f64. */
const widened = (v: Value): Fast => ({ result: convert.promoteLow(v), good: and(ordered(F32, v), noDenormal(F32, v)) });

/** Two f64 as f32; the results' upper half is zero, masks are of f64 lanes. Results at the lower end are left to the exact core. */
export function narrowed(m: Emitter, v: Value): Fast {
  const result = m.let(convert.demote(v));
  const back = m.let(convert.promoteLow(result));
  return {
    result,
    good: or(magnitude(F64, back, -125, 128), isZero(F64, v)),
    rounds: { mode: 'nearest', exact: () => F64.eq(back, v) },
  };
}

/** Lanes as doublewords; of f64 lanes the results' upper half is zero. */
export function integers(m: Emitter, f: Lanes, v: Value, truncates: boolean): Fast {
  const whole = m.let(f.integral[truncates ? Rounding.zero : Rounding.nearest](v));
  return {
    result: (f === F32 ? convert.f32ToI32 : convert.f64ToI32)(whole),
    good: f.lt(f.abs(whole), f.number(2 ** 31)),
    rounds: { mode: truncates ? 'any' : 'nearest', exact: () => f.eq(whole, v) },
  };
}

/** Doublewords as f32: exact up to 24 bits. */
export const floats = (v: Value): Fast => ({
  result: convert.i32ToF32(v),
  good: F32.splat(-1n),
  rounds: {
    mode: 'nearest',
    exact: () => F32.intEq(F32.shrU(F32.intAdd(v, F32.splat(1n << 24n)), 25), F32.splat(0n)),
  },
});

/** All pieces as one attempt; `narrow`: two of them fit 16 bytes. */
function joined(f: Lanes, pieces: readonly Fast[], results: readonly Value[]): Attempt {
  const { rounds } = pieces[0]!;
  const exact = rounds?.exact && ((): Value => every(f, pieces.map((p) => p.rounds!.exact!()))); // prettier-ignore
  return { results, good: every(f, pieces.map((p) => p.good)), rounds: rounds && { mode: rounds.mode, exact } }; // prettier-ignore
}

/** Lanes to as many lanes of the same size, or half of it. */
function packedConversion(f: Lanes, convertOne: (m: Emitter, v: Value) => Fast, exact: (count: number) => Exact, narrow: boolean): Semantics {
  const number = numbered(exact);
  return (m) => {
    requireVectors(m);
    const source = lastSource(m);
    const pieces = halves(m).map((k) => {
      const piece = convertOne(m, m.let(source.v128(k)));
      return { ...piece, result: m.let(piece.result) };
    });
    const results = pieces.map((p) => p.result);
    const attempt = joined(f, pieces, narrow && results.length === 2 ? [lowHalves(results[0]!, results[1]!)] : results);
    writePacked(m, vectorOperand(m, 0, 'write'), settle(m, attempt, number(m.vectorBytes / f.bytes), addressOf(source)));
  };
}

/** A source of half the vector's size, its lanes converted to ones of double size. */
function widening(convertTwo: (v: Value) => Fast, exact: ((count: number) => Exact) | undefined): Semantics {
  const number = exact && numbered(exact);
  return (m) => {
    requireVectors(m);
    const source = lastSource(m);
    const wide = m.vectorBytes === 32;
    const v = m.let(wide ? source.v128() : loadSplat(8, source.address, source.offset));
    const pieces = (wide ? [v, m.let(highHalf(v))] : [v]).map(convertTwo);
    const results = pieces.map((p) => p.result);
    const d = vectorOperand(m, 0, 'write');
    if (number) writePacked(m, d, settle(m, joined(F32, pieces, results), number(m.vectorBytes / 8), addressOf(source)));
    else writePacked(m, d, results.map((r) => m.let(r))); // prettier-ignore
  };
}

/** One element to the other format; the lanes above as in all scalar instructions. */
function scalar(from: Lanes, to: Lanes, convertOne: (m: Emitter, v: Value) => Fast, exact: (count: number) => Exact): Semantics {
  const number = numbered(exact);
  return (m) => {
    requireVectors(m);
    const source = lastSource(m);
    const upper = firstSource(m);
    const piece = convertOne(m, m.let(loadSplat(from.bytes, source.address, source.offset)));
    const [result] = settle(m, joined(from, [piece], [piece.result]), number(1), addressOf(source));
    writeScalar(m, to.bytes, vectorOperand(m, 0, 'write'), result!, upper);
  };
}

const toDoublewords = (f: Lanes, from: Format, truncates: boolean): Semantics =>
  packedConversion(f, (m, v) => integers(m, f, v, truncates), exactToIntegers(from, 32, truncates), f === F64);

export const conversions: SemanticsTable = {
  cvtps2pd: widening(widened, exactFormats(f32, f64)),
  cvtpd2ps: packedConversion(F64, narrowed, exactFormats(f64, f32), true),
  cvtss2sd: scalar(F32, F64, (_m, v) => widened(v), exactFormats(f32, f64)),
  cvtsd2ss: scalar(F64, F32, narrowed, exactFormats(f64, f32)),
  cvtdq2ps: packedConversion(F32, (_m, v) => floats(v), exactFromIntegers(f32, 32), false),
  cvtdq2pd: widening((v) => ({ result: convert.lowI32ToF64(v), good: w.i32(1) }), undefined),
  cvtps2dq: toDoublewords(F32, f32, false),
  cvttps2dq: toDoublewords(F32, f32, true),
  cvtpd2dq: toDoublewords(F64, f64, false),
  cvttpd2dq: toDoublewords(F64, f64, true),
};
