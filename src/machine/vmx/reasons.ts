/** Basic exit reasons: SDM Vol. 3, appendix C. Only those that this machine produces have a name in `ExitReason`. */
export const ExitReason = {
  exceptionOrNmi: 0,
  externalInterrupt: 1,
  tripleFault: 2,
  init: 3,
  sipi: 4,
  interruptWindow: 7,
  nmiWindow: 8,
  taskSwitch: 9,
  cpuid: 10,
  hlt: 12,
  invd: 13,
  invlpg: 14,
  rdpmc: 15,
  rdtsc: 16,
  vmcall: 18,
  vmclear: 19,
  vmlaunch: 20,
  vmptrld: 21,
  vmptrst: 22,
  vmread: 23,
  vmresume: 24,
  vmwrite: 25,
  vmxoff: 26,
  vmxon: 27,
  controlRegister: 28,
  movDr: 29,
  io: 30,
  rdmsr: 31,
  wrmsr: 32,
  invalidGuestState: 33,
  msrLoading: 34,
  mwait: 36,
  monitorTrapFlag: 37,
  monitor: 39,
  pause: 40,
  tprBelowThreshold: 43,
  apicAccess: 44,
  virtualizedEoi: 45,
  gdtrIdtr: 46,
  ldtrTr: 47,
  eptViolation: 48,
  eptMisconfiguration: 49,
  invept: 50,
  rdtscp: 51,
  preemptionTimer: 52,
  invvpid: 53,
  wbinvd: 54,
  xsetbv: 55,
  apicWrite: 56,
  rdrand: 57,
  invpcid: 58,
  vmfunc: 59,
  rdseed: 61,
  pmlFull: 62,
  xsaves: 63,
  xrstors: 64,
} as const;

/** All names of SDM Vol. 3, table C-1, by number. */
const names: Readonly<Record<number, string>> = {
  0: 'EXCEPTION_OR_NMI', 1: 'EXTERNAL_INTERRUPT', 2: 'TRIPLE_FAULT', 3: 'INIT', 4: 'SIPI', 5: 'IO_SMI', 6: 'OTHER_SMI', 7: 'INTERRUPT_WINDOW',
  8: 'NMI_WINDOW', 9: 'TASK_SWITCH', 10: 'CPUID', 11: 'GETSEC', 12: 'HLT', 13: 'INVD', 14: 'INVLPG', 15: 'RDPMC', 16: 'RDTSC', 17: 'RSM', 18: 'VMCALL',
  19: 'VMCLEAR', 20: 'VMLAUNCH', 21: 'VMPTRLD', 22: 'VMPTRST', 23: 'VMREAD', 24: 'VMRESUME', 25: 'VMWRITE', 26: 'VMXOFF', 27: 'VMXON', 28: 'CR_ACCESS',
  29: 'MOV_DR', 30: 'IO_INSTRUCTION', 31: 'RDMSR', 32: 'WRMSR', 33: 'ENTRY_FAILURE_GUEST_STATE', 34: 'ENTRY_FAILURE_MSR_LOADING', 36: 'MWAIT',
  37: 'MONITOR_TRAP_FLAG', 39: 'MONITOR', 40: 'PAUSE', 41: 'ENTRY_FAILURE_MACHINE_CHECK', 43: 'TPR_BELOW_THRESHOLD', 44: 'APIC_ACCESS', 45: 'VIRTUALIZED_EOI',
  46: 'GDTR_IDTR_ACCESS', 47: 'LDTR_TR_ACCESS', 48: 'EPT_VIOLATION', 49: 'EPT_MISCONFIGURATION', 50: 'INVEPT', 51: 'RDTSCP', 52: 'PREEMPTION_TIMER', 53: 'INVVPID',
  54: 'WBINVD', 55: 'XSETBV', 56: 'APIC_WRITE', 57: 'RDRAND', 58: 'INVPCID', 59: 'VMFUNC', 60: 'ENCLS', 61: 'RDSEED', 62: 'PML_FULL', 63: 'XSAVES', 64: 'XRSTORS',
}; // prettier-ignore

/** Bit 31 of the exit reason: the VM entry failed. */
export const ENTRY_FAILURE = 0x8000_0000;

export function exitReasonName(reason: number): string {
  const basic = reason & 0xffff;
  return names[basic] ?? `REASON_${basic}`;
}

/** VM-instruction error numbers: SDM Vol. 3, 31.4. */
export const VmError = {
  vmcallInRoot: 1,
  vmclearAddress: 2,
  vmclearVmxonPointer: 3,
  vmlaunchNotClear: 4,
  vmresumeNotLaunched: 5,
  vmresumeAfterVmxoff: 6,
  controlFields: 7,
  hostState: 8,
  vmptrldAddress: 9,
  vmptrldVmxonPointer: 10,
  vmptrldRevision: 11,
  unsupportedComponent: 12,
  readOnlyComponent: 13,
  vmxonInRoot: 15,
  blockedByMovSs: 26,
  invalidOperand: 28,
} as const;

const errorNames: Readonly<Record<number, string>> = {
  1: 'VMCALL executed in VMX root operation',
  2: 'VMCLEAR with invalid physical address',
  3: 'VMCLEAR with VMXON pointer',
  4: 'VMLAUNCH with non-clear VMCS',
  5: 'VMRESUME with non-launched VMCS',
  6: 'VMRESUME after VMXOFF',
  7: 'VM entry with invalid control field(s)',
  8: 'VM entry with invalid host-state field(s)',
  9: 'VMPTRLD with invalid physical address',
  10: 'VMPTRLD with VMXON pointer',
  11: 'VMPTRLD with incorrect VMCS revision identifier',
  12: 'VMREAD/VMWRITE from/to unsupported VMCS component',
  13: 'VMWRITE to read-only VMCS component',
  15: 'VMXON executed in VMX root operation',
  26: 'VM entry with events blocked by MOV SS',
  28: 'Invalid operand to INVEPT/INVVPID',
};

export function vmErrorName(error: number): string {
  return errorNames[error] ?? `VM-instruction error ${error}`;
}
