import { CR0 } from '../../cpu.ts';
import { Vector } from '../../fault.ts';
import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { byImmediate } from './imm-table.ts';
import { absLanes, integerLanes } from './integer.ts';
import { enterMmx, requireNoPendingX87, setMmx } from './mmx-state.ts';
import type { Lanes } from './operands.ts';
import { general, immediate, requireVectors, setGeneral, setVector, vectorOperand } from './operands.ts';
import { alignRight, shiftKinds, shiftLanes } from './shift.ts';
import { lowWords } from './shuffle.ts';
import { i64x2, i8x16, load32Zero, load64Zero, zero } from './simd.ts';

/**
 * MMX: the integer operations of vectors on 64 bits. A datum is the low half of a vector of WebAssembly, zeros above it; of the result
 * the low half counts. Every instruction leaves the x87 state in MMX's use (mmx-state.ts), also one that writes no MMX register.
 */

/** #UD, #NM and #MF: SDM Vol. 3, table 12-1. */
function requireMmx(m: Emitter): void {
  m.raiseIf(w.and(w.load32(m.c, L.CR0), w.i32(CR0.EM)), Vector.UD);
  m.raiseIf(w.and(w.load32(m.c, L.CR0), w.i32(CR0.TS)), Vector.NM);
  requireNoPendingX87(m);
}

/** Operand n, of which no more is read from memory than it has there: PUNPCKL reads 32 bits. */
function source(m: Emitter, n: number): Value {
  const load = m.isMemory(n) && m.operands[n] === 'Q4' ? load32Zero : load64Zero;
  const { address, offset } = vectorOperand(m, n);
  return m.let(load(address, offset));
}

/** Writes operand n, an MMX register, from the low half of a vector. */
function result(m: Emitter, n: number, v: Value): void {
  const bits = m.let(i64x2.extract(v, 0));
  enterMmx(m);
  setMmx(m, vectorOperand(m, n, 'write'), bits);
}

/** dst = f(dst, src) */
const lanewise =
  (f: Lanes): Semantics =>
  (m) => {
    requireMmx(m);
    const b = source(m, 1);
    const a = source(m, 0);
    result(m, 0, f(m, a, b, 0));
  };

/** dst = f(src) */
const unary =
  (f: (m: Emitter, a: Value) => Value): Semantics =>
  (m) => {
    requireMmx(m);
    result(m, 0, f(m, source(m, 1)));
  };

/** The count is all 64 bits of a register, or the immediate. */
const shifts = Object.entries(shiftKinds).flatMap(([name, s]): [string, Semantics][] => [
  [
    `${name}_mmx`,
    (m) => {
      requireMmx(m);
      const count = m.let(vectorOperand(m, 1).i64());
      result(m, 0, shiftLanes(s, source(m, 0), count));
    },
  ],
  [
    `${name}_i_mmx`,
    (m) => {
      requireMmx(m);
      result(m, 0, shiftLanes(s, source(m, 0), m.let(w.unsigned64(immediate(m)))));
    },
  ],
]);

/** Of a 16-bit lane in use: its address in a register. */
const wordAddress = (m: Emitter, register: Value): Value => w.add(register, w.shl(w.and(immediate(m), w.i32(3)), w.i32(1)));

export const mmx: SemanticsTable = {
  ...Object.fromEntries(Object.entries(integerLanes).map(([name, f]) => [`${name}_mmx`, lanewise(f)])),
  ...Object.fromEntries(Object.entries(absLanes).map(([name, f]) => [`${name}_mmx`, unary((_m, a) => f(a))])),
  ...Object.fromEntries(shifts),
  palignr_mmx: lanewise(alignRight),
  pshufw: unary((m, a) => i8x16.swizzle(a, byImmediate(m, lowWords))),
  movq_mmx(m) {
    requireMmx(m);
    const v = m.let(vectorOperand(m, 1).i64());
    const d = vectorOperand(m, 0, 'write');
    enterMmx(m);
    if (!d.memory) return setMmx(m, d, v);
    m.f.do(d.set64(v));
    m.commit(d.address);
  },
  movd_load_mmx(m) {
    requireMmx(m);
    const v = m.let(w.unsigned64(m.place(1, 'read').get()));
    enterMmx(m);
    setMmx(m, vectorOperand(m, 0, 'write'), v);
  },
  movd_store_mmx(m) {
    requireMmx(m);
    const s = vectorOperand(m, 1);
    const v = m.let(m.width === 64 ? s.i64() : s.i32());
    const d = m.place(0, 'write');
    enterMmx(m);
    d.set(v);
  },
  pmovmskb_mmx(m) {
    requireMmx(m);
    const bits = m.let(w.and(i8x16.bitmask(source(m, 1)), w.i32(0xff)));
    enterMmx(m);
    m.register(m.registerField(0), 32).set(bits);
  },
  pextrw_mmx(m) {
    requireMmx(m);
    const s = vectorOperand(m, 1);
    const v = m.let(w.load16u(wordAddress(m, s.address), s.offset));
    enterMmx(m);
    setGeneral(m, 0, 16, v);
  },
  pinsrw_mmx(m) {
    requireMmx(m);
    const v = general(m, 1, 16);
    enterMmx(m);
    const d = vectorOperand(m, 0, 'write');
    m.f.do(d.set32(w.i32(0xffff), 8));
    m.f.do(w.store16(wordAddress(m, d.address), v, d.offset));
  },
  // Between the two sets of registers: SSE2 instructions, with the x87 side effects of MMX.
  movq2dq(m) {
    requireVectors(m);
    requireNoPendingX87(m);
    const v = m.let(vectorOperand(m, 1).i64());
    enterMmx(m);
    setVector(m, 0, [i64x2.replace(zero, 0, v)]);
  },
  movdq2q(m) {
    requireVectors(m);
    requireNoPendingX87(m);
    const v = m.let(vectorOperand(m, 1).i64());
    enterMmx(m);
    setMmx(m, vectorOperand(m, 0, 'write'), v);
  },
};
