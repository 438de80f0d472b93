import { readDebugRegister, writeDebugRegister } from '../debug-registers.ts';
import type { HelperTable } from '../helper.ts';

/** MOV to and from debug registers: SDM Vol. 2. The operand is 64 bits in 64-bit mode and 32 bits elsewhere. */
export const debugRegisterInstructions: HelperTable = {
  mov_dr_r(cpu, insn) {
    writeDebugRegister(cpu, insn.reg, cpu.readGpr(insn.rm, cpu.code64 ? 64 : 32));
  },
  mov_r_dr(cpu, insn) {
    cpu.writeGpr(insn.rm, cpu.code64 ? 64 : 32, readDebugRegister(cpu, insn.reg));
  },
};
