/**
 * What every model offers: the features that any x86-64 operating system assumes (SDM Vol. 1, 5.x) and that are built.
 * A feature is named as in the SDM's CPUID tables (Vol. 2, CPUID), in lower case; `cpuid-bits.ts` places it.
 */
export const BASE_FEATURES: readonly string[] = [
  ...['fpu', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'cx8', 'apic', 'sep', 'mtrr', 'pge', 'mca', 'cmov', 'pat', 'pse36', 'clflush', 'mmx', 'fxsr'],
  ...['sse', 'sse2', 'cx16', 'vmx', 'syscall', 'nx', 'lm', 'lahf64', 'invtsc'],
];

/** VMX controls beyond the default1 ones that processors without EPT already had. */
export const BASE_VMX: readonly string[] = [
  ...['tpr-shadow', 'msr-bitmaps', 'secondary-controls', 'virtual-nmis', 'virtualize-apic-accesses', 'wbinvd-exiting'],
  ...['acknowledge-interrupt-on-exit', 'monitor-trap-flag'],
];

/** What came with EPT (SDM Vol. 3, 25.6.2 and appendix A). */
export const EPT_VMX: readonly string[] = [
  ...BASE_VMX,
  ...['ept', 'vpid', 'enable-rdtscp', 'descriptor-table-exiting', 'preemption-timer', 'pause-loop-exiting'],
  ...['load-ia32-pat', 'save-ia32-pat', 'load-ia32-efer', 'save-ia32-efer'],
];
