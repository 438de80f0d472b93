import { ud } from '../../cpu/fault.ts';
import type { HelperTable } from '../../cpu/helper.ts';
import { operandAddress } from '../../cpu/system/operands.ts';
import { writeLinear } from '../../cpu/mmu/access.ts';
import { hasVmxFeature } from '../features.ts';
import { REVISION_ID } from '../fields.ts';
import { vmFail, vmSucceed } from '../failure.ts';
import { VmError } from '../reasons.ts';
import { SHADOW_REVISION } from '../shadow-vmcs.ts';
import { NO_VMCS, rawVmcsPointer, setCurrentVmcs, vmxonPointer } from '../state.ts';
import { LaunchState, Vmcs } from '../vmcs.ts';
import { hex, readPointer, regionRevision, requireRoot, validRegionAddress } from './preamble.ts';

/** VMCLEAR, VMPTRLD, VMPTRST: SDM Vol. 3, 31.3. */
export const pointerInstructions: HelperTable = {
  vmclear(cpu, insn) {
    if (!insn.isMemory) throw ud();
    requireRoot(cpu);
    const pointer = readPointer(cpu, insn);
    const fail = (error: number, rule: string, title: string): void =>
      vmFail(cpu, 'vmclear', error, { rule, title, section: '31.3 VMCLEAR', detail: `pointer ${hex(pointer)}` });
    if (!validRegionAddress(cpu, pointer)) {
      fail(VmError.vmclearAddress, 'vmclear.address', 'the VMCS pointer must be 4-KByte aligned and within the physical-address width');
      return;
    }
    if (pointer === vmxonPointer(cpu)) {
      fail(VmError.vmclearVmxonPointer, 'vmclear.vmxon-pointer', 'the VMCS pointer must not be the VMXON pointer');
      return;
    }
    if (cpu.machine.memory.isRam(Number(pointer))) new Vmcs(cpu.machine.memory, Number(pointer)).launchState = LaunchState.clear;
    if (rawVmcsPointer(cpu) === pointer) setCurrentVmcs(cpu, NO_VMCS);
    vmSucceed(cpu);
  },

  vmptrld(cpu, insn) {
    if (!insn.isMemory) throw ud();
    requireRoot(cpu);
    const pointer = readPointer(cpu, insn);
    const fail = (error: number, rule: string, title: string, more = ''): void =>
      vmFail(cpu, 'vmptrld', error, { rule, title, section: '31.3 VMPTRLD', detail: `pointer ${hex(pointer)}${more}` });
    if (!validRegionAddress(cpu, pointer)) {
      fail(VmError.vmptrldAddress, 'vmptrld.address', 'the VMCS pointer must be 4-KByte aligned and within the physical-address width');
      return;
    }
    if (pointer === vmxonPointer(cpu)) {
      fail(VmError.vmptrldVmxonPointer, 'vmptrld.vmxon-pointer', 'the VMCS pointer must not be the VMXON pointer');
      return;
    }
    const revision = regionRevision(cpu, pointer);
    const shadow = hasVmxFeature(cpu.model, 'vmcs-shadowing') && revision === SHADOW_REVISION;
    if (revision !== REVISION_ID && !shadow) {
      const title =
        'the VMCS must hold the revision identifier of IA32_VMX_BASIC (bit 31, the shadow-VMCS indicator, only where shadowing is offered)';
      fail(VmError.vmptrldRevision, 'vmptrld.revision', title, ` holds ${hex(revision)}, expected ${hex(REVISION_ID)}`);
      return;
    }
    setCurrentVmcs(cpu, pointer);
    vmSucceed(cpu);
  },

  vmptrst(cpu, insn) {
    if (!insn.isMemory) throw ud();
    requireRoot(cpu);
    writeLinear(cpu, operandAddress(cpu, insn, 8, true), 8, rawVmcsPointer(cpu));
    vmSucceed(cpu);
  },
};
