import { CR0 } from '../cpu.ts';
import * as L from '../layout.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

/** MOV from CR0, CR2, CR3 and CR4, which lie one after the other: SDM Vol. 2, MOV. CR8 is in the local APIC. */
export function movFromControl(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  q.giveUpInGuest();
  const n = q.let(q.regNumber());
  q.giveUpIf(w.or(w.eq(n, w.i32(1)), w.gtU(n, w.i32(4))));
  const slot = w.shl(w.sub(n, w.ne(n, w.i32(0))), w.i32(3));
  q.f.do(w.store64(q.rm(), w.load64(w.add(q.c, slot), L.CR0)));
  q.advance();
}

/** SDM Vol. 2, CLTS. */
export function clts(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  q.giveUpInGuest();
  q.setU32(L.CR0, w.and(q.u32(L.CR0), w.i32(~CR0.TS)));
  q.advance();
}
