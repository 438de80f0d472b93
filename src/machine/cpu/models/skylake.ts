import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { HASWELL_FEATURES } from './haswell.ts';

const SKYLAKE_FEATURES: readonly string[] = [
  ...HASWELL_FEATURES,
  ...['smap', 'adx', 'rdseed', 'prefetchw', 'clflushopt', 'xsavec', 'xgetbv1', 'xsaves', 'mpx'],
];

export const skylake: CpuModel = {
  name: 'skylake',
  description: '2015, the default: adds SMAP, ADX, RDSEED, XSAVEC, XSAVES and MPX; offers all of VMX that is built',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Core(TM) i7-6700 CPU @ 1.00GHz',
  family: 6,
  model: 0x5e,
  stepping: 3,
  maxLeaf: 0xd,
  physicalBits: 39,
  features: new Set(SKYLAKE_FEATURES),
  perfmon: { version: 4, counters: 4, width: 48 },
  vmx: { features: vmxFeaturesOf('skylake') },
};
