import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { VectorPlace } from '../../tiers/vector-place.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { clearUpper, halves } from '../vector/operands.ts';
import type { Lanes } from './lanes.ts';
import { all, loadSplat, storeLane } from './lanes.ts';

/**
 * A floating-point instruction is emitted as: operands; the result by WebAssembly's operations, which round to nearest, and whether they can be
 * trusted with these operands and this MXCSR; if not, a call of the exact core; then the destination. No NaN that WebAssembly computed gets
 * through: its bits would differ between hosts.
 */

/** MXCSR bits: SDM Vol. 1, figure 10-3. */
export const MXCSR = { PE: 0x20, DAZ: 0x40, PM: 0x1000, RC: 0x6000 } as const;

/** A result that WebAssembly computes, 16 bytes of it. */
export interface Fast {
  readonly result: Value;
  /** Mask of the lanes for which the result is right, and raises nothing but perhaps PE. */
  readonly good: Value;
  /** May the result be inexact? Then how to tell, as a mask of the lanes that are exact, if it can be told. */
  readonly rounds?: 'unknown' | (() => Value);
}

/** An operand's address as a value, for the exact core. */
export const addressOf = (p: VectorPlace): Value => w.add(p.address, w.i32(p.offset));
const NONE = w.i32(0);

/** Calls the exact core; its result lies in FLOAT_RESULT. Leaves with the exception if one is unmasked. */
export function exactly(m: Emitter, operation: number, a: Value, b: Value = NONE, x: Value = NONE): void {
  m.exact(operation, a, b, x);
}

/** 16 bytes of an operand, or in a scalar instruction its lowest element in all lanes. */
export const load = (f: Lanes, packed: boolean, p: VectorPlace, k: number): Value => (packed ? p.v128(k) : loadSplat(f.bytes, p.address, p.offset));

/** i32: nonzero when MXCSR lets an inexact result pass unnoticed: rounded to nearest, PE masked and already set. */
export const roundingIsPlain = (m: Emitter): Value =>
  w.eq(w.and(w.load32(m.c, L.MXCSR), w.i32(MXCSR.RC | MXCSR.PM | MXCSR.PE)), w.i32(MXCSR.PM | MXCSR.PE));
/** Rounded to nearest; whether an inexact result is noticed or not. */
const roundsToNearest = (m: Emitter): Value => w.eqz(w.and(w.load32(m.c, L.MXCSR), w.i32(MXCSR.RC)));

/** Whether all pieces can be trusted. */
function trusted(m: Emitter, f: Lanes, pieces: readonly Fast[]): Value {
  const good = m.let(f.allTrue(all(...pieces.map((p) => p.good))));
  const { rounds } = pieces[0]!;
  if (rounds === undefined) return good;
  if (rounds === 'unknown') return w.and(good, roundingIsPlain(m));
  m.f.if(w.eqz(roundingIsPlain(m)), () => {
    m.f.if(w.and(good, roundsToNearest(m)), () => {
      const exact = pieces.map((p) => (p.rounds as () => Value)());
      m.f.set(good, f.allTrue(all(...exact)));
    }, () => m.f.set(good, w.i32(0))); // prettier-ignore
  });
  return good;
}

/** One instruction whose lanes do the same. */
export interface Elementwise {
  readonly lanes: Lanes;
  readonly packed: boolean;
  /** The result of 16 bytes (all lanes alike in a scalar instruction) from the operands, which are locals. */
  fast(m: Emitter, ...operands: Value[]): Fast;
  /** Number of the exact operation. */
  readonly exact: (vectorBytes: number) => number;
}

/**
 * Computes from operands and gives the 16-byte pieces of the result.
 * @param x third operand of the exact core where it is not a vector
 */
export function compute(m: Emitter, e: Elementwise, operands: readonly VectorPlace[], x?: Value): readonly Value[] {
  const offsets = e.packed ? halves(m) : [0];
  const results: Value[] = [];
  const pieces = offsets.map((k) => {
    const piece = e.fast(m, ...operands.map((p) => m.let(load(e.lanes, e.packed, p, k))));
    const result = m.let(piece.result);
    results.push(result);
    return { ...piece, result };
  });
  m.f.if(w.eqz(trusted(m, e.lanes, pieces)), () => {
    const [a, b, c] = operands.map(addressOf);
    exactly(m, e.exact(m.vectorBytes), a!, b, c ?? x);
    offsets.forEach((k, n) => m.f.set(results[n] as ReturnType<Emitter['let']>, w.loadV(m.c, L.FLOAT_RESULT + k)));
  });
  return results;
}

/**
 * Writes a packed result: 16-byte pieces, or less of the last one. With VEX the rest of the register becomes zero (SDM Vol. 1, 14.1.3).
 */
export function writePacked(m: Emitter, d: VectorPlace, pieces: readonly Value[]): void {
  pieces.forEach((v, n) => m.f.do(d.setV128(v, n * 16)));
  if (d.memory) m.commit(d.address);
  else if (m.vex && pieces.length === 1) clearUpper(m, d);
}

/** Writes lane 0 of a scalar result; the lanes above come from another operand with VEX, and stay as they are without. */
export function writeScalar(m: Emitter, bytes: 4 | 8, d: VectorPlace, result: Value, upper: VectorPlace): void {
  if (m.vex) m.f.do(d.setV128(upper.v128()));
  m.f.do(storeLane(bytes, d.address, result, d.offset));
  if (m.vex) clearUpper(m, d);
}
