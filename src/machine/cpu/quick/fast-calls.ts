import { EFER, Flag } from '../cpu.ts';
import * as L from '../layout.ts';
import { flatCode, flatData, FMASK, LSTAR, STAR, SYSRET_FLAGS } from '../system/fast-calls.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';
import { giveUpIfAligned, rflags, setRflags } from './rflags.ts';
import { giveUpIfCounted, loadFlat, setCpl } from './segments.ts';

const RCX = L.GPR + 8;
const R11 = L.GPR + 11 * 8;

function enterFlat(q: Quick, cs: Value, ss: Value, cpl: 0 | 3): void {
  const selector = (v: Value): Value => w.or(w.and(v, w.i32(0xfffc)), w.i32(cpl));
  loadFlat(q, L.SS, selector(ss), flatData(cpl));
  loadFlat(q, L.CS, selector(cs), flatCode(cpl, true));
  setCpl(q, cpl);
}

function giveUpIfDisabled(q: Quick): void {
  q.giveUpIf(w.eqz(w.and(q.u32(L.EFER), w.i32(EFER.SCE))));
  giveUpIfCounted(q);
}

/** SDM Vol. 2, SYSCALL. */
export function syscall(q: Quick): void {
  giveUpIfDisabled(q);
  const flags = rflags(q);
  const cs = q.let(q.u32(STAR + 4));
  q.setU64(RCX, q.nextRip());
  q.setU64(R11, w.unsigned64(flags));
  enterFlat(q, cs, w.add(cs, w.i32(8)), 0);
  setRflags(q, q.let(w.and(flags, w.not(w.or(q.u32(FMASK), w.i32(Flag.RF))))));
  q.goTo(q.u64(LSTAR));
}

/** SYSRET to 64-bit code: SDM Vol. 2, SYSRET. */
export function sysret(q: Quick): void {
  giveUpIfDisabled(q);
  q.giveUpIf(q.u32(L.CPL));
  const rip = q.let(q.u64(RCX));
  q.requireCanonical(rip);
  const flags = q.let(w.or(w.and(q.u32(R11), w.i32(SYSRET_FLAGS)), w.i32(2)));
  giveUpIfAligned(q, flags);
  const base = q.let(w.shrU(q.u32(STAR + 4), w.i32(16)));
  enterFlat(q, w.add(base, w.i32(16)), w.add(base, w.i32(8)), 3);
  setRflags(q, flags);
  q.goTo(rip);
}
