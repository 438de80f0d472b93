import { CR0, Flag, SYSTEM_FLAGS } from '../cpu.ts';
import * as L from '../layout.ts';
import { statusByte, storeArithmeticFlags } from '../semantics/status-byte.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { CpuCode } from './cpu-code.ts';

/** All of RFLAGS, bit 1 set: `Cpu.rflags`. */
export const rflags = (q: CpuCode): Local => q.let(w.or(w.or(statusByte(q), w.shl(q.of(), w.i32(11))), w.or(q.u32(L.SYSFLAGS), w.i32(2))));

/** Sets the symbolic form so that it reads as the given flags. */
export const setArithmeticFlags = (q: CpuCode, v: Value): void => storeArithmeticFlags(q, v, q.let(w.and(w.shrU(v, w.i32(11)), w.i32(1))));

/** Loads all of RFLAGS. What depends on IF and TF is looked at after each quick helper; see `giveUpIfAligned` for AC. */
export function setRflags(q: CpuCode, v: Local): void {
  setArithmeticFlags(q, v);
  q.setU32(L.SYSFLAGS, w.and(v, w.i32(SYSTEM_FLAGS)));
}

/** Gives up where CPL 3 with these flags means that alignment is checked, which has a TLB half of its own: SDM Vol. 3, 2.5 (CR0.AM). */
export function giveUpIfAligned(q: CpuCode, flags: Value): void {
  q.giveUpIf(w.and(w.and(flags, q.u32(L.CR0)), w.i32(CR0.AM & Flag.AC))); // the same bit in both
}
