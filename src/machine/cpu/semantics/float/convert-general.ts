import type { Format } from '../../float/format.ts';
import { f32, f64 } from '../../float/format.ts';
import * as L from '../../layout.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { exactFromIntegers, exactToIntegers } from './convert.ts';
import { numbered } from './elements.ts';
import { addressOf, settle, writeScalar } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { allTrue, F32, F64, loadSplat } from './lanes.ts';

/** Conversions between a scalar and a general register: CVTSI2SS, CVTTSD2SI and their like. The integer has 32 bits or, with REX.W, 64. */

/** WebAssembly's conversions by format and width of the integer: from it, and to it toward zero (saturating). */
const fromSigned = { f32: { 32: 0xb2, 64: 0xb4 }, f64: { 32: 0xb7, 64: 0xb9 } } as const;
const toSigned = { f32: { 32: 0, 64: 4 }, f64: { 32: 2, 64: 6 } } as const;

const splatOf = (f: Lanes, v: Value, width: 32 | 64): Value => ({ type: 'v128', code: [v.code, fromSigned[f.name][width], 0xfd, f === F32 ? 19 : 20] }); // prettier-ignore
const integerOf = (f: Lanes, v: Value, width: 32 | 64): Value => ({
  type: width === 64 ? 'i64' : 'i32',
  code: [v.code, 0xfd, f === F32 ? 31 : 33, 0, 0xfc, toSigned[f.name][width]],
});

function fromGeneral(f: Lanes, format: Format): Semantics {
  const number = { 32: numbered(exactFromIntegers(format, 32)), 64: numbered(exactFromIntegers(format, 64)) };
  return (m) => {
    requireVectors(m);
    const width = m.width === 64 ? 64 : 32;
    const v = m.let(m.place(m.operands.length - 1, 'read').get());
    const upper = firstSource(m);
    const d = vectorOperand(m, 0, 'write');
    const result = splatOf(f, v, width);
    if (width < f.precision) {
      writeScalar(m, f.bytes, d, m.let(result), upper);
      return;
    }
    // A register has no address of its own.
    m.f.do((width === 64 ? w.store64 : w.store32)(m.c, v, L.FLOAT_RESULT));
    const like = (n: bigint): Value => w.like(v, n);
    const fits = (): Value => w.eqz(w.shrU(w.add(v, like(1n << BigInt(f.precision))), like(BigInt(f.precision + 1))));
    const attempt = { results: [result], good: w.i32(1), rounds: { mode: 'nearest', exact: fits } } as const;
    const [settled] = settle(m, attempt, number[width](1), w.add(m.c, w.i32(L.FLOAT_RESULT)));
    writeScalar(m, f.bytes, d, settled!, upper);
  };
}

function toGeneral(f: Lanes, format: Format, truncates: boolean): Semantics {
  const number = { 32: numbered(exactToIntegers(format, 32, truncates)), 64: numbered(exactToIntegers(format, 64, truncates)) };
  return (m) => {
    requireVectors(m);
    const width = m.width === 64 ? 64 : 32;
    const source = lastSource(m);
    const v = m.let(loadSplat(f.bytes, source.address, source.offset));
    const whole = m.let(f.integral[truncates ? 3 : 0](v));
    const attempt = {
      results: [integerOf(f, whole, width)],
      good: allTrue(f, f.lt(f.abs(whole), f.number(2 ** (width - 1)))),
      rounds: { mode: truncates ? 'any' : 'nearest', exact: () => allTrue(f, f.eq(whole, v)) },
    } as const;
    const [result] = settle(m, attempt, number[width](1), addressOf(source));
    m.place(0, 'write').set(result!);
  };
}

export const generalConversions: SemanticsTable = {
  cvtsi2ss: fromGeneral(F32, f32),
  cvtsi2sd: fromGeneral(F64, f64),
  cvtss2si: toGeneral(F32, f32, false),
  cvtsd2si: toGeneral(F64, f64, false),
  cvttss2si: toGeneral(F32, f32, true),
  cvttsd2si: toGeneral(F64, f64, true),
};
