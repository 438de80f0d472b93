import { CR0 } from '../../cpu.ts';
import { Vector } from '../../fault.ts';
import * as L from '../../layout.ts';
import { AccessKind } from '../../tiers/emitter.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Label, Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { Status } from '../../x87/state.ts';
import type { Semantics } from '../semantics.ts';
import { requireNoPendingX87 } from '../vector/mmx-state.ts';
import type { Number80, Rounded } from './number.ts';

/**
 * The common x87 instructions as emitted code. What the code here declines (by a branch to `slow`) the
 * instruction's helper does: import `x87`, which finds the operand in linear memory and never faults, since that was all checked.
 */

export function requireX87(m: Emitter): void {
  m.raiseIf(w.and(w.load32(m.c, L.CR0), w.i32(CR0.EM | CR0.TS)), Vector.NM);
}

export interface Access {
  readonly bytes: 2 | 4 | 8;
  readonly writes: boolean;
}

/** A non-control instruction. `fast` changes nothing before its last branch to `slow`. */
export const computing =
  (fast: (m: Emitter, slow: Label, operand: Value) => void, access?: Access): Semantics =>
  (m) => {
    requireX87(m);
    requireNoPendingX87(m);
    const ea = access && m.let(m.effectiveAddress());
    const pointer = access && ea && dataPointer(m, ea, access);
    const operand = access && ea ? m.translate(ea, access.bytes, access.writes ? AccessKind.write : AccessKind.read) : w.i32(0);
    const wrote = m.let(w.i32(1));
    m.f.block((done) => {
      m.f.block((slow) => {
        fast(m, slow, operand);
        notePointers(m, pointer);
        m.f.br(done);
      });
      if (pointer) m.f.do(w.store64(m.c, pointer.offset, L.SLOW_ADDRESS));
      m.f.set(wrote, m.call('x87', operand));
    });
    if (access?.writes) m.f.if(wrote, () => m.commit(operand));
  };

interface DataPointer {
  readonly offset: Local;
  readonly selector: Value;
}

/** Of a linear address. 64-bit mode's segments have no base where this code runs, and no limit; others are checked here. */
function dataPointer(m: Emitter, linear: Local, { bytes, writes }: Access): DataPointer {
  // The record has the operand's segment in place of a register's number.
  const number = m.let(w.shrU(m.registerField(0), w.i32(3)));
  const segment = m.let(w.add(m.c, w.mul(number, w.i32(L.SEGMENT_SIZE))));
  const selector = w.load32(segment, L.SEGMENTS + L.SEG_SELECTOR);
  if (!m.legacy) return { offset: linear, selector };
  const offset = m.let(w.and(w.sub(linear, w.load64(segment, L.SEGMENTS + L.SEG_BASE)), w.i64(0xffff_ffffn)));
  const end = w.load64(segment, L.SEGMENTS + (writes ? L.SEG_WRITE_END : L.SEG_READ_END));
  const what = w.or(w.i32(bytes | (writes ? 0x100 : 0)), w.shl(number, w.i32(16)));
  m.f.if(w.gtU(w.add(offset, w.i64(bytes)), end), () => m.checkSegment(offset, what));
  return { offset, selector };
}

/** As x87/pointers.ts does; the opcode is for unmasked exceptions, which end up there. */
function notePointers(m: Emitter, data: DataPointer | undefined): void {
  const cs = L.SEGMENTS + L.CS * L.SEGMENT_SIZE;
  const ip = m.legacy ? w.and(w.sub(m.here(), w.load64(m.c, cs + L.SEG_BASE)), w.i64(0xffff_ffffn)) : m.here();
  m.f.do(w.store64(m.c, ip, L.FIP));
  m.f.do(w.store32(m.c, w.load32(m.c, cs + L.SEG_SELECTOR), L.FCS));
  if (!data) return;
  m.f.do(w.store64(m.c, data.offset, L.FDP));
  m.f.do(w.store32(m.c, data.selector, L.FDS));
}

// ---- the control word

/** All exceptions masked and round to nearest; for arithmetic also 64 bits. */
const MASKS_AND_ROUNDING = 0xc3f;
const ARITHMETIC = 0xf3f;

export function requireNearest(m: Emitter, slow: Label): void {
  m.f.brIf(slow, w.ne(w.and(w.load32(m.c, L.FCW), w.i32(MASKS_AND_ROUNDING)), w.i32(0x3f)));
}
export function requireExtended(m: Emitter, slow: Label): void {
  m.f.brIf(slow, w.ne(w.and(w.load32(m.c, L.FCW), w.i32(ARITHMETIC)), w.i32(0x33f)));
}

// ---- registers

/** Number of the physical register of ST(i). */
export const physical = (m: Emitter, i: Value): Local => m.let(w.and(w.add(w.shrU(w.load32(m.c, L.FSW), w.i32(11)), i), w.i32(7)));
/** The register that ModRM.rm names. */
export const named = (m: Emitter): Local => physical(m, w.shrU(m.registerField(0), w.i32(3)));
export const st0 = (m: Emitter): Local => physical(m, w.i32(0));

const tag = (m: Emitter, n: Value): Value => w.and(w.shrU(w.load32(m.c, L.FTW), w.shl(n, w.i32(1))), w.i32(3));
export const requireFull = (m: Emitter, slow: Label, n: Value): void => m.f.brIf(slow, tag(m, n));

const address = (m: Emitter, n: Value): Value => w.add(m.c, w.shl(n, w.i32(4)));

export function read(m: Emitter, n: Value): Number80 {
  const at = m.let(address(m, n));
  return { significand: m.let(w.load64(at, L.FPR)), high: m.let(w.load32(at, L.FPR + 8)) };
}

export function write(m: Emitter, n: Value, v: Number80): void {
  const at = m.let(address(m, n));
  m.f.do(w.store64(at, v.significand, L.FPR));
  m.f.do(w.store32(at, v.high, L.FPR + 8));
}

/** No longer empty, or empty. */
export const setFull = (m: Emitter, n: Value): void =>
  m.f.do(w.store32(m.c, w.and(w.load32(m.c, L.FTW), w.not(w.shl(w.i32(3), w.shl(n, w.i32(1))))), L.FTW));
const setEmpty = (m: Emitter, n: Value): void => m.f.do(w.store32(m.c, w.or(w.load32(m.c, L.FTW), w.shl(w.i32(3), w.shl(n, w.i32(1)))), L.FTW));

// ---- the status word

/** Changes the status word: clears bits, sets others. */
export function setStatus(m: Emitter, clear: number, set?: Value): void {
  const kept = w.and(w.load32(m.c, L.FSW), w.i32(~clear));
  m.f.do(w.store32(m.c, set ? w.or(kept, set) : kept, L.FSW));
}

/** PE and C1 of a rounded result. */
export function noteRounding(m: Emitter, r: Pick<Rounded, 'inexact' | 'up'>): void {
  setStatus(m, Status.C1, w.or(w.shl(r.inexact, w.i32(5)), w.shl(r.up, w.i32(9))));
}

/** Makes room; the register must be empty. Clears C1. */
export function push(m: Emitter, slow: Label): Local {
  const n = physical(m, w.i32(7));
  m.f.brIf(slow, w.eqz(tag(m, n)));
  return n;
}

export function pushed(m: Emitter, n: Local, v: Number80): void {
  setStatus(m, Status.TOP | Status.C1, w.shl(n, w.i32(11)));
  setFull(m, n);
  write(m, n, v);
}

export function pop(m: Emitter, times = 1): void {
  for (let k = 0; k < times; k++) {
    const n = st0(m);
    setEmpty(m, n);
    setStatus(m, Status.TOP, w.shl(w.and(w.add(n, w.i32(1)), w.i32(7)), w.i32(11)));
  }
}
