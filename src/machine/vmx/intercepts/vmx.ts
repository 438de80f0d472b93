import { hasVmxFeature, type VmxFeatureName } from '../features.ts';
import { requireMode } from '../instructions/preamble.ts';
import { ExitReason } from '../reasons.ts';
import { displacement, operandAndRegister, operandInfo } from './info.ts';
import { exitAt, type Intercept, type InterceptTable } from './intercept.ts';

/**
 * VMX instructions in non-root operation exit whatever the CPL; only #UD comes first: SDM Vol. 3, 26.1.2 and 31.3. (VMFUNC is not
 * offered: its helper raises #UD.)
 */
const plain =
  (reason: number): Intercept =>
  (cpu, insn) => {
    requireMode(cpu);
    exitAt(cpu, insn, reason);
  };

const withMemory =
  (reason: number): Intercept =>
  (cpu, insn) => {
    if (!insn.isMemory) return false;
    requireMode(cpu);
    exitAt(cpu, insn, reason, { qualification: displacement(cpu, insn), instructionInfo: operandInfo(insn) });
  };

const withRegister =
  (reason: number, needs?: VmxFeatureName): Intercept =>
  (cpu, insn) => {
    if (needs !== undefined && (!insn.isMemory || !hasVmxFeature(cpu.model, needs))) return false;
    requireMode(cpu);
    exitAt(cpu, insn, reason, { qualification: displacement(cpu, insn), instructionInfo: operandAndRegister(insn) });
  };

export const vmxIntercepts: InterceptTable = {
  // VMCALL exits in every mode.
  vmcall: (cpu, insn) => exitAt(cpu, insn, ExitReason.vmcall),
  vmlaunch: plain(ExitReason.vmlaunch),
  vmresume: plain(ExitReason.vmresume),
  vmxoff: plain(ExitReason.vmxoff),
  vmclear: withMemory(ExitReason.vmclear),
  vmptrld: withMemory(ExitReason.vmptrld),
  vmptrst: withMemory(ExitReason.vmptrst),
  vmxon: withMemory(ExitReason.vmxon),
  vmread: withRegister(ExitReason.vmread),
  vmwrite: withRegister(ExitReason.vmwrite),
  invept: withRegister(ExitReason.invept, 'invept'),
  invvpid: withRegister(ExitReason.invvpid, 'invvpid'),
};
