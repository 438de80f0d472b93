import { CR0, Flag, Interruptibility } from '../cpu.ts';
import * as L from '../layout.ts';
import { COMMON_FLAGS } from '../system/rflags.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';
import { rflags, setRflags } from './rflags.ts';

const RSP = L.GPR + 4 * 8;

function changeSystemFlags(q: Quick, set: number, clear: number): void {
  q.setU32(L.SYSFLAGS, w.or(w.and(q.u32(L.SYSFLAGS), w.i32(~clear)), w.i32(set)));
  q.advance();
}

/** CLI at CPL 0: SDM Vol. 2, CLI. */
export function cli(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  changeSystemFlags(q, 0, Flag.IF);
}

/** STI at CPL 0: SDM Vol. 2, STI. Interrupts stay inhibited for one instruction when IF was clear. */
export function sti(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  const shadow = w.select(w.and(q.u32(L.SYSFLAGS), w.i32(Flag.IF)), w.i32(0), w.i32(Interruptibility.sti));
  q.setU32(L.INTERRUPTIBILITY, w.or(q.u32(L.INTERRUPTIBILITY), shadow));
  changeSystemFlags(q, Flag.IF, 0);
}

/** CLAC and STAC at CPL 0, where alignment is not checked: SDM Vol. 2. */
export function clac(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  changeSystemFlags(q, 0, Flag.AC);
}

export function stac(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  changeSystemFlags(q, Flag.AC, 0);
}

/** PUSHFQ: SDM Vol. 2, PUSHF. */
export function pushf(q: Quick): void {
  const rsp = q.let(w.sub(q.u64(RSP), w.i64(8)));
  const at = w.add(q.delta(q.u32(L.TLB), rsp, 8, true), w.wrap(rsp));
  q.f.do(w.store64(at, w.unsigned64(w.and(rflags(q), w.i32(~(Flag.VM | Flag.RF))))));
  q.setU64(RSP, rsp);
  q.advance();
}

const ALWAYS = COMMON_FLAGS | Flag.AC | Flag.ID | Flag.RF;

/** POPFQ: SDM Vol. 2, POPF, table 4-16. RF becomes 0. */
export function popf(q: Quick): void {
  const rsp = q.let(q.u64(RSP));
  const flags = q.let(w.and(w.load32(w.add(q.delta(q.u32(L.TLB), rsp, 8, false), w.wrap(rsp))), w.i32(~Flag.RF)));
  const old = rflags(q);
  const cpl = q.let(q.u32(L.CPL));
  // Alignment checks at CPL 3 have a TLB half of their own.
  const aligned = w.and(w.and(w.or(flags, old), q.u32(L.CR0)), w.i32(CR0.AM & Flag.AC));
  q.giveUpIf(w.and(w.eq(cpl, w.i32(3)), w.ne(aligned, w.i32(0))));
  const iopl = w.and(w.shrU(old, w.i32(12)), w.i32(3));
  const interrupts = w.select(w.leU(cpl, iopl), w.i32(ALWAYS | Flag.IF), w.i32(ALWAYS));
  const change = q.let(w.select(cpl, interrupts, w.i32(ALWAYS | Flag.IF | Flag.IOPL)));
  q.setU64(RSP, w.add(rsp, w.i64(8)));
  setRflags(q, q.let(w.or(w.and(old, w.not(change)), w.and(flags, change))));
  q.advance();
}
