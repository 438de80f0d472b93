import { vectorOperandBytes } from '../../isa/row.ts';
import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import { VectorPlace } from '../../tiers/vector-place.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics } from '../semantics.ts';
import { v128Const } from './simd.ts';

/**
 * What vector instructions have in common: legacy ones have two operands of which the first is also a source and leave the
 * upper half of a YMM register alone; VEX ones have three and clear it. A semantics written with these functions serves both,
 * of 128 and of 256 bits.
 */

/** #UD and #NM, before anything else. */
export function requireVectors(m: Emitter): void {
  if (m.vex) m.requireAvx();
  else m.requireSse();
}

/** Operand n, translated when it is memory. */
export function vectorOperand(m: Emitter, n: number, use: 'read' | 'write' | 'modify' = 'read'): VectorPlace {
  const operand = m.operands[n]!;
  const bytes = /^[WQ]/.test(operand) ? vectorOperandBytes(operand, m.vectorBytes) : m.vectorBytes;
  return m.vector(n, bytes, use, operand.endsWith('a'));
}

/** Offsets of the 16-byte halves of a vector. */
export const halves = (m: Emitter): readonly number[] => (m.vectorBytes === 32 ? [0, 16] : [0]);

const indexOf = (m: Emitter, kind: RegExp): number => m.operands.findIndex((o) => kind.test(o));

/** The last source: the operand that may be in memory. */
export function lastSource(m: Emitter): VectorPlace {
  return vectorOperand(m, indexOf(m, /^[WQ]/));
}

/** The first source: VEX.vvvv, or in legacy form the destination. */
export function firstSource(m: Emitter): VectorPlace {
  const h = indexOf(m, /^H/);
  return vectorOperand(m, h >= 0 ? h : 0);
}

/** A whole vector into registers of WebAssembly, by halves. */
export const loadHalves = (m: Emitter, p: VectorPlace): Local[] => halves(m).map((k) => m.let(p.v128(k)));

/** Writes a destination register: all 16 or 32 bytes, and with VEX.128 zeros above. */
export function setVector(m: Emitter, n: number, values: readonly Value[]): void {
  const d = vectorOperand(m, n, 'write');
  for (const [k, v] of values.entries()) m.f.do(d.setV128(v, k * 16));
  if (m.vex && values.length === 1) clearUpper(m, d);
}

export function clearUpper(m: Emitter, d: VectorPlace): void {
  m.f.do(d.setV128(v128Const(new Array<number>(16).fill(0)), 16));
}

/** XMM register n, for implicit operands. */
export const xmm = (m: Emitter, n: number): VectorPlace => new VectorPlace(m.c, L.VECTORS + n * L.VECTOR_SIZE, false);

/** One half of the result from the same half of the sources; `k` is the half's offset. */
export type Lanes = (m: Emitter, a: Value, b: Value, k: number) => Value;

/** dst = f(first source, last source), half by half. */
export const lanewise =
  (f: Lanes): Semantics =>
  (m) => {
    requireVectors(m);
    const b = lastSource(m);
    const a = firstSource(m);
    setVector(m, 0, halves(m).map((k) => m.let(f(m, m.let(a.v128(k)), m.let(b.v128(k)), k)))); // prettier-ignore
  };

/** dst = f(source), half by half. */
export const unary =
  (f: (m: Emitter, a: Value, k: number) => Value): Semantics =>
  (m) => {
    requireVectors(m);
    const a = lastSource(m);
    setVector(m, 0, halves(m).map((k) => m.let(f(m, m.let(a.v128(k)), k)))); // prettier-ignore
  };

/**
 * Operand n (`E1`, `E2`, `E4`, `E`) as a destination of 8 to 64 bits: a general register gets it zero-extended to at least 32 bits.
 */
export function setGeneral(m: Emitter, n: number, width: 8 | 16 | 32 | 64, v: Value): void {
  const value = m.let(v);
  if (m.isMemory(n)) m.memory(m.effectiveAddress(), width, 1).set(value);
  else m.register(m.registerField(n), width === 64 ? 64 : 32).set(value);
}

/** Operand n as a source of 8 to 64 bits, of a general register the low ones. */
export function general(m: Emitter, n: number, width: 8 | 16 | 32 | 64): Local {
  if (m.isMemory(n)) return m.let(m.memory(m.effectiveAddress(), width, 0).get());
  return m.let(m.register(m.registerField(n), width).get());
}

/** The immediate byte as a value, however it is known. */
export const immediate = (m: Emitter): Value => (m.knownImmByte === undefined ? m.immByte() : w.i32(m.knownImmByte));
