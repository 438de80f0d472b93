import { CR4, VmxMode } from '../../cpu/cpu.ts';
import { gp, ud } from '../../cpu/fault.ts';
import type { HelperTable } from '../../cpu/helper.ts';
import { readMsr } from '../../cpu/msr.ts';
import { switchContext, syncContext } from '../../cpu/mmu/contexts.ts';
import { cr0Violation, cr4Violation } from '../fixed-bits.ts';
import { REVISION_ID } from '../fields.ts';
import { vmFail, vmFailInvalid, vmSucceed } from '../failure.ts';
import { ROOT_CONTEXT } from '../address-space.ts';
import { enterVmxOperation, leaveVmxOperation } from '../state.ts';
import { hex, readPointer, regionRevision, requireMode, requireRoot, validRegionAddress } from './preamble.ts';
import { VmError } from '../reasons.ts';

const IA32_FEATURE_CONTROL = 0x3a;
/** Lock bit, and VMXON allowed outside SMX operation: SDM Vol. 3, 24.7. */
const FEATURE_CONTROL_VMXON = 5n;

export const vmxonInstructions: HelperTable = {
  /** SDM Vol. 3, 31.3 VMXON. */
  vmxon(cpu, insn) {
    requireMode(cpu);
    if (!insn.isMemory || (cpu.cr4bits & CR4.VMXE) === 0) throw ud();
    if (cpu.cpl > 0) throw gp();
    if (cpu.vmxMode !== VmxMode.off) {
      vmFail(cpu, 'vmxon', VmError.vmxonInRoot, {
        rule: 'vmxon.root',
        title: 'VMXON executed in VMX root operation',
        section: '31.3 VMXON',
        detail: '',
      });
      return;
    }
    const enabled = (readMsr(cpu, IA32_FEATURE_CONTROL) & FEATURE_CONTROL_VMXON) === FEATURE_CONTROL_VMXON;
    if (!enabled || cr0Violation(cpu.cr0, false) !== 0n || cr4Violation(cpu.model, cpu.cr4) !== 0n) throw gp();
    const pointer = readPointer(cpu, insn);
    if (!validRegionAddress(cpu, pointer)) {
      const title = 'the VMXON region must be 4-KByte aligned and within the physical-address width';
      vmFailInvalid(cpu, 'vmxon', { rule: 'vmxon.address', title, section: '31.3 VMXON', detail: `pointer ${hex(pointer)}` });
      return;
    }
    const revision = regionRevision(cpu, pointer);
    if (revision !== REVISION_ID) {
      const title = 'the VMXON region must hold the VMCS revision identifier of IA32_VMX_BASIC';
      const detail = `pointer ${hex(pointer)} holds ${hex(revision)}, expected ${hex(REVISION_ID)}`;
      vmFailInvalid(cpu, 'vmxon', { rule: 'vmxon.revision', title, section: '31.3 VMXON', detail });
      return;
    }
    enterVmxOperation(cpu, pointer);
    switchContext(cpu, ROOT_CONTEXT);
    syncContext(cpu);
    vmSucceed(cpu);
  },

  /** SDM Vol. 3, 31.3 VMXOFF. */
  vmxoff(cpu) {
    requireRoot(cpu);
    leaveVmxOperation(cpu);
    vmSucceed(cpu);
  },

  /** VMCALL in VMX root operation outside SMM; there is no dual-monitor treatment. SDM Vol. 3, 31.3 VMCALL. */
  vmcall(cpu) {
    requireRoot(cpu);
    vmFail(cpu, 'vmcall', VmError.vmcallInRoot, {
      rule: 'vmcall.root',
      title: 'VMCALL executed in VMX root operation',
      section: '31.3 VMCALL',
      detail: '',
    });
  },

  /** #UD outside VMX non-root operation, where the intercept performs it: SDM Vol. 3, 26.5.6.2 and 31.3. */
  vmfunc() {
    throw ud();
  },
};
