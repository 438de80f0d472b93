import { hasVmxFeature, type VmxFeatureName } from '../features.ts';
import { F, type VmcsField } from '../fields.ts';
import { operandBits, requireMode } from '../instructions/preamble.ts';
import { ExitReason } from '../reasons.ts';
import { shadowAccessExits } from '../shadow-vmcs.ts';
import { vmFunction } from '../vm-functions.ts';
import { displacement, operandAndRegister, operandInfo } from './info.ts';
import { exitAt, exitBy, type Intercept, type InterceptTable } from './intercept.ts';

/**
 * VMX instructions in non-root operation exit whatever the CPL; only #UD comes first: SDM Vol. 3, 26.1.2 and 31.3. VMREAD and VMWRITE
 * may instead access the shadow VMCS, VMFUNC may do its work.
 */
const plain =
  (reason: number): Intercept =>
  (cpu, insn) => {
    requireMode(cpu);
    return exitBy(cpu, insn, reason);
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

/** VMREAD and VMWRITE: the bitmaps of "VMCS shadowing" decide about the exit; #GP at CPL > 0 comes after it. */
const access = (reason: number, bitmap: VmcsField<64>): Intercept => {
  const exit = withRegister(reason);
  return (cpu, insn, vmcs) => {
    requireMode(cpu);
    return shadowAccessExits(cpu, vmcs, bitmap, cpu.readGpr(insn.reg, operandBits(cpu))) && exit(cpu, insn, vmcs);
  };
};

export const vmxIntercepts: InterceptTable = {
  // VMCALL exits in every mode.
  vmcall: (cpu, insn) => exitBy(cpu, insn, ExitReason.vmcall),
  vmlaunch: plain(ExitReason.vmlaunch),
  vmresume: plain(ExitReason.vmresume),
  vmxoff: plain(ExitReason.vmxoff),
  vmclear: withMemory(ExitReason.vmclear),
  vmptrld: withMemory(ExitReason.vmptrld),
  vmptrst: withMemory(ExitReason.vmptrst),
  vmxon: withMemory(ExitReason.vmxon),
  vmread: access(ExitReason.vmread, F.vmreadBitmap),
  vmwrite: access(ExitReason.vmwrite, F.vmwriteBitmap),
  invept: withRegister(ExitReason.invept, 'invept'),
  invvpid: withRegister(ExitReason.invvpid, 'invvpid'),
  vmfunc: (cpu, insn, vmcs) => vmFunction(cpu, vmcs) || exitAt(cpu, insn, ExitReason.vmfunc),
};
