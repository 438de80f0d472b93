import { Flag, Interruptibility, SYSTEM_FLAGS } from '../cpu.ts';
import * as L from '../layout.ts';
import { COMMON_FLAGS } from '../system/rflags.ts';
import * as w from '../wasm/value.ts';
import type { CpuCode } from './cpu-code.ts';
import { descriptor, dropInnerSegments, loadNull, loadSegment, requireCode64, requireStack } from './descriptors.ts';
import { giveUpIfAligned, setArithmeticFlags } from './rflags.ts';
import { giveUpIfCounted } from './segments.ts';

const RSP = L.GPR + 4 * 8;

/** `iret` (CPU block): IRETQ in 64-bit mode to 64-bit code, SDM Vol. 2, IRET. Goes on at RIP, which is SLOW_ADDRESS too. */
export function iret(q: CpuCode): void {
  const { f } = q;
  const rsp = q.let(q.u64(RSP));
  const old = q.let(q.u32(L.SYSFLAGS));
  q.giveUpIf(w.or(w.ne(q.u32(L.CODE_SIZE), w.i32(2)), w.or(w.and(old, w.i32(Flag.NT)), w.and(w.wrap(rsp), w.i32(7)))));
  const cpl = q.let(q.u32(L.CPL));
  const at = q.words(q.let(q.u32(L.TLB)), rsp, 40, false);
  const rip = q.let(w.load64(at(0)));
  const selector = q.let(w.load16u(at(1)));
  const flags = q.let(w.load32(at(2)));
  const newRsp = q.let(w.load64(at(3)));
  const stackSelector = q.let(w.load16u(at(4)));
  const level = q.let(w.and(selector, w.i32(3)));
  q.giveUpIf(w.ltU(level, cpl));
  const outer = q.let(w.ne(level, cpl));
  const supervisor = q.let(q.tlbHalf(false));
  const cs = descriptor(q, supervisor, selector);
  requireCode64(q, cs);
  q.giveUpIf(w.ne(cs.dpl, level));
  q.requireCanonical(rip);
  const user = q.let(w.eq(level, w.i32(3)));
  f.if(user, () => giveUpIfAligned(q, flags));
  f.if(outer, () => giveUpIfCounted(q));

  const commit = (loadStack: () => void): void => {
    loadSegment(q, L.CS, selector, cs);
    loadStack();
    q.setU32(L.CPL, level);
    q.setU32(L.TLB, q.tlbHalf(user));
    q.setU64(RSP, newRsp);
    f.if(outer, () => dropInnerSegments(q, level));
    changeFlags(q, old, flags, cpl);
    // NMIs are unblocked: SDM Vol. 3, 6.7.1.
    q.setU32(L.INTERRUPTIBILITY, w.and(q.u32(L.INTERRUPTIBILITY), w.i32(~Interruptibility.nmi)));
    for (const slot of [L.RIP, L.NEXT_RIP, L.SLOW_ADDRESS]) q.setU64(slot, rip);
    q.done();
  };
  f.if(w.eqz(w.and(stackSelector, w.i32(0xfffc))), () => {
    q.giveUpIf(w.or(user, w.ne(stackSelector, level)));
    commit(() => loadNull(q, L.SS, stackSelector, level));
  });
  const ss = descriptor(q, supervisor, stackSelector);
  requireStack(q, ss);
  q.giveUpIf(w.or(w.ne(ss.dpl, level), w.ne(w.and(stackSelector, w.i32(3)), level)));
  commit(() => loadSegment(q, L.SS, stackSelector, ss));
}

/** Bits that IRETQ may load at the privilege it executes with. */
function changeFlags(q: CpuCode, old: w.Value, flags: ReturnType<CpuCode['let']>, cpl: w.Value): void {
  const always = (COMMON_FLAGS | Flag.RF | Flag.AC | Flag.ID) & SYSTEM_FLAGS;
  const iopl = w.and(w.shrU(old, w.i32(12)), w.i32(3));
  const interrupts = w.select(w.leU(cpl, iopl), w.i32(always | Flag.IF), w.i32(always));
  const change = q.let(w.select(cpl, interrupts, w.i32(always | Flag.IF | Flag.IOPL | Flag.VIF | Flag.VIP)));
  q.setU32(L.SYSFLAGS, w.or(w.and(old, w.not(change)), w.and(flags, change)));
  setArithmeticFlags(q, flags);
}
