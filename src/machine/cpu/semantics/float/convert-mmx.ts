import type { Format } from '../../float/format.ts';
import { f32, f64 } from '../../float/format.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { VectorPlace } from '../../tiers/vector-place.ts';
import { enterMmx, requireNoPendingX87, setMmx } from '../vector/mmx-state.ts';
import { requireVectors, vectorOperand } from '../vector/operands.ts';
import { i64x2 } from '../vector/simd.ts';
import { exactFromIntegers, exactToIntegers, floats, integers } from './convert.ts';
import { numbered } from './elements.ts';
import { addressOf, settle } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { allTrue, convert, F32, F64, loadSplat } from './lanes.ts';

/** Conversions between two elements of a vector and an MMX register: SDM Vol. 1, 11.6.7 and 12.8.4 for what they do to the x87 state. */

const fromDoublewords = numbered(exactFromIntegers(f32, 32));

function toMmx(f: Lanes, format: Format, truncates: boolean): Semantics {
  const number = numbered(exactToIntegers(format, 32, truncates));
  return (m) => {
    requireVectors(m);
    requireNoPendingX87(m);
    const source = vectorOperand(m, 1);
    const d = vectorOperand(m, 0, 'write');
    const v = m.let(f === F32 ? loadSplat(8, source.address, source.offset) : source.v128());
    const { result, good, rounds } = integers(m, f, v, truncates);
    const attempt = { results: [result], good: allTrue(f, good), rounds: { mode: rounds!.mode, exact: () => allTrue(f, rounds!.exact!()) } };
    enterMmx(m); // before an exception of the conversion, too
    const [settled] = settle(m, attempt, number(2), addressOf(source));
    setMmx(m, d, i64x2.extract(settled!, 0));
  };
}

/** The doublewords to be converted. Only an MMX register has to do with the x87 state: processors leave that alone when they come from memory. */
function doublewords(m: Emitter): VectorPlace {
  requireVectors(m);
  if (!m.isMemory(1)) {
    requireNoPendingX87(m);
    enterMmx(m);
  }
  return vectorOperand(m, 1);
}

export const mmxConversions: SemanticsTable = {
  cvtpi2ps(m) {
    const source = doublewords(m);
    const { result, rounds } = floats(m.let(loadSplat(8, source.address, source.offset)));
    const attempt = { results: [result], good: w.i32(1), rounds: { mode: rounds!.mode, exact: () => allTrue(F32, rounds!.exact!()) } };
    const [settled] = settle(m, attempt, fromDoublewords(2), addressOf(source));
    m.f.do(vectorOperand(m, 0, 'write').set64(i64x2.extract(settled!, 0)));
  },
  cvtpi2pd(m) {
    const source = doublewords(m);
    m.f.do(vectorOperand(m, 0, 'write').setV128(convert.lowI32ToF64(loadSplat(8, source.address, source.offset))));
  },
  cvtps2pi: toMmx(F32, f32, false),
  cvttps2pi: toMmx(F32, f32, true),
  cvtpd2pi: toMmx(F64, f64, false),
  cvttpd2pi: toMmx(F64, f64, true),
};
