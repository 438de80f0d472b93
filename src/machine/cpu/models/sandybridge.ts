import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { NEHALEM_FEATURES } from './nehalem.ts';

export const SANDYBRIDGE_FEATURES: readonly string[] = [
  ...NEHALEM_FEATURES,
  ...['pcid', 'pdpe1gb', 'tsc-deadline', 'aes', 'pclmulqdq', 'xsave', 'xsaveopt', 'avx'],
];

export const sandybridge: CpuModel = {
  name: 'sandybridge',
  description: '2011: adds AVX, XSAVE, AES, unrestricted guest, PCID and 1-GByte pages',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Xeon(R) CPU E5-2670 0 @ 1.00GHz',
  family: 6,
  model: 0x2d,
  stepping: 7,
  maxLeaf: 0xd,
  physicalBits: 46,
  features: new Set(SANDYBRIDGE_FEATURES),
  perfmon: { version: 3, counters: 4, width: 48 },
  vmx: { features: vmxFeaturesOf('sandybridge') },
};
