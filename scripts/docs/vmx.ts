import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import { capabilityMsrs, vmxCapabilityMsr } from '../../src/machine/vmx/capabilities.ts';
import { controlChecks, guestChecks, hostChecks } from '../../src/machine/vmx/checks/index.ts';
import type { CheckRow } from '../../src/machine/vmx/checks/check.ts';
import { offeredVmxFeatures, vmxFeatures } from '../../src/machine/vmx/features.ts';
import { F, type VmcsField } from '../../src/machine/vmx/fields.ts';
import { vmxInstructions } from '../../src/machine/vmx/instructions.ts';
import { notOffered } from '../../src/machine/vmx/not-offered.ts';
import { ExitReason, exitReasonName, VmError, vmErrorName } from '../../src/machine/vmx/reasons.ts';
import type { Blocks } from './blocks.ts';
import { code, codes, hex, table } from './table.ts';

const checkTable = (rows: readonly CheckRow[]): string =>
  table(['Rule', 'SDM Vol. 3', 'What must hold'], rows.map((r) => [code(r.id), r.section, r.title])); // prettier-ignore

const classNames = { control: 'Control', guest: 'Guest state', host: 'Host state', exit: 'VM-exit information' } as const;
const fields = Object.values(F) as readonly VmcsField[];

export const vmxBlocks: Blocks = {
  instructions: () => codes(Object.keys(vmxInstructions).sort()),
  features: () =>
    table(
      ['Feature', 'SDM name', ...cpuModels.map((m) => m.name)],
      vmxFeatures.map((f) => [code(f.name), f.title, ...cpuModels.map((m) => (offeredVmxFeatures(m).has(f.name) ? 'yes' : ''))]),
    ),
  'not-offered': () => table(['SDM name', 'Where', 'Why not'], notOffered.map((n) => [n.title, `${n.word === 'misc' ? 'IA32_VMX_MISC' : `${n.word} controls`}, bit ${n.bit}`, n.why])), // prettier-ignore
  capabilities: () =>
    table(
      ['MSR', 'Name', ...cpuModels.map((m) => m.name)],
      [...capabilityMsrs].map(([index, msr]) => [
        hex(index),
        msr.name,
        ...cpuModels.map((m) => vmxCapabilityMsr(m, index)).map((v) => (v === undefined ? '' : code(`0x${v.toString(16)}`))),
      ]),
    ),
  fields: () =>
    table(
      ['Encoding', 'Field', 'Class', 'Width', 'Needs'],
      fields.map((f) => [hex(f.encoding, 4), f.title, classNames[f.class], f.width, codes(f.features)]),
    ),
  'control-checks': () => checkTable(controlChecks),
  'host-checks': () => checkTable(hostChecks),
  'guest-checks': () => checkTable(guestChecks),
  'exit-reasons': () => table(['Number', 'Name'], Object.values(ExitReason).map((n) => [n, code(exitReasonName(n))])), // prettier-ignore
  errors: () => table(['Number', 'Meaning'], Object.values(VmError).map((n) => [n, vmErrorName(n)])), // prettier-ignore
};
