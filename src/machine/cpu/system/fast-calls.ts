import { CR0, EFER, Flag, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { gp, ud } from '../fault.ts';
import * as L from '../layout.ts';
import { canonicalHigh } from '../mmu/walk.ts';
import { msrSlot as msr, MsrSlot, msrSlotOffset } from '../msr.ts';
import { storeCpl } from '../perfmon/counters.ts';
import { enterCode } from './code-segment.ts';
import { mask } from './operands.ts';
import { loadFlags } from './rflags.ts';
import { updateMode } from './segments.ts';

/** The fixed segments these instructions load, in VMCS access-rights format: SDM Vol. 2, SYSCALL and SYSENTER. */
const FLAT = { base: 0n, limit: 0xffff_ffff };
export const flatCode = (dpl: number, wide: boolean): number => (wide ? 0xa09b : 0xc09b) | (dpl << 5);
export const flatData = (dpl: number): number => 0xc093 | (dpl << 5);

const RCX = 1;
const RDX = 2;
const GPR_RCX = L.GPR + 8;
const GPR_R11 = L.GPR + 11 * 8;
export const STAR = msrSlotOffset(MsrSlot.star);
export const LSTAR = msrSlotOffset(MsrSlot.lstar);
export const FMASK = msrSlotOffset(MsrSlot.fmask);
const ALL = 0x3f_ffff;
/** RFLAGS that SYSRET takes from R11: not RF, VM. */
export const SYSRET_FLAGS = 0x3c_7fd7;

const rexW = (insn: Insn): boolean => (insn.rex & 8) !== 0;

/** Loads the flat CS and SS of `cpl`, and RIP. */
function enterFlat(cpu: Cpu, kind: 'call' | 'return', cs: number, ss: number, cpl: number, wide: boolean, rip: bigint): void {
  cpu.segments[L.SS]!.load((ss & 0xfffc) | cpl, FLAT.base, FLAT.limit, flatData(cpl));
  enterCode(cpu, kind, cs, { selector: cs, ...FLAT, attr: flatCode(cpl, wide) }, cpl, rip);
}

/** The same for RIP in halves: SYSCALL and SYSRET do without bigints unless somebody watches branches. */
function enterFlatAt(cpu: Cpu, kind: 'call' | 'return', cs: number, ss: number, cpl: number, wide: boolean, high: number, low: number): void {
  if (cpu.machine.probe?.branch) {
    enterFlat(cpu, kind, cs, ss, cpl, wide, (BigInt(high) << 32n) | BigInt(low));
    return;
  }
  cpu.segments[L.SS]!.loadLow((ss & 0xfffc) | cpl, 0, FLAT.limit, flatData(cpl));
  cpu.segments[L.CS]!.loadLow((cs & 0xfffc) | cpl, 0, FLAT.limit, flatCode(cpl, wide));
  storeCpl(cpu, cpl);
  updateMode(cpu);
  for (const slot of [L.RIP, L.NEXT_RIP]) setHalves(cpu, slot, high, low);
  cpu.ripWritten = true;
}

function setHalves(cpu: Cpu, slot: number, high: number, low: number): void {
  cpu.setU32(slot, low);
  cpu.setU32(slot + 4, high);
}

/** Both exist in 64-bit mode only (on Intel processors), when EFER.SCE is set. */
function checkSyscall(cpu: Cpu): void {
  if (!cpu.code64 || (cpu.u32(L.EFER) & EFER.SCE) === 0) throw ud();
}

/** SDM Vol. 2, SYSCALL. The frequent case of this and of SYSRET is quick/fast-calls.ts. */
function syscall(cpu: Cpu): void {
  checkSyscall(cpu);
  const flags = cpu.rflags;
  const star = cpu.u32(STAR + 4) & 0xffff;
  setHalves(cpu, GPR_RCX, cpu.u32(L.NEXT_RIP + 4), cpu.u32(L.NEXT_RIP));
  setHalves(cpu, GPR_R11, 0, flags);
  enterFlatAt(cpu, 'call', star, star + 8, 0, true, cpu.u32(LSTAR + 4), cpu.u32(LSTAR));
  loadFlags(cpu, flags & ~cpu.u32(FMASK) & ~Flag.RF, ALL);
}

/** SDM Vol. 2, SYSRET. */
function sysret(cpu: Cpu, insn: Insn): void {
  checkSyscall(cpu);
  if (cpu.cpl !== 0) throw gp();
  const wide = rexW(insn);
  const low = cpu.u32(GPR_RCX);
  const high = wide ? cpu.u32(GPR_RCX + 4) : 0;
  if (wide && !canonicalHigh(cpu, high)) throw gp();
  const star = cpu.u32(STAR + 4) >>> 16;
  enterFlatAt(cpu, 'return', wide ? star + 16 : star, star + 8, 3, wide, high, low);
  loadFlags(cpu, (cpu.u32(GPR_R11) & SYSRET_FLAGS) | 2, ALL);
}

/** SDM Vol. 2, SYSENTER. */
function sysenter(cpu: Cpu): void {
  const selector = Number(msr(cpu, MsrSlot.sysenterCs) & 0xffffn);
  if ((cpu.cr0bits & CR0.PE) === 0 || (selector & 0xfffc) === 0) throw gp();
  const bits = cpu.longMode ? 64 : 32;
  const rip = mask(msr(cpu, MsrSlot.sysenterEip), bits);
  const rsp = mask(msr(cpu, MsrSlot.sysenterEsp), bits);
  loadFlags(cpu, 0, Flag.VM | Flag.IF | Flag.RF);
  enterFlat(cpu, 'call', selector, (selector & 0xfffc) + 8, 0, cpu.longMode, rip);
  cpu.rsp = rsp;
}

/** SDM Vol. 2, SYSEXIT. */
function sysexit(cpu: Cpu, insn: Insn): void {
  const selector = Number(msr(cpu, MsrSlot.sysenterCs) & 0xfffcn);
  if ((cpu.cr0bits & CR0.PE) === 0 || selector === 0 || cpu.cpl !== 0) throw gp();
  const wide = cpu.longMode && rexW(insn);
  const rip = mask(cpu.gpr(RDX), wide ? 64 : 32);
  const rsp = mask(cpu.gpr(RCX), wide ? 64 : 32);
  if (wide && (!cpu.canonical(rip) || !cpu.canonical(rsp))) throw gp();
  const cs = selector + (wide ? 32 : 16);
  enterFlat(cpu, 'return', cs, cs + 8, 3, wide, rip);
  cpu.rsp = rsp;
}

export const fastCallInstructions: HelperTable = { syscall, sysret, sysenter, sysexit };
