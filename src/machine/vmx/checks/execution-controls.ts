import { allowedSettings, CR3_TARGETS } from '../capabilities.ts';
import { Exit, Pin, Primary, Secondary, type ControlWord } from '../controls.ts';
import { eptPointerChecks } from '../ept-pointer.ts';
import { F, type VmcsField } from '../fields.ts';
import { allowedVmFunctions, VmFunction } from '../vm-functions.ts';
import { addressRows, withinWidth, type CheckRow, type EntryContext } from './check.ts';

/** SDM Vol. 3, 27.2.1.1: checks on VM-execution control fields. */
const section = '27.2.1.1';

/** Reserved bits of a control word are as the capability MSRs say: SDM Vol. 3, A.2 to A.5. */
export function allowedRows(id: string, at: string, word: ControlWord, field: VmcsField<32>, when?: (c: EntryContext) => boolean): CheckRow[] {
  const value = (c: EntryContext): number => c.vmcs.num(field);
  return [
    {
      id: `${id}-must-be-1`,
      section: at,
      title: `${field.title}: bits that the capability MSRs require to be 1 must be 1`,
      fields: [field],
      ...(when ? { when } : {}),
      holds: (c) => (allowedSettings(c.model, word).must & ~value(c)) === 0,
    },
    {
      id: `${id}-must-be-0`,
      section: at,
      title: `${field.title}: bits that the capability MSRs do not offer must be 0`,
      fields: [field],
      ...(when ? { when } : {}),
      holds: (c) => (value(c) & ~allowedSettings(c.model, word).may) === 0,
    },
  ];
}

const primary = (bit: number) => (c: EntryContext) => (c.primary & bit) !== 0;
const secondary = (bit: number) => (c: EntryContext) => (c.secondary & bit) !== 0;
const eptpSwitching = (c: EntryContext): boolean =>
  (c.secondary & Secondary.enableVmFunctions) !== 0 && (c.vmcs.big(F.vmFunctionControls) & VmFunction.eptpSwitching) !== 0n;
const tprShadow = primary(Primary.useTprShadow);

const posted = (c: EntryContext): boolean => (c.pin & Pin.postedInterrupts) !== 0;
/** Controls that work on the virtual-APIC page. */
const tprShadowNeeded = (
  [
    ['virtualize-x2apic', 'virtualize x2APIC mode', Secondary.virtualizeX2apic],
    ['apic-registers', 'APIC-register virtualization', Secondary.apicRegisterVirtualization],
    ['virtual-interrupts', 'virtual-interrupt delivery', Secondary.virtualInterruptDelivery],
  ] as const
).map(([id, title, bit]): CheckRow => ({
  id: `control.${id}`,
  section,
  title: `with "use TPR shadow" 0, "${title}" must be 0`,
  fields: [F.primaryControls, F.secondaryControls],
  when: secondary(bit),
  holds: tprShadow,
}));

/** VTPR[7:4] of the virtual-APIC page: SDM Vol. 3, 30.1.1. */
const vtprClass = (c: EntryContext): number => (c.cpu.machine.memory.read(Number(c.vmcs.big(F.virtualApicAddress)) + 0x80, 1) >> 4) & 15;

export const executionControlChecks: readonly CheckRow[] = [
  ...allowedRows('control.pin', section, 'pin', F.pinControls),
  ...allowedRows('control.primary', section, 'primary', F.primaryControls),
  ...allowedRows('control.secondary', section, 'secondary', F.secondaryControls, primary(Primary.activateSecondaryControls)),
  {
    id: 'control.cr3-target-count',
    section,
    title: 'the CR3-target count must not be greater than 4',
    fields: [F.cr3TargetCount],
    holds: (c) => c.vmcs.num(F.cr3TargetCount) <= CR3_TARGETS,
  },
  ...addressRows('control.io-bitmap-a', section, F.ioBitmapA, primary(Primary.useIoBitmaps)),
  ...addressRows('control.io-bitmap-b', section, F.ioBitmapB, primary(Primary.useIoBitmaps)),
  ...addressRows('control.msr-bitmaps', section, F.msrBitmaps, primary(Primary.useMsrBitmaps)),
  ...addressRows('control.virtual-apic', section, F.virtualApicAddress, tprShadow),
  ...tprShadowNeeded,
  {
    id: 'control.tpr-threshold-reserved',
    section,
    title: 'bits 31:4 of the TPR threshold must be 0, with "virtual-interrupt delivery" 0',
    fields: [F.tprThreshold],
    when: (c) => tprShadow(c) && !secondary(Secondary.virtualInterruptDelivery)(c),
    holds: (c) => c.vmcs.num(F.tprThreshold) >>> 4 === 0,
  },
  {
    id: 'control.tpr-threshold-vtpr',
    section,
    title: 'the TPR threshold must not be greater than bits 7:4 of VTPR in the virtual-APIC page',
    fields: [F.tprThreshold, F.virtualApicAddress],
    when: (c) => tprShadow(c) && (c.secondary & (Secondary.virtualizeApicAccesses | Secondary.virtualInterruptDelivery)) === 0,
    holds: (c) => c.vmcs.num(F.tprThreshold) <= vtprClass(c),
  },
  {
    id: 'control.virtual-nmis',
    section,
    title: 'with "NMI exiting" 0, "virtual NMIs" must be 0',
    fields: [F.pinControls],
    when: (c) => (c.pin & Pin.nmiExiting) === 0,
    holds: (c) => (c.pin & Pin.virtualNmis) === 0,
  },
  {
    id: 'control.nmi-window',
    section,
    title: 'with "virtual NMIs" 0, "NMI-window exiting" must be 0',
    fields: [F.pinControls, F.primaryControls],
    when: (c) => (c.pin & Pin.virtualNmis) === 0,
    holds: (c) => (c.primary & Primary.nmiWindowExiting) === 0,
  },
  {
    id: 'control.x2apic-or-accesses',
    section,
    title: 'with "virtualize x2APIC mode" 1, "virtualize APIC accesses" must be 0',
    fields: [F.secondaryControls],
    when: secondary(Secondary.virtualizeX2apic),
    holds: (c) => (c.secondary & Secondary.virtualizeApicAccesses) === 0,
  },
  ...addressRows('control.apic-access', section, F.apicAccessAddress, secondary(Secondary.virtualizeApicAccesses)),
  {
    id: 'control.virtual-interrupt-delivery',
    section,
    title: 'with "virtual-interrupt delivery" 1, "external-interrupt exiting" must be 1',
    fields: [F.secondaryControls, F.pinControls],
    when: secondary(Secondary.virtualInterruptDelivery),
    holds: (c) => (c.pin & Pin.externalInterruptExiting) !== 0,
  },
  {
    id: 'control.posted-delivery',
    section,
    title: 'with "process posted interrupts" 1, "virtual-interrupt delivery" must be 1',
    fields: [F.pinControls, F.secondaryControls],
    when: posted,
    holds: (c) => (c.secondary & Secondary.virtualInterruptDelivery) !== 0,
  },
  {
    id: 'control.posted-acknowledge',
    section,
    title: 'with "process posted interrupts" 1, "acknowledge interrupt on exit" must be 1',
    fields: [F.pinControls, F.exitControls],
    when: posted,
    holds: (c) => (c.exit & Exit.acknowledgeInterrupt) !== 0,
  },
  {
    id: 'control.posted-vector',
    section,
    title: 'bits 15:8 of the posted-interrupt notification vector must be 0',
    fields: [F.postedNotificationVector],
    when: posted,
    holds: (c) => c.vmcs.num(F.postedNotificationVector) <= 0xff,
  },
  {
    id: 'control.posted-descriptor-aligned',
    section,
    title: 'bits 5:0 of the posted-interrupt descriptor address must be 0',
    fields: [F.postedDescriptorAddress],
    when: posted,
    holds: (c) => (c.vmcs.low(F.postedDescriptorAddress) & 0x3f) === 0,
  },
  {
    id: 'control.posted-descriptor-width',
    section,
    title: 'the posted-interrupt descriptor address must not set bits beyond the physical-address width',
    fields: [F.postedDescriptorAddress],
    when: posted,
    holds: (c) => withinWidth(c, c.vmcs.big(F.postedDescriptorAddress)),
  },
  {
    id: 'control.vpid',
    section,
    title: 'with "enable VPID" 1, the VPID must not be 0000H',
    fields: [F.vpid],
    when: secondary(Secondary.enableVpid),
    holds: (c) => c.vmcs.num(F.vpid) !== 0,
  },
  ...eptPointerChecks.map((check): CheckRow => ({
    id: `control.eptp-${check.id}`,
    section,
    title: `EPTP: ${check.title}`,
    fields: [F.eptPointer],
    when: secondary(Secondary.enableEpt),
    holds: (c) => check.holds(c.model, c.vmcs.big(F.eptPointer)),
  })),
  {
    id: 'control.unrestricted-guest',
    section,
    title: 'with "unrestricted guest" 1, "enable EPT" must be 1',
    fields: [F.secondaryControls],
    when: secondary(Secondary.unrestrictedGuest),
    holds: (c) => c.ept,
  },
  {
    id: 'control.pml',
    section,
    title: 'with "enable PML" 1, "enable EPT" must be 1',
    fields: [F.secondaryControls],
    when: secondary(Secondary.enablePml),
    holds: (c) => c.ept,
  },
  ...addressRows('control.pml-address', section, F.pmlAddress, secondary(Secondary.enablePml)),
  {
    id: 'control.mode-based-execute',
    section,
    title: 'with "mode-based execute control for EPT" 1, "enable EPT" must be 1',
    fields: [F.secondaryControls],
    when: secondary(Secondary.modeBasedExecute),
    holds: (c) => c.ept,
  },
  {
    id: 'control.vm-functions-reserved',
    section,
    title: 'VM-function controls that IA32_VMX_VMFUNC does not report must be 0',
    fields: [F.vmFunctionControls],
    when: secondary(Secondary.enableVmFunctions),
    holds: (c) => (c.vmcs.big(F.vmFunctionControls) & ~allowedVmFunctions(c.model)) === 0n,
  },
  {
    id: 'control.eptp-switching',
    section,
    title: 'with "EPTP switching" 1, "enable EPT" must be 1',
    fields: [F.vmFunctionControls, F.secondaryControls],
    when: eptpSwitching,
    holds: (c) => c.ept,
  },
  ...addressRows('control.eptp-list', section, F.eptpListAddress, eptpSwitching),
  ...addressRows('control.vmread-bitmap', section, F.vmreadBitmap, secondary(Secondary.vmcsShadowing)),
  ...addressRows('control.vmwrite-bitmap', section, F.vmwriteBitmap, secondary(Secondary.vmcsShadowing)),
  ...addressRows('control.ve-information', section, F.veInfoAddress, secondary(Secondary.eptViolationVe)),
  {
    id: 'control.tsc-multiplier',
    section,
    title: 'with "use TSC scaling" 1, the TSC multiplier must not be 0',
    fields: [F.tscMultiplier],
    when: secondary(Secondary.useTscScaling),
    holds: (c) => c.vmcs.big(F.tscMultiplier) !== 0n,
  },
];
