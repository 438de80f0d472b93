/** MOV to and from control registers, LMSW, SMSW, CLTS: SDM Vol. 2. VMX non-root operation is asked before, by the core. */
import { CR0, CR4, type Cpu } from '../cpu.ts';
import { writeCr0, writeCr3, writeCr4, writeCr8 } from '../control-registers.ts';
import { gp, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import { readRm, writeRm } from '../system/operands.ts';

/** CR1, CR5-CR7 and CR9-CR15 do not exist; CR8 is reached with REX, hence in 64-bit mode only. */
const EXISTING = new Set([0, 2, 3, 4, 8]);

/** CPL 0 or #GP(0): most of the instructions in this folder begin so. */
export function requireCpl0(cpu: Cpu): void {
  if (cpu.cpl !== 0) throw gp();
}

function readControlRegister(cpu: Cpu, n: number): bigint {
  if (n === 0) return cpu.cr0;
  if (n === 2) return cpu.cr2;
  if (n === 3) return cpu.cr3;
  return n === 4 ? cpu.cr4 : BigInt(cpu.irq.getCr8());
}

function writeControlRegister(cpu: Cpu, n: number, value: bigint): void {
  if (n === 0) writeCr0(cpu, value);
  else if (n === 2) cpu.cr2 = value;
  else if (n === 3) writeCr3(cpu, value);
  else if (n === 4) writeCr4(cpu, value);
  else writeCr8(cpu, value);
}

export const controlRegisterInstructions: HelperTable = {
  mov_cr_r(cpu, insn) {
    if (!EXISTING.has(insn.reg)) throw ud();
    requireCpl0(cpu);
    writeControlRegister(cpu, insn.reg, cpu.readGpr(insn.rm, cpu.code64 ? 64 : 32));
  },
  mov_r_cr(cpu, insn) {
    if (!EXISTING.has(insn.reg)) throw ud();
    requireCpl0(cpu);
    cpu.writeGpr(insn.rm, cpu.code64 ? 64 : 32, readControlRegister(cpu, insn.reg));
  },
  /** Loads PE, MP, EM, TS; cannot clear PE. */
  lmsw(cpu, insn) {
    requireCpl0(cpu);
    const value = readRm(cpu, insn, 16);
    writeCr0(cpu, (cpu.cr0 & ~0xen) | (value & 0xfn));
  },
  smsw(cpu, insn) {
    if (cpu.cpl !== 0 && (cpu.cr4bits & CR4.UMIP) !== 0) throw gp();
    // To memory always 16 bits; a 32- or 64-bit register gets all of CR0.
    writeRm(cpu, insn, insn.isMemory ? 16 : insn.opsize, cpu.cr0);
  },
  clts(cpu) {
    requireCpl0(cpu);
    cpu.cr0 &= ~BigInt(CR0.TS);
  },
};
