import { CR0, EFER, Flag, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { gp, ud } from '../fault.ts';
import * as L from '../layout.ts';
import { msrSlot as msr, MsrSlot } from '../msr.ts';
import { enterCode } from './code-segment.ts';
import { mask } from './operands.ts';
import { loadFlags } from './rflags.ts';

/** The fixed segments these instructions load, in VMCS access-rights format: SDM Vol. 2, SYSCALL and SYSENTER. */
const FLAT = { base: 0n, limit: 0xffff_ffff };
const code = (dpl: number, wide: boolean): number => (wide ? 0xa09b : 0xc09b) | (dpl << 5);
const data = (dpl: number): number => 0xc093 | (dpl << 5);

const RCX = 1;
const RDX = 2;
const R11 = 11;
const ALL = 0x3f_ffff;

const rexW = (insn: Insn): boolean => (insn.rex & 8) !== 0;

/** Loads the flat CS and SS of `cpl`, and RIP. */
function enterFlat(cpu: Cpu, kind: 'call' | 'return', cs: number, ss: number, cpl: number, wide: boolean, rip: bigint): void {
  cpu.segments[L.SS]!.load((ss & 0xfffc) | cpl, FLAT.base, FLAT.limit, data(cpl));
  enterCode(cpu, kind, cs, { selector: cs, ...FLAT, attr: code(cpl, wide) }, cpl, rip);
}

/** Both exist in 64-bit mode only (on Intel processors), when EFER.SCE is set. */
function checkSyscall(cpu: Cpu): void {
  if (!cpu.code64 || (cpu.efer & BigInt(EFER.SCE)) === 0n) throw ud();
}

/** SDM Vol. 2, SYSCALL. */
function syscall(cpu: Cpu): void {
  checkSyscall(cpu);
  const flags = cpu.rflags;
  const star = Number((msr(cpu, MsrSlot.star) >> 32n) & 0xffffn);
  cpu.setGpr(RCX, cpu.nextRip);
  cpu.setGpr(R11, BigInt(flags));
  enterFlat(cpu, 'call', star, star + 8, 0, true, msr(cpu, MsrSlot.lstar));
  loadFlags(cpu, flags & ~Number(msr(cpu, MsrSlot.fmask) & 0xffff_ffffn) & ~Flag.RF, ALL);
}

/** SDM Vol. 2, SYSRET. */
function sysret(cpu: Cpu, insn: Insn): void {
  checkSyscall(cpu);
  if (cpu.cpl !== 0) throw gp();
  const wide = rexW(insn);
  const rip = wide ? cpu.gpr(RCX) : BigInt(cpu.gpr32(RCX));
  if (wide && !cpu.canonical(rip)) throw gp();
  const star = Number((msr(cpu, MsrSlot.star) >> 48n) & 0xffffn);
  enterFlat(cpu, 'return', wide ? star + 16 : star, star + 8, 3, wide, rip);
  loadFlags(cpu, (Number(cpu.gpr(R11) & 0xffff_ffffn) & 0x3c_7fd7) | 2, ALL);
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
