import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { BASE_FEATURES } from './base.ts';

export const NEHALEM_FEATURES: readonly string[] = [...BASE_FEATURES, 'popcnt', 'rdtscp'];

export const nehalem: CpuModel = {
  name: 'nehalem',
  description: '2008: EPT and VPID, no unrestricted guest',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Core(TM) i7 CPU         920  @ 1.00GHz',
  family: 6,
  model: 0x1a,
  stepping: 5,
  maxLeaf: 0xb,
  physicalBits: 36,
  features: new Set(NEHALEM_FEATURES),
  vmx: { features: vmxFeaturesOf('nehalem') },
};
