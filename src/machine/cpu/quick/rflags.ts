import { Flag, SYSTEM_FLAGS } from '../cpu.ts';
import * as L from '../layout.ts';
import { statusByte, storeArithmeticFlags } from '../semantics/status-byte.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

/** All of RFLAGS, bit 1 set: `Cpu.rflags`. */
export function rflags(q: Quick): Value {
  return w.or(w.or(w.or(statusByte(q), w.shl(q.of(), w.i32(11))), q.u32(L.SYSFLAGS)), w.i32(2));
}

/**
 * Loads all of RFLAGS. What depends on IF and TF is looked at after each quick helper; what depends on AC is the caller's
 * business (`alignmentMatters`).
 */
export function loadRflags(q: Quick, flags: Value): void {
  const v = q.let(flags);
  storeArithmeticFlags(q, v, q.let(w.and(w.shrU(v, w.i32(11)), w.i32(1))));
  q.setU32(L.SYSFLAGS, w.and(v, w.i32(SYSTEM_FLAGS)));
}

/** Nonzero when alignment is checked at CPL 3 with these flags, which has a TLB half of its own: SDM Vol. 3, 2.5 (CR0.AM). */
export function alignmentMatters(q: Quick, flags: Value): Value {
  return w.and(flags, w.and(q.u32(L.CR0), w.i32(Flag.AC)));
}
