import { vmxFeaturesOf } from '../../vmx/features.ts';
import type { CpuModel } from './model.ts';
import { CORE2_FEATURES } from './base.ts';

export const NEHALEM_FEATURES: readonly string[] = [...CORE2_FEATURES, 'sse4.2', 'popcnt', 'rdtscp', 'x2apic'];

export const nehalem: CpuModel = {
  name: 'nehalem',
  description: '2008: adds SSE4.2, POPCNT, RDTSCP, EPT and VPID; no unrestricted guest',
  vendor: 'GenuineIntel',
  brand: 'Intel(R) Core(TM) i7 CPU         920  @ 1.00GHz',
  family: 6,
  model: 0x1a,
  stepping: 5,
  maxLeaf: 0xb,
  physicalBits: 36,
  features: new Set(NEHALEM_FEATURES),
  perfmon: { version: 3, counters: 4, width: 48 },
  vmx: { features: vmxFeaturesOf('nehalem') },
};
