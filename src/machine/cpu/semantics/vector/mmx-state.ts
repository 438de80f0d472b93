import { CR0 } from '../../cpu.ts';
import { Vector } from '../../fault.ts';
import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { VectorPlace } from '../../tiers/vector-place.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { Status } from '../../x87/state.ts';

/** MMX registers are the significands of the x87 registers, and MMX instructions leave their mark on the x87 state: SDM Vol. 1, 9.5. */

/** An x87 exception that waits is reported first (#MF), after #UD and #NM. */
export function requireNoPendingX87(m: Emitter): void {
  const pending = w.and(w.load32(m.c, L.FSW), w.i32(Status.ES));
  m.f.if(pending, () => m.raiseIf(w.and(w.load32(m.c, L.CR0), w.i32(CR0.NE)), Vector.MF));
}

/** TOP becomes 0 and no register is empty: SDM Vol. 1, 9.5.1. */
export function enterMmx(m: Emitter): void {
  m.f.do(w.store32(m.c, w.and(w.load32(m.c, L.FSW), w.i32(~Status.TOP)), L.FSW));
  m.f.do(w.store32(m.c, w.i32(0), L.FTW));
}

/** Writes an MMX register; sign and exponent of the x87 register become ones. */
export function setMmx(m: Emitter, d: VectorPlace, v: Value): void {
  m.f.do(d.set64(v));
  m.f.do(d.set32(w.i32(0xffff), 8));
}
