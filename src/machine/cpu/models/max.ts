import { vmxFeaturesOf } from '../../vmx/features.ts';
import { cpuidBits } from './cpuid-bits.ts';
import type { CpuModel } from './model.ts';
import { skylake } from './skylake.ts';

/** No processor that was ever sold: for tests, and to see what else there is. */
export const max: CpuModel = {
  ...skylake,
  name: 'max',
  description: 'all that is built, whichever processor had it',
  brand: 'vmxscope CPU @ 1.00GHz',
  physicalBits: 46,
  features: new Set(cpuidBits.filter((row) => row.built).map((row) => row.feature)),
  perfmon: { version: 4, counters: 8, width: 48 },
  vmx: { features: vmxFeaturesOf('skylake') },
};
