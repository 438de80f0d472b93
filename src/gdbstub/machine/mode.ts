import { Activity, VmxMode, type Cpu } from '../../machine/cpu/cpu.ts';
import * as L from '../../machine/cpu/layout.ts';

/** Values of the `cpu_mode` register, in the order of its enum (features/flags.ts). */
const NAMES = [
  'real mode',
  'virtual-8086',
  '16-bit protected',
  '32-bit protected',
  '16-bit compatibility',
  '32-bit compatibility',
  '64-bit',
] as const;

/** SDM Vol. 1, 3.1 and Vol. 3, 2.2. */
export function cpuMode(cpu: Cpu): number {
  if (cpu.realMode) return 0;
  if (cpu.v8086) return 1;
  const size = cpu.u32(L.CODE_SIZE);
  return cpu.longMode ? 4 + size : 2 + Math.min(size, 1);
}

/** `64-bit, VMX root, halted`. */
export function describeMode(cpu: Cpu): string {
  const parts: string[] = [NAMES[cpuMode(cpu)]!];
  if (cpu.cpl !== 0) parts.push(`CPL ${cpu.cpl}`);
  if (cpu.vmxMode === VmxMode.root) parts.push('VMX root');
  else if (cpu.vmxMode === VmxMode.nonRoot) parts.push('VMX guest');
  if (cpu.activity === Activity.hlt) parts.push('halted');
  else if (cpu.activity === Activity.shutdown) parts.push('shut down');
  else if (cpu.activity === Activity.waitForSipi) parts.push('waiting for SIPI');
  return parts.join(', ');
}

/**
 * The program counter as gdb gets it: a linear address. Outside 64-bit mode that is CS.base + IP, so that disassembly and
 * breakpoints are where the code is, whatever the segment (real mode, a VM's first code). The plain IP is rip - $cs_base.
 */
export function linearPc(cpu: Cpu): bigint {
  return cpu.code64 ? cpu.rip : BigInt.asUintN(32, cpu.segments[L.CS]!.base + cpu.rip);
}

export function setLinearPc(cpu: Cpu, pc: bigint): void {
  cpu.rip = cpu.code64 ? pc : BigInt.asUintN(32, pc - cpu.segments[L.CS]!.base);
}
