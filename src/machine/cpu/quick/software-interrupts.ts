import { Vector } from '../fault.ts';
import { VmxMode } from '../cpu.ts';
import * as L from '../layout.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { Event } from './event.ts';
import type { Quick } from './quick.ts';

/** Delivers with the checks of software interrupts; returns to the next instruction. */
function interrupt(q: Quick, vector: Value): void {
  q.setU64(L.RIP, q.rip());
  const event = w.or(w.or(vector, w.i32(Event.software)), w.shl(q.length(), w.i32(Event.length)));
  q.f.return(q.run('deliver', event, w.i32(0)));
}

/** SDM Vol. 2, INT n. It is no exception, so no exception bitmap concerns it: SDM Vol. 3, 26.2. */
export const intN = (q: Quick): void => interrupt(q, q.imm());

export function int3(q: Quick): void {
  q.giveUpIf(w.eq(q.u32(L.VMX_MODE), w.i32(VmxMode.nonRoot)));
  interrupt(q, w.i32(Vector.BP));
}
