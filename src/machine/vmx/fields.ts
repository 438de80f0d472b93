import type { CpuModel } from '../cpu/models/model.ts';
import { hasVmxFeature, type VmxFeatureName } from './features.ts';

/** SDM Vol. 3, appendix B: every VMCS field that this machine has, as a row, and where it lies in the VMCS region. */

export type FieldWidth = 16 | 32 | 64 | 'natural';
export type FieldClass = 'control' | 'guest' | 'host' | 'exit';

export interface VmcsField<W extends FieldWidth = FieldWidth> {
  /** Name in this code; `title` is the SDM's. */
  readonly name: string;
  readonly title: string;
  readonly encoding: number;
  readonly class: FieldClass;
  readonly width: W;
  /** VM-exit information fields are read-only unless IA32_VMX_MISC bit 29 says otherwise. */
  readonly access: 'rw' | 'ro';
  /** Bytes from the start of the VMCS region. */
  readonly offset: number;
  /** The field exists only on models that offer one of these. */
  readonly features: readonly VmxFeatureName[];
}

/** SDM Vol. 3, 25.2: the region's first two words are architectural, the rest is ours. */
export const VMCS_SIZE = 4096;
export const VMCS_REVISION = 0;
export const VMCS_ABORT = 4;
/** Our launch state: 0 clear, 1 launched. In the region, so that nothing of a VMCS is outside guest memory. */
export const VMCS_LAUNCH_STATE = 8;
const FIRST_FIELD = 16;

let next = FIRST_FIELD;
type Rows = Record<string, readonly [encoding: number, title: string, ...features: VmxFeatureName[]]>;

function table<R extends Rows, W extends FieldWidth>(cls: FieldClass, width: W, rows: R): { readonly [K in keyof R]: VmcsField<W> } {
  const out: Record<string, VmcsField<W>> = {};
  for (const [name, [encoding, title, ...features]] of Object.entries(rows)) {
    out[name] = { name, title, encoding, class: cls, width, access: cls === 'exit' ? 'ro' : 'rw', offset: next, features };
    next += 8;
  }
  return out as { readonly [K in keyof R]: VmcsField<W> };
}

/** The fields by name. */
export const F = {
  ...table('control', 16, {
    vpid: [0x0000, 'Virtual-processor identifier (VPID)', 'vpid'],
    postedNotificationVector: [0x0002, 'Posted-interrupt notification vector', 'posted-interrupts'],
    eptpIndex: [0x0004, 'EPTP index', 'ept-violation-ve'],
  }),
  ...table('guest', 16, {
    guestEsSelector: [0x0800, 'Guest ES selector'],
    guestCsSelector: [0x0802, 'Guest CS selector'],
    guestSsSelector: [0x0804, 'Guest SS selector'],
    guestDsSelector: [0x0806, 'Guest DS selector'],
    guestFsSelector: [0x0808, 'Guest FS selector'],
    guestGsSelector: [0x080a, 'Guest GS selector'],
    guestLdtrSelector: [0x080c, 'Guest LDTR selector'],
    guestTrSelector: [0x080e, 'Guest TR selector'],
    guestInterruptStatus: [0x0810, 'Guest interrupt status', 'virtual-interrupt-delivery'],
    pmlIndex: [0x0812, 'PML index', 'pml'],
  }),
  ...table('host', 16, {
    hostEsSelector: [0x0c00, 'Host ES selector'],
    hostCsSelector: [0x0c02, 'Host CS selector'],
    hostSsSelector: [0x0c04, 'Host SS selector'],
    hostDsSelector: [0x0c06, 'Host DS selector'],
    hostFsSelector: [0x0c08, 'Host FS selector'],
    hostGsSelector: [0x0c0a, 'Host GS selector'],
    hostTrSelector: [0x0c0c, 'Host TR selector'],
  }),
  ...table('control', 64, {
    ioBitmapA: [0x2000, 'Address of I/O bitmap A', 'io-bitmaps'],
    ioBitmapB: [0x2002, 'Address of I/O bitmap B', 'io-bitmaps'],
    msrBitmaps: [0x2004, 'Address of MSR bitmaps', 'msr-bitmaps'],
    exitMsrStoreAddress: [0x2006, 'VM-exit MSR-store address'],
    exitMsrLoadAddress: [0x2008, 'VM-exit MSR-load address'],
    entryMsrLoadAddress: [0x200a, 'VM-entry MSR-load address'],
    executiveVmcsPointer: [0x200c, 'Executive-VMCS pointer'],
    pmlAddress: [0x200e, 'PML address', 'pml'],
    tscOffset: [0x2010, 'TSC offset', 'tsc-offsetting'],
    virtualApicAddress: [0x2012, 'Virtual-APIC address', 'tpr-shadow'],
    apicAccessAddress: [0x2014, 'APIC-access address', 'virtualize-apic-accesses'],
    postedDescriptorAddress: [0x2016, 'Posted-interrupt descriptor address', 'posted-interrupts'],
    vmFunctionControls: [0x2018, 'VM-function controls', 'vm-functions'],
    eptPointer: [0x201a, 'EPT pointer (EPTP)', 'ept'],
    eoiExitBitmap0: [0x201c, 'EOI-exit bitmap 0', 'virtual-interrupt-delivery'],
    eoiExitBitmap1: [0x201e, 'EOI-exit bitmap 1', 'virtual-interrupt-delivery'],
    eoiExitBitmap2: [0x2020, 'EOI-exit bitmap 2', 'virtual-interrupt-delivery'],
    eoiExitBitmap3: [0x2022, 'EOI-exit bitmap 3', 'virtual-interrupt-delivery'],
    eptpListAddress: [0x2024, 'EPTP-list address', 'eptp-switching'],
    vmreadBitmap: [0x2026, 'VMREAD-bitmap address', 'vmcs-shadowing'],
    vmwriteBitmap: [0x2028, 'VMWRITE-bitmap address', 'vmcs-shadowing'],
    veInfoAddress: [0x202a, 'Virtualization-exception information address', 'ept-violation-ve'],
    xssExitingBitmap: [0x202c, 'XSS-exiting bitmap', 'xsaves'],
    tscMultiplier: [0x2032, 'TSC multiplier', 'tsc-scaling'],
  }),
  ...table('exit', 64, { guestPhysicalAddress: [0x2400, 'Guest-physical address', 'ept'] }),
  ...table('guest', 64, {
    vmcsLinkPointer: [0x2800, 'VMCS link pointer'],
    guestDebugctl: [0x2802, 'Guest IA32_DEBUGCTL'],
    guestPat: [0x2804, 'Guest IA32_PAT', 'entry-load-pat', 'save-pat'],
    guestEfer: [0x2806, 'Guest IA32_EFER', 'entry-load-efer', 'save-efer'],
    guestPerfGlobalCtrl: [0x2808, 'Guest IA32_PERF_GLOBAL_CTRL', 'entry-load-perf-global-ctrl'],
    guestPdpte0: [0x280a, 'Guest PDPTE0', 'ept'],
    guestPdpte1: [0x280c, 'Guest PDPTE1', 'ept'],
    guestPdpte2: [0x280e, 'Guest PDPTE2', 'ept'],
    guestPdpte3: [0x2810, 'Guest PDPTE3', 'ept'],
    guestBndcfgs: [0x2812, 'Guest IA32_BNDCFGS', 'entry-load-bndcfgs', 'clear-bndcfgs'],
  }),
  ...table('host', 64, {
    hostPat: [0x2c00, 'Host IA32_PAT', 'exit-load-pat'],
    hostEfer: [0x2c02, 'Host IA32_EFER', 'exit-load-efer'],
    hostPerfGlobalCtrl: [0x2c04, 'Host IA32_PERF_GLOBAL_CTRL', 'exit-load-perf-global-ctrl'],
  }),
  ...table('control', 32, {
    pinControls: [0x4000, 'Pin-based VM-execution controls'],
    primaryControls: [0x4002, 'Primary processor-based VM-execution controls'],
    exceptionBitmap: [0x4004, 'Exception bitmap'],
    pageFaultMask: [0x4006, 'Page-fault error-code mask'],
    pageFaultMatch: [0x4008, 'Page-fault error-code match'],
    cr3TargetCount: [0x400a, 'CR3-target count'],
    exitControls: [0x400c, 'VM-exit controls'],
    exitMsrStoreCount: [0x400e, 'VM-exit MSR-store count'],
    exitMsrLoadCount: [0x4010, 'VM-exit MSR-load count'],
    entryControls: [0x4012, 'VM-entry controls'],
    entryMsrLoadCount: [0x4014, 'VM-entry MSR-load count'],
    entryInterruptionInfo: [0x4016, 'VM-entry interruption-information field'],
    entryExceptionErrorCode: [0x4018, 'VM-entry exception error code'],
    entryInstructionLength: [0x401a, 'VM-entry instruction length'],
    tprThreshold: [0x401c, 'TPR threshold', 'tpr-shadow'],
    secondaryControls: [0x401e, 'Secondary processor-based VM-execution controls', 'secondary-controls'],
    pleGap: [0x4020, 'PLE_Gap', 'pause-loop-exiting'],
    pleWindow: [0x4022, 'PLE_Window', 'pause-loop-exiting'],
  }),
  ...table('exit', 32, {
    instructionError: [0x4400, 'VM-instruction error'],
    exitReason: [0x4402, 'Exit reason'],
    exitInterruptionInfo: [0x4404, 'VM-exit interruption information'],
    exitInterruptionErrorCode: [0x4406, 'VM-exit interruption error code'],
    idtVectoringInfo: [0x4408, 'IDT-vectoring information field'],
    idtVectoringErrorCode: [0x440a, 'IDT-vectoring error code'],
    exitInstructionLength: [0x440c, 'VM-exit instruction length'],
    exitInstructionInfo: [0x440e, 'VM-exit instruction information'],
  }),
  ...table('guest', 32, {
    guestEsLimit: [0x4800, 'Guest ES limit'],
    guestCsLimit: [0x4802, 'Guest CS limit'],
    guestSsLimit: [0x4804, 'Guest SS limit'],
    guestDsLimit: [0x4806, 'Guest DS limit'],
    guestFsLimit: [0x4808, 'Guest FS limit'],
    guestGsLimit: [0x480a, 'Guest GS limit'],
    guestLdtrLimit: [0x480c, 'Guest LDTR limit'],
    guestTrLimit: [0x480e, 'Guest TR limit'],
    guestGdtrLimit: [0x4810, 'Guest GDTR limit'],
    guestIdtrLimit: [0x4812, 'Guest IDTR limit'],
    guestEsAccessRights: [0x4814, 'Guest ES access rights'],
    guestCsAccessRights: [0x4816, 'Guest CS access rights'],
    guestSsAccessRights: [0x4818, 'Guest SS access rights'],
    guestDsAccessRights: [0x481a, 'Guest DS access rights'],
    guestFsAccessRights: [0x481c, 'Guest FS access rights'],
    guestGsAccessRights: [0x481e, 'Guest GS access rights'],
    guestLdtrAccessRights: [0x4820, 'Guest LDTR access rights'],
    guestTrAccessRights: [0x4822, 'Guest TR access rights'],
    guestInterruptibility: [0x4824, 'Guest interruptibility state'],
    guestActivity: [0x4826, 'Guest activity state'],
    guestSmbase: [0x4828, 'Guest SMBASE'],
    guestSysenterCs: [0x482a, 'Guest IA32_SYSENTER_CS'],
    preemptionTimer: [0x482e, 'VMX-preemption timer value', 'preemption-timer'],
  }),
  ...table('host', 32, { hostSysenterCs: [0x4c00, 'Host IA32_SYSENTER_CS'] }),
  ...table('control', 'natural', {
    cr0Mask: [0x6000, 'CR0 guest/host mask'],
    cr4Mask: [0x6002, 'CR4 guest/host mask'],
    cr0Shadow: [0x6004, 'CR0 read shadow'],
    cr4Shadow: [0x6006, 'CR4 read shadow'],
    cr3Target0: [0x6008, 'CR3-target value 0'],
    cr3Target1: [0x600a, 'CR3-target value 1'],
    cr3Target2: [0x600c, 'CR3-target value 2'],
    cr3Target3: [0x600e, 'CR3-target value 3'],
  }),
  ...table('exit', 'natural', {
    exitQualification: [0x6400, 'Exit qualification'],
    ioRcx: [0x6402, 'I/O RCX'],
    ioRsi: [0x6404, 'I/O RSI'],
    ioRdi: [0x6406, 'I/O RDI'],
    ioRip: [0x6408, 'I/O RIP'],
    guestLinearAddress: [0x640a, 'Guest-linear address'],
  }),
  ...table('guest', 'natural', {
    guestCr0: [0x6800, 'Guest CR0'],
    guestCr3: [0x6802, 'Guest CR3'],
    guestCr4: [0x6804, 'Guest CR4'],
    guestEsBase: [0x6806, 'Guest ES base'],
    guestCsBase: [0x6808, 'Guest CS base'],
    guestSsBase: [0x680a, 'Guest SS base'],
    guestDsBase: [0x680c, 'Guest DS base'],
    guestFsBase: [0x680e, 'Guest FS base'],
    guestGsBase: [0x6810, 'Guest GS base'],
    guestLdtrBase: [0x6812, 'Guest LDTR base'],
    guestTrBase: [0x6814, 'Guest TR base'],
    guestGdtrBase: [0x6816, 'Guest GDTR base'],
    guestIdtrBase: [0x6818, 'Guest IDTR base'],
    guestDr7: [0x681a, 'Guest DR7'],
    guestRsp: [0x681c, 'Guest RSP'],
    guestRip: [0x681e, 'Guest RIP'],
    guestRflags: [0x6820, 'Guest RFLAGS'],
    guestPendingDebug: [0x6822, 'Guest pending debug exceptions'],
    guestSysenterEsp: [0x6824, 'Guest IA32_SYSENTER_ESP'],
    guestSysenterEip: [0x6826, 'Guest IA32_SYSENTER_EIP'],
  }),
  ...table('host', 'natural', {
    hostCr0: [0x6c00, 'Host CR0'],
    hostCr3: [0x6c02, 'Host CR3'],
    hostCr4: [0x6c04, 'Host CR4'],
    hostFsBase: [0x6c06, 'Host FS base'],
    hostGsBase: [0x6c08, 'Host GS base'],
    hostTrBase: [0x6c0a, 'Host TR base'],
    hostGdtrBase: [0x6c0c, 'Host GDTR base'],
    hostIdtrBase: [0x6c0e, 'Host IDTR base'],
    hostSysenterEsp: [0x6c10, 'Host IA32_SYSENTER_ESP'],
    hostSysenterEip: [0x6c12, 'Host IA32_SYSENTER_EIP'],
    hostRsp: [0x6c14, 'Host RSP'],
    hostRip: [0x6c16, 'Host RIP'],
  }),
};

export const fields: readonly VmcsField[] = Object.values(F);
const byEncoding = new Map(fields.map((f) => [f.encoding, f]));

if (next > VMCS_SIZE) throw new Error('fields: the VMCS region is full');

/**
 * SDM Vol. 3, 25.2: the revision identifier (31 bits) names the format of the region. It is a hash of the layout, so that
 * a VMCS of another layout (from an older snapshot) is refused by VMPTRLD instead of being misread.
 */
export const REVISION_ID = fields.reduce((h, f) => (Math.imul(h ^ f.encoding ^ (f.offset << 16), 0x0100_0193) >>> 0) & 0x7fff_ffff, 0x811c_9dc5);

export function fieldExists(model: CpuModel, f: VmcsField): boolean {
  return f.features.length === 0 || f.features.some((name) => hasVmxFeature(model, name));
}

/** A component of the VMCS as VMREAD and VMWRITE name it. `high`: the upper half of a 64-bit field (access type, bit 0). */
export interface Component {
  readonly field: VmcsField;
  readonly high: boolean;
}

/** SDM Vol. 3, 25.11.2: the component that an encoding names on this model. */
export function componentOf(model: CpuModel, encoding: bigint): Component | undefined {
  if (encoding > 0xffff_ffffn) return undefined;
  const code = Number(encoding);
  const high = (code & 1) === 1;
  const field = byEncoding.get(code & ~1);
  if (!field || (high && field.width !== 64) || !fieldExists(model, field)) return undefined;
  return { field, high };
}

/** SDM Vol. 3, A.9: the highest index (bits 9:1 of an encoding) of any field. */
export function highestFieldIndex(model: CpuModel): number {
  return Math.max(...fields.filter((f) => fieldExists(model, f)).map((f) => (f.encoding >> 1) & 0x1ff));
}

/** The four fields of each guest segment register, in the order of `Cpu.segments`. */
export interface SegmentFields {
  readonly name: string;
  readonly selector: VmcsField<16>;
  readonly limit: VmcsField<32>;
  readonly accessRights: VmcsField<32>;
  readonly base: VmcsField<'natural'>;
}

export const guestSegments: readonly SegmentFields[] = [
  { name: 'ES', selector: F.guestEsSelector, limit: F.guestEsLimit, accessRights: F.guestEsAccessRights, base: F.guestEsBase },
  { name: 'CS', selector: F.guestCsSelector, limit: F.guestCsLimit, accessRights: F.guestCsAccessRights, base: F.guestCsBase },
  { name: 'SS', selector: F.guestSsSelector, limit: F.guestSsLimit, accessRights: F.guestSsAccessRights, base: F.guestSsBase },
  { name: 'DS', selector: F.guestDsSelector, limit: F.guestDsLimit, accessRights: F.guestDsAccessRights, base: F.guestDsBase },
  { name: 'FS', selector: F.guestFsSelector, limit: F.guestFsLimit, accessRights: F.guestFsAccessRights, base: F.guestFsBase },
  { name: 'GS', selector: F.guestGsSelector, limit: F.guestGsLimit, accessRights: F.guestGsAccessRights, base: F.guestGsBase },
  { name: 'LDTR', selector: F.guestLdtrSelector, limit: F.guestLdtrLimit, accessRights: F.guestLdtrAccessRights, base: F.guestLdtrBase },
  { name: 'TR', selector: F.guestTrSelector, limit: F.guestTrLimit, accessRights: F.guestTrAccessRights, base: F.guestTrBase },
];
