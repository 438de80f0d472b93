import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import {
  clearUpper,
  firstSource,
  halves,
  immediate,
  lastSource,
  loadHalves,
  requireVectors,
  setGeneral,
  setVector,
  vectorOperand,
  general,
  xmm,
} from './operands.ts';
import { i16x8, i32x4, i64x2, i8x16, load32Zero, load64Zero, shuffleLanes, zero } from './simd.ts';

const isRegister = (m: Emitter, n: number): boolean => /^[VH]/.test(m.operands[n]!) || !m.isMemory(n);

/** Whole vectors, either way. A register destination of VEX is cleared above. */
function movu(m: Emitter): void {
  requireVectors(m);
  const values = loadHalves(m, vectorOperand(m, 1));
  if (isRegister(m, 0)) return setVector(m, 0, values);
  const d = vectorOperand(m, 0, 'write');
  for (const [n, v] of values.entries()) m.f.do(d.setV128(v, n * 16));
  m.commit(d.address);
}

/** The low 4 or 8 bytes of `from` on, to memory. */
const store =
  (bytes: 4 | 8, from: number): Semantics =>
  (m) => {
    requireVectors(m);
    const s = vectorOperand(m, 1);
    const v = m.let(bytes === 4 ? s.i32(from) : s.i64(from));
    const d = vectorOperand(m, 0, 'write');
    m.f.do(bytes === 4 ? d.set32(v) : d.set64(v));
    m.commit(d.address);
  };

/** From memory the rest of the vector becomes zero; from a register it stays, or with VEX comes from VEX.vvvv. */
const loadScalar =
  (bytes: 4 | 8): Semantics =>
  (m) => {
    requireVectors(m);
    const s = lastSource(m);
    const loaded = s.memory ? (bytes === 4 ? load32Zero(s.address, s.offset) : load64Zero(s.address, s.offset)) : undefined;
    setVector(m, 0, [m.let(loaded ?? mergeLow(bytes, firstSource(m).v128(), s.v128()))]);
  };

/** The low lane of b, the rest of a. */
const mergeLow = (bytes: 4 | 8, a: Value, b: Value): Value => (bytes === 4 ? shuffleLanes(b, a, 4, [0, 5, 6, 7]) : shuffleLanes(b, a, 8, [0, 3]));

/** Between registers with the destination in ModRM.rm; or to memory. */
const storeScalar =
  (bytes: 4 | 8): Semantics =>
  (m) => {
    if (m.isMemory(0)) return store(bytes, 0)(m);
    requireVectors(m);
    const a = firstSource(m);
    const b = vectorOperand(m, m.operands.findIndex((o) => o[0] === 'V')); // prettier-ignore
    setVector(m, 0, [m.let(mergeLow(bytes, a.v128(), b.v128()))]);
  };

/** A quadword of the result from the last source, the other from the first. */
const quadwords =
  (f: (a: Value, b: Value) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const s = lastSource(m);
    const b = s.memory ? load64Zero(s.address, s.offset) : s.v128();
    setVector(m, 0, [m.let(f(m.let(firstSource(m).v128()), m.let(b)))]);
  };

/** Sign bits of all lanes as a number. */
const signMask =
  (bytes: 1 | 4 | 8, bitmask: (v: Value) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const s = lastSource(m);
    const bits = halves(m).map((k) => bitmask(s.v128(k)));
    m.register(m.registerField(0), 32).set(m.let(bits.length === 1 ? bits[0]! : w.or(bits[0]!, w.shl(bits[1]!, w.i32(16 / bytes)))));
  };

/** One lane to a general register or memory: PEXTRB and the like. The lane's number is a value. */
const extract =
  (width: 8 | 16 | 32 | 64): Semantics =>
  (m) => {
    requireVectors(m);
    const bytes = width / 8;
    const s = vectorOperand(m, m.operands.findIndex((o) => /^[VW]/.test(o))); // prettier-ignore
    const lane = w.and(immediate(m), w.i32(16 / bytes - 1));
    const from = m.let(w.add(s.address, bytes === 1 ? lane : w.shl(lane, w.i32(Math.log2(bytes)))));
    setGeneral(m, 0, width, (width === 8 ? w.load8u : width === 16 ? w.load16u : width === 32 ? w.load32 : w.load64)(from, s.offset));
  };

/** One lane from a general register or memory into a copy of the first source. */
const insert =
  (width: 8 | 16 | 32 | 64): Semantics =>
  (m) => {
    requireVectors(m);
    const bytes = width / 8;
    const v = general(m, m.operands.findIndex((o) => o[0] === 'E'), width); // prettier-ignore
    const a = m.let(firstSource(m).v128());
    setVector(m, 0, [a]);
    const d = vectorOperand(m, 0, 'write');
    const lane = w.and(immediate(m), w.i32(16 / bytes - 1));
    const to = w.add(d.address, bytes === 1 ? lane : w.shl(lane, w.i32(Math.log2(bytes))));
    m.f.do((width === 8 ? w.store8 : width === 16 ? w.store16 : width === 32 ? w.store32 : w.store64)(to, v, d.offset));
  };

/** 32 or 64 bits by the operand size. */
const bySize = (f: (width: 32 | 64) => Semantics): Semantics => (m) => f(m.width === 64 ? 64 : 32)(m); // prettier-ignore

/** Every lane of the destination from the lowest of the source. */
const broadcast =
  (splat: (s: Value, memory: boolean) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const s = lastSource(m);
    const v = m.let(splat(s.memory ? s.address : s.v128(), s.memory));
    setVector(m, 0, halves(m).map(() => v)); // prettier-ignore
  };

/** VZEROALL and VZEROUPPER: SDM Vol. 2; outside 64-bit mode there are eight registers. */
const clear =
  (all: boolean): Semantics =>
  (m) => {
    requireVectors(m);
    const registers = (from: number): void => {
      for (let n = from; n < from + 8; n++) {
        if (all) m.f.do(xmm(m, n).setV128(zero));
        clearUpper(m, xmm(m, n));
      }
    };
    registers(0);
    m.f.if(w.eq(w.load32(m.c, L.CODE_SIZE), w.i32(2)), () => registers(8));
  };

export const vectorMoves: SemanticsTable = {
  movu,
  movss_load: loadScalar(4),
  movsd_load: loadScalar(8),
  movss_store: storeScalar(4),
  movsd_store: storeScalar(8),
  movl_store: store(8, 0),
  movh_store: store(8, 8),
  movsd_load_zero: quadwords((_a, b) => shuffleLanes(b, zero, 8, [0, 2])),
  movq_store(m) {
    if (m.isMemory(0)) return store(8, 0)(m);
    requireVectors(m);
    setVector(m, 0, [m.let(shuffleLanes(vectorOperand(m, 1).v128(), zero, 8, [0, 2]))]);
  },
  movl_load: quadwords((a, b) => shuffleLanes(b, a, 8, [0, 3])),
  movh_load: quadwords((a, b) => shuffleLanes(a, b, 8, [0, 2])),
  movhlps: quadwords((a, b) => shuffleLanes(b, a, 8, [1, 3])),
  movlhps: quadwords((a, b) => shuffleLanes(a, b, 8, [0, 2])),
  movd_load(m) {
    requireVectors(m);
    const v = w.unsigned64(m.place(1, 'read').get());
    setVector(m, 0, [m.let(i64x2.replace(zero, 0, v))]);
  },
  movd_store(m) {
    requireVectors(m);
    const s = vectorOperand(m, 1);
    const v = m.let(m.width === 64 ? s.i64() : s.i32());
    m.place(0, 'write').set(v);
  },
  pmovmskb: signMask(1, i8x16.bitmask),
  movmskps: signMask(4, i32x4.bitmask),
  movmskpd: signMask(8, i64x2.bitmask),
  pextrb: extract(8),
  pextrw: extract(16),
  pextrd: bySize(extract),
  extractps: extract(32),
  pinsrb: insert(8),
  pinsrw: insert(16),
  pinsrd: bySize(insert),
  broadcast8: broadcast((s, memory) => (memory ? i8x16.splat(w.load8u(s)) : i8x16.splat(i8x16.extractU(s, 0)))),
  broadcast16: broadcast((s, memory) => (memory ? i16x8.splat(w.load16u(s)) : i16x8.splat(i16x8.extractU(s, 0)))),
  broadcast32: broadcast((s, memory) => (memory ? i32x4.splat(w.load32(s)) : i32x4.splat(i32x4.extract(s, 0)))),
  broadcast64: broadcast((s, memory) => (memory ? i64x2.splat(w.load64(s)) : i64x2.splat(i64x2.extract(s, 0)))),
  broadcast128: broadcast((s, memory) => (memory ? w.loadV(s) : s)),
  extract128(m) {
    requireVectors(m);
    const upper = w.and(immediate(m), w.i32(1));
    const s = vectorOperand(m, 1);
    const v = m.let(w.select(upper, m.let(w.loadV(s.address, s.offset + 16)), m.let(s.v128())));
    const d = vectorOperand(m, 0, 'write');
    m.f.do(d.setV128(v));
    if (d.memory) m.commit(d.address);
    else clearUpper(m, d);
  },
  insert128(m) {
    requireVectors(m);
    const v = m.let(lastSource(m).v128());
    const [low, high] = loadHalves(m, firstSource(m)) as [Local, Local];
    const upper = m.let(w.and(immediate(m), w.i32(1)));
    setVector(m, 0, [m.let(w.select(upper, low, v)), m.let(w.select(upper, v, high))]);
  },
  zeroupper: clear(false),
  zeroall: clear(true),
};
