import type { Cpu } from '../../cpu/cpu.ts';
import { Interruptibility } from '../../cpu/cpu.ts';
import type { HelperTable } from '../../cpu/helper.ts';
import { enterGuest } from '../entry.ts';
import { vmFail, vmFailInvalid } from '../failure.ts';
import { VmError } from '../reasons.ts';
import { SHADOW_INDICATOR } from '../shadow-vmcs.ts';
import { currentVmcs, LaunchState } from '../vmcs.ts';
import { requireRoot } from './preamble.ts';

/** VMLAUNCH and VMRESUME up to the checks of VM entry: SDM Vol. 3, 27.1 and 31.3. */
function launch(cpu: Cpu, instruction: 'vmlaunch' | 'vmresume'): void {
  requireRoot(cpu);
  const section = '27.1';
  const vmcs = currentVmcs(cpu);
  if (!vmcs) {
    vmFailInvalid(cpu, instruction, { rule: `${instruction}.no-vmcs`, title: 'there must be a current VMCS', section, detail: '' });
    return;
  }
  if ((vmcs.revision & SHADOW_INDICATOR) !== 0) {
    const title = 'the current VMCS must not be a shadow VMCS';
    vmFailInvalid(cpu, instruction, { rule: `${instruction}.shadow`, title, section, detail: `VMCS at 0x${vmcs.address.toString(16)}` });
    return;
  }
  if ((cpu.interruptibility & Interruptibility.movSs) !== 0) {
    const title = 'events must not be blocked by MOV SS';
    vmFail(cpu, instruction, VmError.blockedByMovSs, { rule: 'entry.mov-ss', title, section, detail: '' });
    return;
  }
  const state = vmcs.launchState;
  if (instruction === 'vmlaunch' && state !== LaunchState.clear) {
    const title = 'VMLAUNCH requires a VMCS whose launch state is clear (VMCLEAR it first)';
    vmFail(cpu, instruction, VmError.vmlaunchNotClear, { rule: 'vmlaunch.not-clear', title, section, detail: 'launch state is "launched"' });
    return;
  }
  if (instruction === 'vmresume' && state !== LaunchState.launched) {
    const title = 'VMRESUME requires a VMCS whose launch state is launched';
    vmFail(cpu, instruction, VmError.vmresumeNotLaunched, { rule: 'vmresume.not-launched', title, section, detail: 'launch state is "clear"' });
    return;
  }
  enterGuest(cpu, vmcs, instruction);
}

export const launchInstructions: HelperTable = {
  vmlaunch: (cpu) => launch(cpu, 'vmlaunch'),
  vmresume: (cpu) => launch(cpu, 'vmresume'),
};
