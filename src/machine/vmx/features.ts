import type { CpuModel } from '../cpu/models/model.ts';
import { Entry, Exit, Pin, Primary, Secondary, type ControlWord } from './controls.ts';

/** CPU generations in order: a feature is offered from its `since` on. */
const generations = ['penryn', 'nehalem', 'sandybridge', 'haswell', 'skylake'] as const;
export type VmxGeneration = (typeof generations)[number];

/**
 * A VMX feature that a CPU model may offer. All capability MSRs derive from these rows; a row exists only when the code
 * behind it does.
 */
export interface VmxFeature {
  readonly name: string;
  /** The control's or capability's name in the SDM. */
  readonly title: string;
  readonly since: VmxGeneration;
  /** The control bit it offers, when it is one. */
  readonly control?: { readonly word: ControlWord; readonly mask: number };
  /** The bits of IA32_VMX_EPT_VPID_CAP or IA32_VMX_MISC that report it. */
  readonly eptVpidCap?: bigint;
  readonly misc?: number;
  /** The bit of IA32_VMX_VMFUNC that reports it. */
  readonly vmFunction?: bigint;
  /** VMX features without which this one is not offered either. */
  readonly needs?: string | readonly string[];
  /** CPUID feature of the model without which it is not offered. */
  readonly cpu?: string;
}

/**
 * IA32_VMX_MISC bits 4:0: the preemption timer counts down when this bit of the TSC changes (SDM Vol. 3, A.6). Processors say 5;
 * here a tick of the TSC is an instruction, and 0 lets a guest be stopped after any number of them.
 */
export const PREEMPTION_TIMER_SHIFT = 0;

type Row = Omit<VmxFeature, 'name'>;
const control = (title: string, since: VmxGeneration, word: ControlWord, mask: number, more: Partial<Row> = {}): Row => ({
  title,
  since,
  control: { word, mask },
  ...(word === 'secondary' ? { needs: 'secondary-controls' } : {}),
  ...more,
});
const eptVpid = (title: string, since: VmxGeneration, needs: 'ept' | 'vpid', cap: bigint, more: Partial<Row> = {}): Row => ({
  title,
  since,
  needs,
  eptVpidCap: cap,
  ...more,
});

const table = {
  // SDM Vol. 3, 25.6.1
  'external-interrupt-exiting': control('External-interrupt exiting', 'penryn', 'pin', Pin.externalInterruptExiting),
  'nmi-exiting': control('NMI exiting', 'penryn', 'pin', Pin.nmiExiting),
  'virtual-nmis': control('Virtual NMIs', 'penryn', 'pin', Pin.virtualNmis),
  'preemption-timer': control('Activate VMX-preemption timer', 'nehalem', 'pin', Pin.preemptionTimer, { misc: PREEMPTION_TIMER_SHIFT }),
  'posted-interrupts': control('Process posted interrupts', 'haswell', 'pin', Pin.postedInterrupts, {
    needs: ['virtual-interrupt-delivery', 'acknowledge-interrupt-on-exit'],
  }),
  // SDM Vol. 3, 25.6.2, table 25-6
  'interrupt-window-exiting': control('Interrupt-window exiting', 'penryn', 'primary', Primary.interruptWindowExiting),
  'tsc-offsetting': control('Use TSC offsetting', 'penryn', 'primary', Primary.useTscOffsetting),
  'hlt-exiting': control('HLT exiting', 'penryn', 'primary', Primary.hltExiting),
  'invlpg-exiting': control('INVLPG exiting', 'penryn', 'primary', Primary.invlpgExiting),
  'mwait-exiting': control('MWAIT exiting', 'penryn', 'primary', Primary.mwaitExiting),
  'rdpmc-exiting': control('RDPMC exiting', 'penryn', 'primary', Primary.rdpmcExiting),
  'rdtsc-exiting': control('RDTSC exiting', 'penryn', 'primary', Primary.rdtscExiting),
  'cr3-load-exiting': control('CR3-load exiting', 'penryn', 'primary', Primary.cr3LoadExiting),
  'cr3-store-exiting': control('CR3-store exiting', 'penryn', 'primary', Primary.cr3StoreExiting),
  'cr8-load-exiting': control('CR8-load exiting', 'penryn', 'primary', Primary.cr8LoadExiting),
  'cr8-store-exiting': control('CR8-store exiting', 'penryn', 'primary', Primary.cr8StoreExiting),
  'tpr-shadow': control('Use TPR shadow', 'penryn', 'primary', Primary.useTprShadow),
  'nmi-window-exiting': control('NMI-window exiting', 'penryn', 'primary', Primary.nmiWindowExiting, { needs: 'virtual-nmis' }),
  'mov-dr-exiting': control('MOV-DR exiting', 'penryn', 'primary', Primary.movDrExiting),
  'unconditional-io-exiting': control('Unconditional I/O exiting', 'penryn', 'primary', Primary.unconditionalIoExiting),
  'io-bitmaps': control('Use I/O bitmaps', 'penryn', 'primary', Primary.useIoBitmaps),
  'monitor-trap-flag': control('Monitor trap flag', 'nehalem', 'primary', Primary.monitorTrapFlag),
  'msr-bitmaps': control('Use MSR bitmaps', 'penryn', 'primary', Primary.useMsrBitmaps),
  'monitor-exiting': control('MONITOR exiting', 'penryn', 'primary', Primary.monitorExiting),
  'pause-exiting': control('PAUSE exiting', 'penryn', 'primary', Primary.pauseExiting),
  'secondary-controls': control('Activate secondary controls', 'penryn', 'primary', Primary.activateSecondaryControls),
  // SDM Vol. 3, 25.6.2, table 25-7
  ept: control('Enable EPT', 'nehalem', 'secondary', Secondary.enableEpt, { eptVpidCap: (1n << 6n) | (1n << 8n) | (1n << 14n) }),
  'virtualize-apic-accesses': control('Virtualize APIC accesses', 'penryn', 'secondary', Secondary.virtualizeApicAccesses, {
    needs: ['secondary-controls', 'tpr-shadow'],
  }),
  'virtualize-x2apic': control('Virtualize x2APIC mode', 'nehalem', 'secondary', Secondary.virtualizeX2apic, {
    needs: ['secondary-controls', 'tpr-shadow'],
  }),
  'apic-register-virtualization': control('APIC-register virtualization', 'haswell', 'secondary', Secondary.apicRegisterVirtualization, {
    needs: ['secondary-controls', 'tpr-shadow'],
  }),
  'virtual-interrupt-delivery': control('Virtual-interrupt delivery', 'haswell', 'secondary', Secondary.virtualInterruptDelivery, {
    needs: ['secondary-controls', 'tpr-shadow', 'external-interrupt-exiting'],
  }),
  'descriptor-table-exiting': control('Descriptor-table exiting', 'nehalem', 'secondary', Secondary.descriptorTableExiting),
  rdtscp: control('Enable RDTSCP', 'nehalem', 'secondary', Secondary.enableRdtscp, { cpu: 'rdtscp' }),
  vpid: control('Enable VPID', 'nehalem', 'secondary', Secondary.enableVpid),
  'wbinvd-exiting': control('WBINVD exiting', 'penryn', 'secondary', Secondary.wbinvdExiting),
  // A guest that leaves IA-32e mode makes "IA-32e mode guest" change: VM exits store EFER.LMA into it (A.6, bit 5).
  'unrestricted-guest': control('Unrestricted guest', 'sandybridge', 'secondary', Secondary.unrestrictedGuest, { misc: 1 << 5 }),
  'pause-loop-exiting': control('PAUSE-loop exiting', 'nehalem', 'secondary', Secondary.pauseLoopExiting),
  'rdrand-exiting': control('RDRAND exiting', 'haswell', 'secondary', Secondary.rdrandExiting, { cpu: 'rdrand' }),
  invpcid: control('Enable INVPCID', 'haswell', 'secondary', Secondary.enableInvpcid, { cpu: 'invpcid' }),
  'vm-functions': control('Enable VM functions', 'haswell', 'secondary', Secondary.enableVmFunctions),
  'vmcs-shadowing': control('VMCS shadowing', 'haswell', 'secondary', Secondary.vmcsShadowing),
  'rdseed-exiting': control('RDSEED exiting', 'skylake', 'secondary', Secondary.rdseedExiting, { cpu: 'rdseed' }),
  pml: control('Enable PML', 'skylake', 'secondary', Secondary.enablePml, { needs: 'ept-ad' }),
  'ept-violation-ve': control('EPT-violation #VE', 'skylake', 'secondary', Secondary.eptViolationVe, { needs: 'ept' }),
  xsaves: control('Enable XSAVES/XRSTORS', 'skylake', 'secondary', Secondary.enableXsaves, { cpu: 'xsaves' }),
  'mode-based-execute': control('Mode-based execute control for EPT', 'skylake', 'secondary', Secondary.modeBasedExecute, { needs: 'ept' }),
  'tsc-scaling': control('Use TSC scaling', 'skylake', 'secondary', Secondary.useTscScaling),
  // SDM Vol. 3, 25.7.1
  'host-address-space-size': control('Host address-space size', 'penryn', 'exit', Exit.hostAddressSpaceSize),
  'exit-load-perf-global-ctrl': control('Load IA32_PERF_GLOBAL_CTRL', 'nehalem', 'exit', Exit.loadPerfGlobalCtrl, {
    cpu: 'arch-perfmon',
  }),
  'acknowledge-interrupt-on-exit': control('Acknowledge interrupt on exit', 'penryn', 'exit', Exit.acknowledgeInterrupt),
  'save-pat': control('Save IA32_PAT', 'nehalem', 'exit', Exit.savePat),
  'exit-load-pat': control('Load IA32_PAT', 'nehalem', 'exit', Exit.loadPat),
  'save-efer': control('Save IA32_EFER', 'nehalem', 'exit', Exit.saveEfer),
  'exit-load-efer': control('Load IA32_EFER', 'nehalem', 'exit', Exit.loadEfer),
  'save-preemption-timer': control('Save VMX-preemption timer value', 'nehalem', 'exit', Exit.savePreemptionTimer, { needs: 'preemption-timer' }),
  'clear-bndcfgs': control('Clear IA32_BNDCFGS', 'skylake', 'exit', Exit.clearBndcfgs, { cpu: 'mpx' }),
  // SDM Vol. 3, 25.8.1
  'ia32e-mode-guest': control('IA-32e mode guest', 'penryn', 'entry', Entry.ia32eModeGuest),
  'entry-load-perf-global-ctrl': control('Load IA32_PERF_GLOBAL_CTRL', 'nehalem', 'entry', Entry.loadPerfGlobalCtrl, {
    cpu: 'arch-perfmon',
  }),
  'entry-load-pat': control('Load IA32_PAT', 'nehalem', 'entry', Entry.loadPat),
  'entry-load-efer': control('Load IA32_EFER', 'nehalem', 'entry', Entry.loadEfer),
  'entry-load-bndcfgs': control('Load IA32_BNDCFGS', 'skylake', 'entry', Entry.loadBndcfgs, { cpu: 'mpx' }),
  // SDM Vol. 3, A.1, A.10 and A.6
  'true-controls': { title: 'TRUE capability MSRs', since: 'nehalem' },
  'ept-execute-only': eptVpid('EPT execute-only translations', 'haswell', 'ept', 1n),
  'ept-2m': eptVpid('EPT 2-MByte pages', 'nehalem', 'ept', 1n << 16n),
  'ept-1g': eptVpid('EPT 1-GByte pages', 'sandybridge', 'ept', 1n << 17n),
  'ept-ad': eptVpid('EPT accessed and dirty flags', 'haswell', 'ept', 1n << 21n),
  'ept-advanced-information': eptVpid('Advanced VM-exit information for EPT violations', 'skylake', 'ept', 1n << 22n),
  invept: eptVpid('INVEPT, single-context and all-context', 'nehalem', 'ept', (1n << 20n) | (1n << 25n) | (1n << 26n)),
  invvpid: eptVpid('INVVPID, all four types', 'nehalem', 'vpid', (1n << 32n) | (0xfn << 40n)),
  // SDM Vol. 3, A.11
  'eptp-switching': { title: 'VM function 0: EPTP switching', since: 'haswell', needs: ['vm-functions', 'ept'], vmFunction: 1n },
  'vmwrite-any-field': { title: 'VMWRITE to VM-exit information fields', since: 'haswell', misc: 1 << 29 },
  'zero-length-injection': { title: 'Injection of software events with instruction length 0', since: 'skylake', misc: 1 << 30 },
} satisfies Record<string, Row>;

export type VmxFeatureName = keyof typeof table;

export const vmxFeatures: readonly VmxFeature[] = Object.entries<Row>(table).map(([name, row]) => ({ name, ...row }));
const byName = new Map(vmxFeatures.map((f) => [f.name, f]));

/** The features of a generation, for the CPU models to name. */
export function vmxFeaturesOf(generation: VmxGeneration): ReadonlySet<string> {
  const n = generations.indexOf(generation);
  return new Set(vmxFeatures.filter((f) => generations.indexOf(f.since) <= n).map((f) => f.name));
}

function offers(model: CpuModel, name: string): boolean {
  const row = byName.get(name)!;
  if (!model.vmx.features.has(name)) return false;
  if (row.cpu !== undefined && !model.features.has(row.cpu)) return false;
  const needs = row.needs ?? [];
  return (typeof needs === 'string' ? [needs] : needs).every((n) => offers(model, n));
}

// A model is immutable data, and VM entry asks often.
const offered = new WeakMap<CpuModel, ReadonlySet<string>>();

/** The names of what a model offers: features whose needs it offers too. */
export function offeredVmxFeatures(model: CpuModel): ReadonlySet<string> {
  let names = offered.get(model);
  if (!names) {
    names = new Set(vmxFeatures.map((f) => f.name).filter((name) => offers(model, name)));
    offered.set(model, names);
  }
  return names;
}

/** True when the model offers the feature and everything it needs. */
export function hasVmxFeature(model: CpuModel, name: VmxFeatureName): boolean {
  return offeredVmxFeatures(model).has(name);
}
