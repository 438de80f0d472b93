/**
 * Bits of the VMX control words, named as in SDM Vol. 3, tables 25-5 to 25-17. Only bits that this machine backs have a
 * name: a bit without one can never be set, because the capability MSRs do not offer it (features.ts).
 */

/** Pin-based VM-execution controls: SDM Vol. 3, 25.6.1. */
export const Pin = {
  externalInterruptExiting: 1,
  nmiExiting: 1 << 3,
  virtualNmis: 1 << 5,
  preemptionTimer: 1 << 6,
  postedInterrupts: 1 << 7,
} as const;

/** Primary processor-based VM-execution controls: SDM Vol. 3, 25.6.2, table 25-6. */
export const Primary = {
  interruptWindowExiting: 1 << 2,
  useTscOffsetting: 1 << 3,
  hltExiting: 1 << 7,
  invlpgExiting: 1 << 9,
  mwaitExiting: 1 << 10,
  rdpmcExiting: 1 << 11,
  rdtscExiting: 1 << 12,
  cr3LoadExiting: 1 << 15,
  cr3StoreExiting: 1 << 16,
  cr8LoadExiting: 1 << 19,
  cr8StoreExiting: 1 << 20,
  useTprShadow: 1 << 21,
  nmiWindowExiting: 1 << 22,
  movDrExiting: 1 << 23,
  unconditionalIoExiting: 1 << 24,
  useIoBitmaps: 1 << 25,
  monitorTrapFlag: 1 << 27,
  useMsrBitmaps: 1 << 28,
  monitorExiting: 1 << 29,
  pauseExiting: 1 << 30,
  activateSecondaryControls: 0x8000_0000,
} as const;

/** Secondary processor-based VM-execution controls: SDM Vol. 3, 25.6.2, table 25-7. */
export const Secondary = {
  virtualizeApicAccesses: 1 << 0,
  enableEpt: 1 << 1,
  descriptorTableExiting: 1 << 2,
  enableRdtscp: 1 << 3,
  virtualizeX2apic: 1 << 4,
  enableVpid: 1 << 5,
  wbinvdExiting: 1 << 6,
  unrestrictedGuest: 1 << 7,
  apicRegisterVirtualization: 1 << 8,
  virtualInterruptDelivery: 1 << 9,
  pauseLoopExiting: 1 << 10,
  rdrandExiting: 1 << 11,
  enableInvpcid: 1 << 12,
  enableVmFunctions: 1 << 13,
  vmcsShadowing: 1 << 14,
  rdseedExiting: 1 << 16,
  enablePml: 1 << 17,
  eptViolationVe: 1 << 18,
  enableXsaves: 1 << 20,
  modeBasedExecute: 1 << 22,
  useTscScaling: 1 << 25,
} as const;

/** VM-exit controls: SDM Vol. 3, 25.7.1, table 25-13. */
export const Exit = {
  saveDebugControls: 1 << 2,
  hostAddressSpaceSize: 1 << 9,
  loadPerfGlobalCtrl: 1 << 12,
  acknowledgeInterrupt: 1 << 15,
  savePat: 1 << 18,
  loadPat: 1 << 19,
  saveEfer: 1 << 20,
  loadEfer: 1 << 21,
  savePreemptionTimer: 1 << 22,
  clearBndcfgs: 1 << 23,
} as const;

/** VM-entry controls: SDM Vol. 3, 25.8.1, table 25-15. */
export const Entry = {
  loadDebugControls: 1 << 2,
  ia32eModeGuest: 1 << 9,
  loadPerfGlobalCtrl: 1 << 13,
  loadPat: 1 << 14,
  loadEfer: 1 << 15,
  loadBndcfgs: 1 << 16,
} as const;

/** The control words, as the capability MSRs and `VmxFeature` rows call them. */
export type ControlWord = 'pin' | 'primary' | 'secondary' | 'exit' | 'entry';

/** Bits that are 1 on a processor without the feature they once meant ("default1"): SDM Vol. 3, A.2. */
export const DEFAULT1: Readonly<Record<ControlWord, number>> = { pin: 0x16, primary: 0x0401_e172, secondary: 0, exit: 0x0003_6dff, entry: 0x11ff };

/** Of those, the ones that the TRUE capability MSRs allow to be 0: CR3-load and -store exiting, save and load debug controls. */
export const TRUE_CLEARABLE: Readonly<Record<ControlWord, number>> = { pin: 0, primary: 0x1_8000, secondary: 0, exit: 4, entry: 4 };
