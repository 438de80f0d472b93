import type { CpuModel } from '../cpu/models/model.ts';
import { DEFAULT1, TRUE_CLEARABLE, type ControlWord } from './controls.ts';
import { hasVmxFeature, offeredVmxFeatures, vmxFeatures, type VmxFeatureName } from './features.ts';
import { REVISION_ID, VMCS_SIZE, highestFieldIndex } from './fields.ts';
import { cr4Fixed1 } from './fixed-bits.ts';

/** What a control word must and may have: bits of `must` are 1, bits outside `may` are 0. */
export interface AllowedSettings {
  readonly must: number;
  readonly may: number;
}

const offeredFeatures = (model: CpuModel) => vmxFeatures.filter((f) => offeredVmxFeatures(model).has(f.name));

const WORDS: readonly ControlWord[] = ['pin', 'primary', 'secondary', 'exit', 'entry'];
type Settings = Readonly<Record<ControlWord, AllowedSettings>>;

function settingsOf(model: CpuModel, word: ControlWord, exact: boolean): AllowedSettings {
  let may = DEFAULT1[word];
  for (const f of offeredFeatures(model)) if (f.control?.word === word) may |= f.control.mask;
  return { must: (DEFAULT1[word] & ~(exact ? TRUE_CLEARABLE[word] : 0)) >>> 0, may: may >>> 0 };
}

const allSettings = (model: CpuModel, exact: boolean): Settings =>
  Object.fromEntries(WORDS.map((word) => [word, settingsOf(model, word, exact)])) as Record<ControlWord, AllowedSettings>;

// VM entry checks every control word against these.
const cache = new WeakMap<CpuModel, { readonly coarse: Settings; readonly exact: Settings }>();

/** SDM Vol. 3, A.2: the default1 class, or with TRUE capability MSRs the part of it that must stay 1. */
export function allowedSettings(model: CpuModel, word: ControlWord, exact = hasVmxFeature(model, 'true-controls')): AllowedSettings {
  let settings = cache.get(model);
  if (!settings) cache.set(model, (settings = { coarse: allSettings(model, false), exact: allSettings(model, true) }));
  return (exact ? settings.exact : settings.coarse)[word];
}

/** The four CR3-target values that a VMCS has: SDM Vol. 3, 25.6.7. */
export const CR3_TARGETS = 4;
/** Recommended maximum length of an MSR area: 512 * (0 + 1) entries, SDM Vol. 3, A.6 bits 27:25. */
export const MSR_AREA_MAXIMUM = 512;

const pack = (a: AllowedSettings): bigint => BigInt(a.must) | (BigInt(a.may) << 32n);

/** Basic information: SDM Vol. 3, A.1. Write-back VMCS regions of 4 KiB, INS/OUTS information given, no dual-monitor treatment. */
function basic(model: CpuModel): bigint {
  const exact = hasVmxFeature(model, 'true-controls') ? 1n << 55n : 0n;
  return BigInt(REVISION_ID) | (BigInt(VMCS_SIZE) << 32n) | (6n << 50n) | (1n << 54n) | exact;
}

/** Miscellaneous data: SDM Vol. 3, A.6. Activity states HLT, shutdown and wait-for-SIPI are all supported. */
function misc(model: CpuModel): bigint {
  let v = (7 << 6) | (CR3_TARGETS << 16);
  for (const f of offeredFeatures(model)) v |= f.misc ?? 0;
  return BigInt(v >>> 0);
}

function eptVpid(model: CpuModel): bigint {
  let v = 0n;
  for (const f of offeredFeatures(model)) v |= f.eptVpidCap ?? 0n;
  return v;
}

/** VM functions: SDM Vol. 3, A.11. */
function vmFunctions(model: CpuModel): bigint {
  let v = 0n;
  for (const f of offeredFeatures(model)) v |= f.vmFunction ?? 0n;
  return v;
}

interface CapabilityMsr {
  readonly name: string;
  readonly needs?: VmxFeatureName | readonly VmxFeatureName[];
  value(model: CpuModel): bigint;
}

const controlsMsr = (word: ControlWord, exact: boolean) => (model: CpuModel) => pack(allowedSettings(model, word, exact));

/** SDM Vol. 3, appendix A: the capability MSRs. `needs`: without one of these features the MSR does not exist. */
export const capabilityMsrs: ReadonlyMap<number, CapabilityMsr> = new Map<number, CapabilityMsr>([
  [0x480, { name: 'IA32_VMX_BASIC', value: basic }],
  [0x481, { name: 'IA32_VMX_PINBASED_CTLS', value: controlsMsr('pin', false) }],
  [0x482, { name: 'IA32_VMX_PROCBASED_CTLS', value: controlsMsr('primary', false) }],
  [0x483, { name: 'IA32_VMX_EXIT_CTLS', value: controlsMsr('exit', false) }],
  [0x484, { name: 'IA32_VMX_ENTRY_CTLS', value: controlsMsr('entry', false) }],
  [0x485, { name: 'IA32_VMX_MISC', value: misc }],
  [0x486, { name: 'IA32_VMX_CR0_FIXED0', value: () => 0x8000_0021n }],
  [0x487, { name: 'IA32_VMX_CR0_FIXED1', value: () => 0xffff_ffffn }],
  [0x488, { name: 'IA32_VMX_CR4_FIXED0', value: () => 0x2000n }],
  [0x489, { name: 'IA32_VMX_CR4_FIXED1', value: cr4Fixed1 }],
  [0x48a, { name: 'IA32_VMX_VMCS_ENUM', value: (model) => BigInt(highestFieldIndex(model) << 1) }],
  [0x48b, { name: 'IA32_VMX_PROCBASED_CTLS2', needs: 'secondary-controls', value: controlsMsr('secondary', false) }],
  [0x48c, { name: 'IA32_VMX_EPT_VPID_CAP', needs: ['ept', 'vpid'], value: eptVpid }],
  [0x48d, { name: 'IA32_VMX_TRUE_PINBASED_CTLS', needs: 'true-controls', value: controlsMsr('pin', true) }],
  [0x48e, { name: 'IA32_VMX_TRUE_PROCBASED_CTLS', needs: 'true-controls', value: controlsMsr('primary', true) }],
  [0x48f, { name: 'IA32_VMX_TRUE_EXIT_CTLS', needs: 'true-controls', value: controlsMsr('exit', true) }],
  [0x490, { name: 'IA32_VMX_TRUE_ENTRY_CTLS', needs: 'true-controls', value: controlsMsr('entry', true) }],
  [0x491, { name: 'IA32_VMX_VMFUNC', needs: 'vm-functions', value: vmFunctions }],
]);

/** A capability MSR's value; undefined when the model has none by that index (RDMSR then faults). */
export function vmxCapabilityMsr(model: CpuModel, index: number): bigint | undefined {
  const msr = capabilityMsrs.get(index);
  if (!msr) return undefined;
  const needs = msr.needs === undefined ? [] : typeof msr.needs === 'string' ? [msr.needs] : msr.needs;
  if (needs.length > 0 && !needs.some((name) => hasVmxFeature(model, name))) return undefined;
  return msr.value(model);
}
