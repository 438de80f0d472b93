/** Tests that are not of this machine, and why. The first row whose pattern matches the name counts. */
export const notRun: readonly (readonly [name: RegExp, why: string])[] = [
  [/^asyncpf$|^kvmclock|^hypercall$|^vmware_backdoors$/, 'a paravirtual interface of KVM or VMware'],
  [/^hyperv_/, 'a paravirtual interface of Hyper-V'],
  [/^svm/, 'AMD SVM'],
  [/^pmu/, 'no model offers performance counters'],
  [/^intel_iommu$/, 'no IOMMU'],
  [/^s3$/, 'sleep needs a BIOS that wakes up'],
  [/^vmexit_/, 'measures KVM, checks nothing'],
  [/_fep$/, "needs KVM's forced-emulation prefix"],
  [/maxphyaddr$/, 'MAXPHYADDR belongs to the model'],
];

/**
 * Variables of kvm-unit-tests' environment. TEST_DEVICE=0 says that the machine is no KVM guest: the tests then leave out
 * what KVM adds to the processor.
 */
export const environments: Readonly<Record<string, { readonly text: string; readonly why: string }>> = {
  x2apic: { text: 'TEST_DEVICE=0', why: 'VMCALL outside VMX operation is #UD; KVM sends IPIs with it' },
  xapic: { text: 'TEST_DEVICE=0', why: 'VMCALL outside VMX operation is #UD; KVM sends IPIs with it' },
  syscall: { text: 'TEST_DEVICE=0', why: 'SYSCALL in compatibility mode is #UD on Intel (SDM Vol. 2); KVM emulates it' },
};
