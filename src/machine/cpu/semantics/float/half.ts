import { convert as convertReal } from '../../float/convert.ts';
import { f16, f32 } from '../../float/format.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { clearUpper, immediate, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { load64Zero } from '../vector/simd.ts';
import * as L from '../../layout.ts';
import { numbered } from './elements.ts';
import { addressOf, settle, writePacked } from './instruction.ts';
import { allTrue, all, and, F32, highHalf, or } from './lanes.ts';

/** F16C: half precision as a storage format. MXCSR.DAZ does not touch halves, nor FTZ results (SDM Vol. 1, 14.4.1). */

const widen = numbered((count) => (call) => {
  for (let n = 0; n < count; n++) call.set(f32, n, convertReal(f32, call.env, call.real(f16, call.a, n), false));
});

const narrow = numbered((count) => (call) => {
  call.clear();
  const { env } = call;
  env.ftz = false;
  // The immediate: bits 1:0 the rounding mode, bit 2 MXCSR.RC's instead.
  if ((call.x & 4) === 0) env.rounding = call.x & 3;
  for (let n = 0; n < count; n++) call.set(f16, n, convertReal(f16, env, call.real(f32, call.a, n)));
});

export const halfConversions: SemanticsTable = {
  cvtph2ps(m) {
    requireVectors(m);
    const source = lastSource(m);
    const v = m.let(m.vectorBytes === 32 ? source.v128() : load64Zero(source.address, source.offset));
    const pieces = (m.vectorBytes === 32 ? [v, m.let(highHalf(v))] : [v]).map((half) => {
      const bits = m.let(w.simd(169, 'v128', half)); // i32x4.extend_low_i16x8_u
      const sign = F32.shl(and(bits, F32.splat(0x8000n)), 16);
      // As the bits of a single it is smaller by the difference of the biases; a denormal becomes right with it.
      const magnitude = F32.mul(F32.shl(and(bits, F32.splat(0x7fffn)), 13), F32.number(2 ** 112));
      const good = F32.intLt(and(bits, F32.splat(0x7c00n)), F32.splat(0x7c00n));
      return { result: m.let(or(magnitude, sign)), good };
    });
    const attempt = { results: pieces.map((p) => p.result), good: allTrue(F32, all(...pieces.map((p) => p.good))) };
    writePacked(m, vectorOperand(m, 0, 'write'), settle(m, attempt, widen(m.vectorBytes / 4), addressOf(source)));
  },
  cvtps2ph(m) {
    requireVectors(m);
    const source = vectorOperand(m, 1);
    const d = vectorOperand(m, 0, 'write');
    m.exact(narrow(m.vectorBytes / 4), addressOf(source), w.i32(0), immediate(m));
    const result: Value = w.loadV(m.c, L.FLOAT_RESULT);
    if (!d.memory) {
      m.f.do(d.setV128(result));
      clearUpper(m, d);
      return;
    }
    m.f.do(m.vectorBytes === 32 ? d.setV128(result) : d.set64(w.load64(m.c, L.FLOAT_RESULT)));
    m.commit(d.address);
  },
};
