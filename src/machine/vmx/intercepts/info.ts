import type { Cpu } from '../../cpu/cpu.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { FS, GS } from '../../cpu/layout.ts';
import { effectiveAddress } from '../../cpu/system/operands.ts';

/** VM-exit instruction information and the qualification that goes with it: SDM Vol. 3, 28.2.5, tables 28-8 to 28-15. */

const addressSize = (insn: Insn): number => (insn.addrsize === 16 ? 0 : insn.addrsize === 32 ? 1 : 2);
const NO_INDEX = 1 << 22;
const NO_BASE = 1 << 27;

/** Scaling, address size, segment, index and base of a memory operand; bit 10 and the register for a register operand. */
export function operandInfo(insn: Insn): number {
  if (!insn.isMemory) return (1 << 10) | (insn.rm << 3);
  const index = insn.index < 0 ? NO_INDEX : (insn.index << 18) | insn.scale;
  const base = insn.base < 0 || insn.base === 16 ? NO_BASE : insn.base << 23;
  return index | base | (addressSize(insn) << 7) | (insn.segment << 15);
}

/** VMREAD, VMWRITE, INVEPT, INVVPID, INVPCID: with the register operand in bits 31:28. */
export const operandAndRegister = (insn: Insn): number => (operandInfo(insn) | (insn.reg << 28)) >>> 0;

/** LGDT, LIDT, SGDT, SIDT: operand size in bit 11, which instruction in bits 29:28 (SGDT 0, SIDT 1, LGDT 2, LIDT 3). */
export function descriptorTableInfo(insn: Insn, identity: number): number {
  const size = insn.opsize === 16 && insn.mode !== 64 ? 0 : 1;
  return operandInfo(insn) | (size << 11) | (identity << 28);
}

/** LLDT, LTR, SLDT, STR: which instruction in bits 29:28 (SLDT 0, STR 1, LLDT 2, LTR 3). */
export const systemSegmentInfo = (insn: Insn, identity: number): number => operandInfo(insn) | (identity << 28);

/** RDRAND, RDSEED: destination in bits 6:3, operand size in bits 12:11. */
export const randomInfo = (insn: Insn): number => (insn.rm << 3) | ((insn.opsize === 16 ? 0 : insn.opsize === 32 ? 1 : 2) << 11);

/** INS, OUTS: address size in bits 9:7, for OUTS the segment in bits 17:15. */
export const stringIoInfo = (insn: Insn, segment: number): number => (addressSize(insn) << 7) | (segment << 15);

/** The qualification of instructions with a memory operand: its displacement; RIP-relative: the address. 28.2.1 */
export function displacement(cpu: Cpu, insn: Insn): bigint {
  if (!insn.isMemory) return 0n;
  const value = insn.base === 16 ? insn.disp + cpu.nextRip : insn.disp;
  return BigInt.asUintN(cpu.code64 ? 64 : 32, value);
}

/** Linear address of an offset, without any check: what INVLPG and INS/OUTS exits report. */
export function uncheckedLinear(cpu: Cpu, segment: number, offset: bigint): bigint {
  if (!cpu.code64) return BigInt.asUintN(32, cpu.segments[segment]!.base + offset);
  return BigInt.asUintN(64, segment === FS || segment === GS ? cpu.segments[segment]!.base + offset : offset);
}

export const operandLinear = (cpu: Cpu, insn: Insn): bigint => uncheckedLinear(cpu, insn.segment, effectiveAddress(cpu, insn));
