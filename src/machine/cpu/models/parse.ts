/** `--cpu MODEL,-feature,+feature`: a model with features taken away or added. */
import { nearest } from '../../../text/suggest.ts';
import { vmxFeatures } from '../../vmx/features.ts';
import { cpuidBits } from './cpuid-bits.ts';
import { consistent, dependencies } from './dependencies.ts';
import { cpuModel, cpuModels } from './index.ts';
import type { CpuModel } from './model.ts';

/** A mistake in the text, to be shown to the person as it is. */
export class CpuModelError extends Error {}

/** "; did you mean X?", when something is near enough. */
function suggestion(name: string, names: readonly string[]): string {
  const best = nearest(name, names);
  return best === undefined ? '' : `; did you mean ${best}?`;
}

const cpuFeatures = new Map(cpuidBits.map((row) => [row.feature, row]));
const vmxNames = new Set(vmxFeatures.map((f) => f.name));

/** Features that `+` and `-` may name: those of CPUID that are built, and those of VMX. */
export const adjustableFeatures: readonly string[] = [...new Set([...cpuidBits.filter((r) => r.built).map((r) => r.feature), ...vmxNames])].sort();

/** Throws `CpuModelError`, whose message says what is wrong with which word. */
export function parseCpuModel(text: string): CpuModel {
  const [name = '', ...changes] = text.split(',').map((word) => word.trim().toLowerCase());
  const model = cpuModel(name);
  if (!model) {
    const names = cpuModels.map((m) => m.name);
    throw new CpuModelError(`unknown CPU model '${name}'${suggestion(name, names)} (models: ${names.join(', ')})`);
  }
  if (changes.length === 0) return model;
  const features = new Set(model.features);
  const vmx = new Set(model.vmx.features);
  for (const change of changes) {
    const sign = change[0];
    const feature = change.slice(1);
    if (sign !== '+' && sign !== '-')
      throw new CpuModelError(`'${change}' in --cpu ${text}: write +${change} to add or -${change} to take away a feature`);
    const row = cpuFeatures.get(feature);
    if (!row && !vmxNames.has(feature)) throw new CpuModelError(`unknown CPU feature '${feature}'${suggestion(feature, adjustableFeatures)}`);
    if (sign === '+' && row && !row.built) throw new CpuModelError(`CPU feature '${feature}' is not built and cannot be added`);
    if (row) features[sign === '+' ? 'add' : 'delete'](feature);
    if (vmxNames.has(feature)) vmx[sign === '+' ? 'add' : 'delete'](feature);
  }
  const kept = consistent(features);
  for (const change of changes) {
    const feature = change.slice(1);
    const need = dependencies[feature];
    if (change[0] === '+' && features.has(feature) && !kept.has(feature))
      throw new CpuModelError(`CPU feature '${feature}' needs '${need}': write +${need},+${feature}`);
  }
  return { ...model, features: kept, vmx: { features: vmx } };
}
