import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { HASWELL_FEATURES } from './haswell.ts';

export const skylake: CpuModel = {
  name: 'skylake',
  description: '2015, the default: adds SMAP; offers all of VMX that is built',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Core(TM) i7-6700 CPU @ 1.00GHz',
  family: 6,
  model: 0x5e,
  stepping: 3,
  maxLeaf: 0xd,
  physicalBits: 39,
  features: new Set([...HASWELL_FEATURES, 'smap']),
  vmx: { features: vmxFeaturesOf('skylake') },
};
