import { VmxMode, type Cpu } from '../../cpu/cpu.ts';
import type { HelperTable } from '../../cpu/helper.ts';
import { readRm, writeRm } from '../../cpu/system/operands.ts';
import { hasVmxFeature } from '../features.ts';
import { vmFail, vmFailInvalid, vmSucceed } from '../failure.ts';
import { VmError } from '../reasons.ts';
import { linkedVmcs } from '../shadow-vmcs.ts';
import { currentVmcs, type Vmcs } from '../vmcs.ts';
import { componentOperand, hex, operandBits, requireRoot } from './preamble.ts';

/**
 * The VMCS to be accessed, or VMfailInvalid: the current one, in non-root operation (with VMCS shadowing; the intercept let the
 * instruction pass) the one that its link pointer names.
 */
function vmcsFor(cpu: Cpu, instruction: string): Vmcs | undefined {
  const current = currentVmcs(cpu);
  const shadow = cpu.vmxMode === VmxMode.nonRoot;
  const vmcs = current && shadow ? linkedVmcs(cpu, current) : current;
  if (!vmcs) {
    const section = `31.3 ${instruction.toUpperCase()}`;
    const title = shadow ? 'the VMCS link pointer must not be FFFFFFFF_FFFFFFFFH' : 'there must be a current VMCS';
    vmFailInvalid(cpu, instruction, { rule: `${instruction}.no-vmcs`, title, section, detail: '' });
  }
  return vmcs;
}

const UNSUPPORTED = 'the encoding must name a VMCS component that this processor supports';

/** VMREAD and VMWRITE: SDM Vol. 3, 31.3. The field's encoding is in ModRM.reg, the other operand in ModRM.rm. The frequent case has a quick way, cpu/quick/vmcs-access.ts. */
export const accessInstructions: HelperTable = {
  vmread(cpu, insn) {
    requireRoot(cpu);
    const vmcs = vmcsFor(cpu, 'vmread');
    if (!vmcs) return;
    const { encoding, component } = componentOperand(cpu, insn.reg);
    if (!component) {
      const details = { rule: 'vmread.component', title: UNSUPPORTED, section: '31.3 VMREAD', detail: `encoding ${hex(encoding)}` };
      vmFail(cpu, 'vmread', VmError.unsupportedComponent, details);
      return;
    }
    const value = vmcs.read(component.field);
    writeRm(cpu, insn, operandBits(cpu), component.high ? value >> 32n : value);
    vmSucceed(cpu);
  },

  vmwrite(cpu, insn) {
    requireRoot(cpu);
    const vmcs = vmcsFor(cpu, 'vmwrite');
    if (!vmcs) return;
    const value = readRm(cpu, insn, operandBits(cpu));
    const { encoding, component } = componentOperand(cpu, insn.reg);
    if (!component) {
      const details = { rule: 'vmwrite.component', title: UNSUPPORTED, section: '31.3 VMWRITE', detail: `encoding ${hex(encoding)}` };
      vmFail(cpu, 'vmwrite', VmError.unsupportedComponent, details);
      return;
    }
    const { field } = component;
    if (field.access === 'ro' && !hasVmxFeature(cpu.model, 'vmwrite-any-field')) {
      const title = 'the component must not be a VM-exit information field (IA32_VMX_MISC bit 29 is 0)';
      vmFail(cpu, 'vmwrite', VmError.readOnlyComponent, { rule: 'vmwrite.read-only', title, section: '31.3 VMWRITE', detail: field.title });
      return;
    }
    // A 32-bit operand outside 64-bit mode clears the upper half of a 64-bit field; "high" access keeps the lower one.
    vmcs.write(field, component.high ? (vmcs.read(field) & 0xffff_ffffn) | ((value & 0xffff_ffffn) << 32n) : value);
    vmSucceed(cpu);
  },
};
