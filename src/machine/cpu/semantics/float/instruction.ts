import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { VectorPlace } from '../../tiers/vector-place.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { clearUpper, halves } from '../vector/operands.ts';
import type { Lanes } from './lanes.ts';
import { notAll, allTrue, all, loadSplat, storeLane } from './lanes.ts';

/**
 * A floating-point instruction is emitted as: operands; the result by WebAssembly's operations, which round to nearest, and whether they can be
 * trusted with these operands and this MXCSR; if not, a call of the exact core; then the destination. No NaN that WebAssembly computed gets
 * through: its bits would differ between hosts.
 */

/** MXCSR bits: SDM Vol. 1, figure 10-3. */
const MXCSR = { PE: 0x20, PM: 0x1000, RC: 0x6000 } as const;

/** Whether rounding may show. */
export interface Rounds<Test> {
  /** The rounding modes in which the result is the right one. */
  readonly mode: 'nearest' | 'any';
  /** Which lanes are exact, or an i32 for all of it; evaluated when PE would be news. Left out: it cannot be told. */
  readonly exact?: (() => Test) | undefined;
}

/** A result that WebAssembly computes, 16 bytes of it. */
export interface Fast {
  readonly result: Value;
  /** A cheaper mask that is mostly set, and only where `good` is. */
  readonly likely?: Value;
  /** Mask of the lanes for which the result is right, and raises nothing but perhaps PE. */
  readonly good: Value;
  /** Left out when the result is always exact. */
  readonly rounds?: Rounds<Value> | undefined;
}

/** A result that WebAssembly computes, all of it. */
export interface Attempt {
  /** Pieces of 16 bytes, or of fewer, or an integer. */
  readonly results: readonly Value[];
  /** i32: zero only if `good` is not. */
  readonly unlikely?: Value | undefined;
  /** i32: nonzero if it is right, and raises nothing but perhaps PE. */
  readonly good: Value;
  readonly rounds?: Rounds<Value> | undefined;
}

/** i32: whether the bits of MXCSR are as said. */
const mxcsrIs = (m: Emitter, mask: number, value: number): Value => w.eq(w.and(w.load32(m.c, L.MXCSR), w.i32(mask)), w.i32(value));

/** Is PE masked and already set? Then it does not matter whether a result is exact. */
const unnoticed = (m: Emitter, { mode }: Rounds<Value>): Value => mxcsrIs(m, roundingBits(mode) | MXCSR.PM | MXCSR.PE, MXCSR.PM | MXCSR.PE);
const roundingBits = (mode: 'nearest' | 'any'): number => (mode === 'nearest' ? MXCSR.RC : 0);

/** i32: whether a result can be trusted, by a closer look. */
function trusted(m: Emitter, { good, rounds }: Attempt): Value {
  if (rounds === undefined) return good;
  const { mode, exact } = rounds;
  if (!exact) return w.and(good, unnoticed(m, rounds));
  const fine = m.let(good);
  m.f.if(w.eqz(unnoticed(m, rounds)), () => {
    const reset = (): void => m.f.set(fine, w.i32(0));
    m.f.if(w.and(fine, mxcsrIs(m, roundingBits(mode), 0)), () => m.f.set(fine, exact()), reset);
  });
  return fine;
}

/**
 * The result of an attempt, or the exact core's where it is not to be trusted.
 * @param exact number of the exact operation, then its operands
 */
export function settle(m: Emitter, attempt: Attempt, exact: number, a: Value, b: Value = w.i32(0), x: Value = w.i32(0)): readonly Local[] {
  const { f } = m;
  const { unlikely, rounds } = attempt;
  const results = attempt.results.map((v) => m.let(v));
  f.block((done) => {
    if (unlikely) {
      f.block((doubtful) => {
        f.brIf(doubtful, unlikely);
        if (rounds) f.brIf(done, unnoticed(m, rounds));
        else f.br(done);
      });
    }
    f.brIf(done, trusted(m, attempt));
    m.exact(exact, a, b, x);
    for (const [n, r] of results.entries()) {
      const load = r.type === 'v128' ? w.loadV : r.type === 'i64' ? w.load64 : w.load32;
      f.set(r, load(m.c, L.FLOAT_RESULT + n * 16));
    }
  });
  return results;
}

/** An operand's address as a value, for the exact core. */
export const addressOf = (p: VectorPlace): Value => w.add(p.address, w.i32(p.offset));

/** 16 bytes of an operand, or in a scalar instruction its lowest element in all lanes. */
export const load = (f: Lanes, packed: boolean, p: VectorPlace, k: number): Value => (packed ? p.v128(k) : loadSplat(f.bytes, p.address, p.offset));

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
export function compute(m: Emitter, e: Elementwise, operands: readonly VectorPlace[], x?: Value): readonly Local[] {
  const { lanes: f, packed } = e;
  const pieces = (packed ? halves(m) : [0]).map((k) => {
    const piece = e.fast(m, ...operands.map((p) => m.let(load(f, packed, p, k))));
    return { ...piece, result: m.let(piece.result) };
  });
  const every = (masks: readonly Value[]): Value => allTrue(f, all(...masks));
  const { rounds } = pieces[0]!;
  const exact = rounds?.exact && ((): Value => every(pieces.map((p) => p.rounds!.exact!())));
  const attempt = {
    results: pieces.map((p) => p.result),
    unlikely: pieces[0]!.likely && notAll(f, all(...pieces.map((p) => p.likely!))),
    good: every(pieces.map((p) => p.good)),
    rounds: rounds && { mode: rounds.mode, exact },
  };
  const [a, b, c] = operands.map(addressOf);
  return settle(m, attempt, e.exact(m.vectorBytes), a!, b, c ?? x);
}

/**
 * Writes a packed result: 16-byte pieces, or less of the last one. With VEX the rest of the register becomes zero (SDM Vol. 1, 14.1.3).
 */
export function writePacked(m: Emitter, d: VectorPlace, pieces: readonly Value[]): void {
  for (const [n, v] of pieces.entries()) m.f.do(d.setV128(v, n * 16));
  if (m.vex && pieces.length === 1) clearUpper(m, d);
}

/** Writes lane 0 of a scalar result; the lanes above come from another operand with VEX, and stay as they are without. */
export function writeScalar(m: Emitter, bytes: 4 | 8, d: VectorPlace, result: Value, upper: VectorPlace): void {
  if (m.vex) m.f.do(d.setV128(upper.v128()));
  m.f.do(storeLane(bytes, d.address, result, d.offset));
  if (m.vex) clearUpper(m, d);
}
