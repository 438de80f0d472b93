import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { SANDYBRIDGE_FEATURES } from './sandybridge.ts';

export const HASWELL_FEATURES: readonly string[] = [
  ...SANDYBRIDGE_FEATURES,
  ...['pdcm', 'fsgsbase', 'tsc-adjust', 'smep', 'erms', 'invpcid', 'zero-fcs-fds'],
  ...['avx2', 'fma', 'f16c', 'bmi1', 'bmi2', 'lzcnt', 'movbe', 'rdrand'],
];

export const haswell: CpuModel = {
  name: 'haswell',
  description: '2013: adds AVX2, FMA, BMI, RDRAND, SMEP, INVPCID, FSGSBASE and EPT accessed and dirty flags',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Core(TM) i7-4770 CPU @ 1.00GHz',
  family: 6,
  model: 0x3c,
  stepping: 3,
  maxLeaf: 0xd,
  physicalBits: 39,
  features: new Set(HASWELL_FEATURES),
  perfmon: { version: 3, counters: 4, width: 48 },
  vmx: { features: vmxFeaturesOf('haswell') },
};
