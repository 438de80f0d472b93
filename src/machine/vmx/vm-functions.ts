import type { Cpu } from '../cpu/cpu.ts';
import { ud } from '../cpu/fault.ts';
import type { CpuModel } from '../cpu/models/model.ts';
import { syncContext } from '../cpu/mmu/contexts.ts';
import { vmxCapabilityMsr } from './capabilities.ts';
import { Secondary } from './controls.ts';
import { selectGuestContext } from './address-space.ts';
import { eptPointerViolation } from './ept-pointer.ts';
import { secondaryControls } from './execution-controls.ts';
import { hasVmxFeature } from './features.ts';
import { F } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/** VM functions: SDM Vol. 3, 26.5.6. */
export const VmFunction = { eptpSwitching: 1n } as const;
const IA32_VMX_VMFUNC = 0x491;
/** Entries of the 4-KByte EPTP list. */
const EPTP_LIST_ENTRIES = 512;

/** VM functions that the model offers: bits of the VM-function controls that may be 1. */
export const allowedVmFunctions = (model: CpuModel): bigint => vmxCapabilityMsr(model, IA32_VMX_VMFUNC) ?? 0n;

/** EPTP switching: SDM Vol. 3, 26.5.6.3. False: a VM exit is due. */
function switchEptp(cpu: Cpu, vmcs: Vmcs): boolean {
  const index = cpu.gpr32(1);
  if (index >= EPTP_LIST_ENTRIES) return false;
  const eptp = cpu.machine.memory.read64(Number(vmcs.big(F.eptpListAddress)) + index * 8);
  if (eptPointerViolation(cpu.model, eptp) !== undefined) return false;
  vmcs.setBig(F.eptPointer, eptp);
  if (hasVmxFeature(cpu.model, 'ept-violation-ve')) vmcs.setNum(F.eptpIndex, index);
  selectGuestContext(cpu, vmcs);
  syncContext(cpu);
  cpu.machine.kick();
  return true;
}

/** VMFUNC in non-root operation, which does not depend on CPL. True when the function was performed; false when it exits. */
export function vmFunction(cpu: Cpu, vmcs: Vmcs): boolean {
  if ((secondaryControls(vmcs) & Secondary.enableVmFunctions) === 0) throw ud();
  const leaf = cpu.gpr32(0);
  if (leaf > 63 || ((vmcs.big(F.vmFunctionControls) >> BigInt(leaf)) & 1n) === 0n) return false;
  return leaf === 0 && switchEptp(cpu, vmcs);
}
