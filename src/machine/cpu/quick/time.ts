import { RUN_END } from '../../memory/layout.ts';
import { CR4 } from '../cpu.ts';
import * as L from '../layout.ts';
import { MsrSlot, msrSlotOffset } from '../msr/row.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

/** EDX:EAX is the time-stamp counter of the instruction's own tick, which ends with `left` of the budget. */
function readTsc(q: Quick): void {
  q.giveUpInGuest();
  q.giveUpIf(w.and(w.ne(q.u32(L.CPL), w.i32(0)), w.ne(w.and(q.u32(L.CR4), w.i32(CR4.TSD)), w.i32(0))));
  const now = w.sub(w.load64(w.i32(0), RUN_END), w.signed64(w.add(q.left, w.i32(1))));
  const tsc = q.let(w.add(now, q.u64(L.TSC_ADJUST)));
  q.setU64(L.GPR, w.and(tsc, w.i64(0xffff_ffff)));
  q.setU64(L.GPR + 2 * 8, w.shrU(tsc, w.i64(32)));
}

/** SDM Vol. 2, RDTSC. */
export function rdtsc(q: Quick): void {
  readTsc(q);
  q.advance();
}

/** SDM Vol. 2, RDTSCP. */
export function rdtscp(q: Quick): void {
  readTsc(q);
  q.setU64(L.GPR + 8, w.unsigned64(q.u32(msrSlotOffset(MsrSlot.tscAux))));
  q.advance();
}
