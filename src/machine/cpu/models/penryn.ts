import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { CORE2_FEATURES } from './base.ts';

/** Stepping E0 brought XSAVE. */
const PENRYN_FEATURES: readonly string[] = [...CORE2_FEATURES, 'xsave'];

export const penryn: CpuModel = {
  name: 'penryn',
  description: '2008: SSE4.1; VMX without EPT, VPID or unrestricted guest; no PCID, no 1-GByte pages',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Core(TM)2 Duo CPU     P8600  @ 1.00GHz',
  family: 6,
  model: 0x17,
  stepping: 10,
  maxLeaf: 0xd,
  physicalBits: 36,
  features: new Set(PENRYN_FEATURES),
  perfmon: { version: 2, counters: 2, width: 40 },
  vmx: { features: vmxFeaturesOf('penryn') },
};
