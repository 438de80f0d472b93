import { VmxMode, type Cpu } from '../../cpu/cpu.ts';
import type { HelperTable } from '../../cpu/helper.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { readRm, writeRm } from '../../cpu/system/operands.ts';
import { hasVmxFeature } from '../features.ts';
import { ENCODINGS, FieldEntry, fieldTable } from '../field-table.ts';
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

/** The entry of the field that a register names in 64-bit mode, if it allows what `flag` says; 0: the general way finds out why. */
function quickEntry(cpu: Cpu, register: number, flag: number): number {
  const slot = (cpu.block >> 2) + register * 2;
  const encoding = cpu.m.u32[slot]!;
  if (!cpu.code64 || cpu.m.u32[slot + 1] !== 0 || encoding >= ENCODINGS || (encoding & 1) !== 0) return 0;
  const entry = fieldTable(cpu.model)[encoding >> 1]!;
  return (entry & flag) !== 0 ? entry : 0;
}

/** Between a whole field and a register, in halves. False: nothing was done. */
function quickRead(cpu: Cpu, insn: Insn, vmcs: Vmcs): boolean {
  const entry = insn.isMemory ? 0 : quickEntry(cpu, insn.reg, FieldEntry.readable);
  if (entry === 0) return false;
  const { u32 } = cpu.m;
  const from = vmcs.word + ((entry & FieldEntry.offset) >> 2);
  const to = (cpu.block >> 2) + insn.rm * 2;
  const unused = entry & FieldEntry.unused;
  u32[to] = unused === 3 ? u32[from]! & 0xffff : u32[from]!;
  u32[to + 1] = unused === 0 ? u32[from + 1]! : 0;
  return true;
}

function quickWrite(cpu: Cpu, insn: Insn, vmcs: Vmcs): boolean {
  const entry = insn.isMemory ? 0 : quickEntry(cpu, insn.reg, FieldEntry.writable);
  if (entry === 0) return false;
  const { u16, u32 } = cpu.m;
  const from = (cpu.block >> 2) + insn.rm * 2;
  const to = vmcs.word + ((entry & FieldEntry.offset) >> 2);
  const unused = entry & FieldEntry.unused;
  if (unused === 3) u16[to * 2] = u32[from]!;
  else u32[to] = u32[from]!;
  if (unused === 0) u32[to + 1] = u32[from + 1]!;
  vmcs.touch();
  return true;
}

/** VMREAD and VMWRITE: SDM Vol. 3, 31.3. The field's encoding is in ModRM.reg, the other operand in ModRM.rm. */
export const accessInstructions: HelperTable = {
  vmread(cpu, insn) {
    requireRoot(cpu);
    const vmcs = vmcsFor(cpu, 'vmread');
    if (!vmcs) return;
    if (quickRead(cpu, insn, vmcs)) {
      vmSucceed(cpu);
      return;
    }
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
    if (quickWrite(cpu, insn, vmcs)) {
      vmSucceed(cpu);
      return;
    }
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
