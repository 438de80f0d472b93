import { Flag, Interruptibility } from '../cpu.ts';
import * as L from '../layout.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { CpuCode } from './cpu-code.ts';
import { descriptor, loadNull, loadSegment, requireCode64, slotOf } from './descriptors.ts';
import { Event } from './event.ts';
import { rflags } from './rflags.ts';
import { giveUpIfCounted } from './segments.ts';

export const DELIVER_PARAMS = ['i32', 'i32', 'i32'] as const;

const RSP = L.GPR + 4 * 8;
const INTERRUPT_SHADOWS = Interruptibility.sti | Interruptibility.movSs;

/**
 * `deliver` (CPU block, event, error code): 64-bit code interrupted in 64-bit mode, SDM Vol. 3, 6.14. Flat segments,
 * descriptors with their accessed bits set, gate and stacks in the TLB. Goes on at RIP, which is SLOW_ADDRESS too.
 */
export function deliver(q: CpuCode): void {
  const { f } = q;
  const event = f.param(1);
  const code = f.param(2);
  q.giveUpIf(w.ne(q.u32(L.CODE_SIZE), w.i32(2)));
  const supervisor = q.let(q.tlbHalf(false));
  const cpl = q.let(q.u32(L.CPL));

  const index = q.let(w.shl(w.and(event, w.i32(0xff)), w.i32(4)));
  q.giveUpIf(w.gtU(w.or(index, w.i32(15)), q.u32(L.IDTR_LIMIT)));
  const gate = q.locate(supervisor, w.add(q.u64(L.IDTR_BASE), w.unsigned64(index)), 16);
  const middle = q.let(w.load32(gate, 4));
  // Present, an interrupt or trap gate; the type field of the upper half is 0.
  q.giveUpIf(w.or(w.ne(w.and(middle, w.i32(0x9e00)), w.i32(0x8e00)), w.and(w.load32(gate, 12), w.i32(0x1f00))));
  const gateDpl = w.and(w.shrU(middle, w.i32(13)), w.i32(3));
  q.giveUpIf(w.and(w.ne(w.and(event, w.i32(Event.software)), w.i32(0)), w.ltU(gateDpl, cpl)));
  const selector = q.let(w.load16u(gate, 2));
  const cs = descriptor(q, supervisor, selector);
  requireCode64(q, cs);
  q.giveUpIf(w.gtU(cs.dpl, cpl));
  const offset = w.or(w.and(middle, w.i32(0xffff_0000)), w.load16u(gate));
  const target = q.let(w.or(w.shl(w.load32u64(gate, 8), w.i64(32)), w.unsigned64(offset)));
  q.requireCanonical(target);

  const change = q.let(w.ne(cs.dpl, cpl));
  f.if(change, () => giveUpIfCounted(q));
  const top = newStack(q, supervisor, w.and(middle, w.i32(7)), change, cs.dpl);
  const hasCode = q.let(w.and(event, w.i32(Event.errorCode)));
  // RSP is aligned before anything is pushed: 6.14.2. The word of the error code may not be needed; it lies in the same page or the one below.
  const frame = q.let(w.sub(w.and(top, w.i64(-16)), w.i64(40)));
  const bottom = q.let(w.sub(frame, w.select(hasCode, w.i64(8), w.i64(0))));
  const half = q.let(q.tlbHalf(w.eq(cs.dpl, w.i32(3))));
  const at = q.words(half, frame, 40, true);
  const codeAt = q.let(w.add(q.delta(half, bottom, 8, true), w.wrap(bottom)));

  // Nothing can fault any more.
  const flags = rflags(q);
  f.if(hasCode, () => f.do(w.store64(codeAt, w.unsigned64(code))));
  const push = (n: number, v: Value): void => f.do(w.store64(at(n), v));
  push(0, w.add(q.u64(L.RIP), w.unsigned64(w.shrU(event, w.i32(Event.length)))));
  push(1, w.unsigned64(q.u32(slotOf(L.CS, L.SEG_SELECTOR))));
  push(2, w.unsigned64(w.or(flags, w.select(w.and(event, w.i32(Event.resume)), w.i32(Flag.RF), w.i32(0)))));
  push(3, q.u64(RSP));
  push(4, w.unsigned64(q.u32(slotOf(L.SS, L.SEG_SELECTOR))));
  q.setU64(RSP, bottom);
  f.if(change, () => {
    loadNull(q, L.SS, cs.dpl, cs.dpl);
    q.setU32(L.CPL, cs.dpl);
    q.setU32(L.TLB, supervisor); // an inner ring is never CPL 3
  });
  loadSegment(q, L.CS, w.or(w.and(selector, w.i32(0xfffc)), cs.dpl), cs);
  const interruptGate = w.eqz(w.and(middle, w.i32(0x100)));
  const cleared = w.or(w.i32(Flag.TF | Flag.NT | Flag.RF | Flag.VM), w.shl(interruptGate, w.i32(9)));
  q.setU32(L.SYSFLAGS, w.and(q.u32(L.SYSFLAGS), w.not(cleared)));
  q.setU32(L.INTERRUPTIBILITY, w.and(q.u32(L.INTERRUPTIBILITY), w.i32(~INTERRUPT_SHADOWS)));
  q.setU32(L.ACTIVITY, w.i32(0)); // an event ends HLT
  for (const slot of [L.RIP, L.NEXT_RIP, L.SLOW_ADDRESS]) q.setU64(slot, target);
  q.done();
}

/** Where the handler's stack begins: RSP, or from the 64-bit TSS for IST or another level (SDM Vol. 3, 6.14.5 and 7.7). */
function newStack(q: CpuCode, supervisor: Local, istField: Value, change: Local, level: Local): Local {
  const top = q.let(q.u64(RSP));
  const ist = q.let(istField);
  q.f.if(w.or(ist, change), () => {
    const type = w.and(q.u32(slotOf(L.TR, L.SEG_ATTR)), w.i32(13));
    const at = q.let(w.select(ist, w.add(w.shl(ist, w.i32(3)), w.i32(28)), w.add(w.shl(level, w.i32(3)), w.i32(4))));
    q.giveUpIf(w.or(w.ne(type, w.i32(9)), w.gtU(w.add(at, w.i32(7)), q.u32(slotOf(L.TR, L.SEG_LIMIT)))));
    q.f.set(top, w.load64(q.locate(supervisor, w.add(q.u64(slotOf(L.TR, L.SEG_BASE)), w.unsigned64(at)), 8)));
  });
  return top;
}
