import { Flag, VmxMode, type Cpu } from '../../cpu/cpu.ts';
import { gp, ud } from '../../cpu/fault.ts';
import type { PhysAddr } from '../../memory/address.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { readMemory } from '../../cpu/system/operands.ts';
import { componentOf, type Component } from '../fields.ts';

/**
 * What nearly every VMX instruction checks first, in the order of SDM Vol. 3, 31.3: #UD outside VMX operation, in v8086 mode
 * and in compatibility mode; (a VM exit in non-root operation: done by intercepts/ before the helper runs;) #GP(0) at CPL > 0.
 */
export function requireRoot(cpu: Cpu): void {
  requireMode(cpu);
  if (cpu.vmxMode === VmxMode.off) throw ud();
  if (cpu.cpl > 0) throw gp();
}

/** #UD in real-address mode, v8086 mode and compatibility mode. */
export function requireMode(cpu: Cpu): void {
  if (cpu.realMode || (cpu.sysflags & Flag.VM) !== 0 || (cpu.longMode && !cpu.code64)) throw ud();
}

/** The 64-bit physical address that VMXON, VMCLEAR and VMPTRLD take from memory, whatever the operand size. */
export function readPointer(cpu: Cpu, insn: Insn): bigint {
  if (!insn.isMemory) throw ud();
  return readMemory(cpu, insn, 64);
}

/** A region's address is 4-KByte aligned and within the processor's physical-address width. */
export function validRegionAddress(cpu: Cpu, address: bigint): boolean {
  return (address & 0xfffn) === 0n && address >> BigInt(cpu.model.physicalBits) === 0n;
}

/** The first word of a region. Where there is no RAM it reads as all ones, which is no revision identifier. */
export function regionRevision(cpu: Cpu, address: bigint): number {
  const p: PhysAddr = Number(address);
  return cpu.machine.memory.isRam(p) ? cpu.machine.memory.read(p, 4) : 0xffff_ffff;
}

/** Width of register operands of VMREAD, VMWRITE, INVEPT and INVVPID: SDM Vol. 3, 31.3. */
export function operandBits(cpu: Cpu): 32 | 64 {
  return cpu.code64 ? 64 : 32;
}

/** The component named by a register operand. */
export function componentOperand(cpu: Cpu, register: number): { readonly encoding: bigint; readonly component: Component | undefined } {
  const encoding = cpu.readGpr(register, operandBits(cpu));
  return { encoding, component: componentOf(cpu.model, encoding) };
}

export const hex = (v: bigint | number): string => `0x${v.toString(16)}`;
