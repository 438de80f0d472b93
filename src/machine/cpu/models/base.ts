/**
 * What every model offers: the features that any x86-64 operating system assumes (SDM Vol. 1, 5.x) and that are built.
 * A feature is named as in the SDM's CPUID tables (Vol. 2, CPUID), in lower case; `cpuid-bits.ts` places it.
 */
export const BASE_FEATURES: readonly string[] = [
  ...[
    'fpu',
    'vme',
    'de',
    'pse',
    'tsc',
    'msr',
    'pae',
    'mce',
    'cx8',
    'apic',
    'sep',
    'mtrr',
    'pge',
    'mca',
    'cmov',
    'pat',
    'pse36',
    'clflush',
    'mmx',
    'fxsr',
  ],
  ...['arch-perfmon', 'sse', 'sse2', 'cx16', 'vmx', 'syscall', 'nx', 'lm', 'lahf64', 'invtsc'],
];

/** What the Core 2 of 45 nm has, and all that came after it. */
export const CORE2_FEATURES: readonly string[] = [...BASE_FEATURES, 'monitor', 'sse3', 'ssse3', 'sse4.1'];
