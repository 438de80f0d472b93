/**
 * For each entry-check row: a VMCS that violates it and one at its boundary that passes. A case is keyed by the row's id; the test
 * fails for a row without one. SDM Vol. 3, 27.2 and 27.3.
 */
import { Entry, Exit, Pin, Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { F, guestSegments, REVISION_ID, type VmcsField } from '../../src/machine/vmx/fields.ts';
import { At, type Rig } from './rig.ts';

type Mutate = (rig: Rig) => void;

export interface CheckCase {
  /** Applied to bad and good alike. */
  readonly setup?: Mutate;
  readonly bad: Mutate;
  readonly good: Mutate;
  /** Later rows that the bad VMCS cannot help violating. */
  readonly also?: readonly string[];
  readonly model?: string;
  readonly mode?: '4-level' | 'pae' | '32-bit';
}

const put =
  (f: VmcsField, value: bigint | number): Mutate =>
  (rig) =>
    rig.set(f, value);
const bits =
  (f: VmcsField, set: bigint | number, clear: bigint | number = 0): Mutate =>
  (rig) =>
    rig.bits(f, set, clear);
const all =
  (...steps: Mutate[]): Mutate =>
  (rig) =>
    steps.forEach((step) => step(rig));
const primary =
  (bit: number): Mutate =>
  (rig) =>
    rig.primary(bit);
const secondary =
  (bit: number): Mutate =>
  (rig) =>
    rig.secondary(bit);
const nothing: Mutate = () => {};
const beyond = (rig: Rig): bigint => 1n << BigInt(rig.cpu.model.physicalBits);
/** Sets the lowest bit beyond the physical-address width, or for the good case the highest within. */
const tooWide =
  (f: VmcsField): Mutate =>
  (rig) =>
    rig.bits(f, beyond(rig));
const widest =
  (f: VmcsField): Mutate =>
  (rig) =>
    rig.bits(f, beyond(rig) >> 1n);

const NON_CANONICAL = 0x8000_0000_0000n;
const HIGHEST_LOW = 0x7fff_ffff_ffffn;

/** A canonical-address row: the first non-canonical address, and the last canonical one below the hole. */
const canonical = (f: VmcsField, setup: Mutate = nothing): CheckCase => ({ setup, bad: put(f, NON_CANONICAL), good: put(f, HIGHEST_LOW) });

const page = (id: string, f: VmcsField, setup: Mutate): Record<string, CheckCase> => ({
  [`${id}-aligned`]: { setup, bad: bits(f, 0x800), good: bits(f, 0x1000) },
  [`${id}-width`]: { setup, bad: tooWide(f), good: f === F.virtualApicAddress ? nothing : widest(f) },
});

const msrArea = (id: string, address: VmcsField, count: VmcsField): Record<string, CheckCase> => ({
  [`${id}-aligned`]: { setup: put(count, 1), bad: put(address, At.msrArea + 8), good: all(put(address, At.msrArea), empty) },
  [`${id}-width`]: {
    setup: put(count, 1),
    bad: (rig) => rig.set(address, beyond(rig)),
    good: all(put(address, At.msrArea), empty),
    also: [`${id}-end`],
  },
  [`${id}-end`]: {
    bad: (rig) => {
      rig.set(count, 2);
      rig.set(address, beyond(rig) - 16n);
    },
    good: all(put(count, 1), put(address, At.msrArea), empty),
  },
});
/** One entry that loads and stores well: IA32_TSC_ADJUST would do, IA32_SYSENTER_CS is everywhere. */
const empty: Mutate = (rig) => {
  rig.machine.memory.write64(At.msrArea, 0x174n);
  rig.machine.memory.write64(At.msrArea + 8, 0n);
};

const must = (id: string, f: VmcsField, bit: number, reserved: number, setup: Mutate = nothing): Record<string, CheckCase> => ({
  ...(bit === 0 ? {} : { [`${id}-must-be-1`]: { setup, bad: bits(f, 0, bit), good: nothing } }),
  [`${id}-must-be-0`]: { setup, bad: bits(f, BigInt(reserved >>> 0)), good: nothing },
});

/** Interruption information: valid, type, vector. */
const inject = (type: number, vector: number, more = 0): Mutate =>
  put(F.entryInterruptionInfo, BigInt((0x8000_0000 | (type << 8) | vector | more) >>> 0));
const ERROR_CODE = 0x800;
const nmis = bits(F.pinControls, Pin.nmiExiting | Pin.virtualNmis);

/** Posted interrupts with all that they need. */
const posting = all(
  primary(Primary.useTprShadow),
  secondary(Secondary.virtualInterruptDelivery),
  bits(F.pinControls, Pin.postedInterrupts | Pin.externalInterruptExiting),
  bits(F.exitControls, Exit.acknowledgeInterrupt),
);

const controls: Record<string, CheckCase> = {
  ...must('control.pin', F.pinControls, 2, 1 << 8),
  ...must('control.primary', F.primaryControls, 1 << 4, 1),
  'control.secondary-must-be-0': {
    setup: secondary(0),
    bad: bits(F.secondaryControls, 1 << 15),
    good: bits(F.secondaryControls, Secondary.wbinvdExiting),
  },
  'control.cr3-target-count': { bad: put(F.cr3TargetCount, 5), good: put(F.cr3TargetCount, 4) },
  ...page('control.io-bitmap-a', F.ioBitmapA, primary(Primary.useIoBitmaps)),
  ...page('control.io-bitmap-b', F.ioBitmapB, primary(Primary.useIoBitmaps)),
  ...page('control.msr-bitmaps', F.msrBitmaps, primary(Primary.useMsrBitmaps)),
  ...page('control.virtual-apic', F.virtualApicAddress, primary(Primary.useTprShadow)),
  'control.tpr-threshold-reserved': {
    setup: primary(Primary.useTprShadow),
    bad: put(F.tprThreshold, 0x10),
    good: put(F.tprThreshold, 0),
    also: ['control.tpr-threshold-vtpr'],
  },
  'control.tpr-threshold-vtpr': {
    setup: (rig) => {
      rig.primary(Primary.useTprShadow);
      rig.machine.memory.write(At.virtualApic + 0x80, 1, 0x5f);
    },
    bad: put(F.tprThreshold, 6),
    good: put(F.tprThreshold, 5),
  },
  'control.virtual-nmis': { bad: bits(F.pinControls, Pin.virtualNmis), good: nmis },
  'control.nmi-window': { bad: primary(Primary.nmiWindowExiting), good: all(nmis, primary(Primary.nmiWindowExiting)) },
  'control.virtualize-x2apic': {
    setup: secondary(Secondary.virtualizeX2apic),
    bad: nothing,
    good: primary(Primary.useTprShadow),
  },
  'control.apic-registers': { setup: secondary(Secondary.apicRegisterVirtualization), bad: nothing, good: primary(Primary.useTprShadow) },
  'control.virtual-interrupts': {
    setup: all(secondary(Secondary.virtualInterruptDelivery), bits(F.pinControls, Pin.externalInterruptExiting)),
    bad: nothing,
    good: primary(Primary.useTprShadow),
  },
  'control.x2apic-or-accesses': {
    setup: all(primary(Primary.useTprShadow), secondary(Secondary.virtualizeX2apic)),
    bad: secondary(Secondary.virtualizeApicAccesses),
    good: nothing,
  },
  ...page('control.apic-access', F.apicAccessAddress, secondary(Secondary.virtualizeApicAccesses)),
  'control.virtual-interrupt-delivery': {
    setup: all(primary(Primary.useTprShadow), secondary(Secondary.virtualInterruptDelivery)),
    bad: nothing,
    good: bits(F.pinControls, Pin.externalInterruptExiting),
  },
  'control.posted-delivery': {
    setup: all(posting, bits(F.pinControls, Pin.externalInterruptExiting)),
    bad: bits(F.secondaryControls, 0, Secondary.virtualInterruptDelivery),
    good: nothing,
  },
  'control.posted-acknowledge': { setup: posting, bad: bits(F.exitControls, 0, Exit.acknowledgeInterrupt), good: nothing },
  'control.posted-vector': { setup: posting, bad: put(F.postedNotificationVector, 0x100), good: put(F.postedNotificationVector, 0xff) },
  'control.posted-descriptor-aligned': { setup: posting, bad: put(F.postedDescriptorAddress, 0x20), good: put(F.postedDescriptorAddress, 0x40) },
  'control.posted-descriptor-width': { setup: posting, bad: tooWide(F.postedDescriptorAddress), good: widest(F.postedDescriptorAddress) },
  'control.vpid': { setup: secondary(Secondary.enableVpid), bad: put(F.vpid, 0), good: put(F.vpid, 1) },
  'control.eptp-memory-type': { setup: (rig) => rig.ept(), bad: bits(F.eptPointer, 7), good: bits(F.eptPointer, 0, 7) },
  'control.eptp-walk-length': { setup: (rig) => rig.ept(), bad: bits(F.eptPointer, 0x20), good: nothing },
  'control.eptp-accessed-dirty': { model: 'nehalem', setup: (rig) => rig.ept(), bad: bits(F.eptPointer, 0x40), good: nothing },
  'control.eptp-reserved': { setup: (rig) => rig.ept(), bad: bits(F.eptPointer, 0x80), good: bits(F.eptPointer, 0x40) },
  'control.unrestricted-guest': {
    bad: secondary(Secondary.unrestrictedGuest),
    good: (rig) => {
      rig.ept();
      rig.secondary(Secondary.unrestrictedGuest);
    },
  },
  'control.pml': { bad: secondary(Secondary.enablePml), good: all((rig) => rig.ept(), secondary(Secondary.enablePml)) },
  ...page(
    'control.pml-address',
    F.pmlAddress,
    all((rig: Rig) => rig.ept(), secondary(Secondary.enablePml)),
  ),
  'control.mode-based-execute': {
    bad: secondary(Secondary.modeBasedExecute),
    good: all((rig) => rig.ept(), secondary(Secondary.modeBasedExecute)),
  },
  'control.vm-functions-reserved': { setup: secondary(Secondary.enableVmFunctions), bad: put(F.vmFunctionControls, 2), good: nothing },
  'control.eptp-switching': {
    setup: secondary(Secondary.enableVmFunctions),
    bad: put(F.vmFunctionControls, 1),
    good: all((rig) => rig.ept(), put(F.vmFunctionControls, 1)),
  },
  ...page(
    'control.eptp-list',
    F.eptpListAddress,
    all((rig: Rig) => rig.ept(), secondary(Secondary.enableVmFunctions), put(F.vmFunctionControls, 1)),
  ),
  ...page('control.vmread-bitmap', F.vmreadBitmap, secondary(Secondary.vmcsShadowing)),
  ...page('control.vmwrite-bitmap', F.vmwriteBitmap, secondary(Secondary.vmcsShadowing)),
  ...page(
    'control.ve-information',
    F.veInfoAddress,
    all((rig: Rig) => rig.ept(), secondary(Secondary.eptViolationVe)),
  ),
  'control.tsc-multiplier': {
    setup: all(primary(Primary.useTscOffsetting), secondary(Secondary.useTscScaling)),
    bad: put(F.tscMultiplier, 0),
    good: put(F.tscMultiplier, 1),
  },
  'control.save-preemption-timer': {
    setup: bits(F.exitControls, Exit.savePreemptionTimer),
    bad: nothing,
    good: all(bits(F.pinControls, Pin.preemptionTimer), put(F.preemptionTimer, 1000)),
  },
  ...must('control.exit', F.exitControls, 1, 0x8000_0000),
  ...msrArea('control.exit-msr-store', F.exitMsrStoreAddress, F.exitMsrStoreCount),
  ...msrArea('control.exit-msr-load', F.exitMsrLoadAddress, F.exitMsrLoadCount),
  ...must('control.entry', F.entryControls, 1, 1 << 10),
  'control.injection-type': { bad: inject(1, 0), good: inject(2, 2) },
  'control.injection-other-vector': { bad: inject(7, 1), good: inject(7, 0) },
  'control.injection-nmi-vector': { bad: inject(2, 3), good: inject(2, 2) },
  'control.injection-exception-vector': { bad: inject(3, 32), good: inject(3, 31) },
  'control.injection-error-code-bit': { bad: inject(3, 13), good: inject(3, 13, ERROR_CODE) },
  'control.injection-reserved': { bad: inject(3, 6, 0x1000), good: inject(3, 6) },
  'control.injection-error-code': {
    setup: inject(3, 14, ERROR_CODE),
    bad: put(F.entryExceptionErrorCode, 0x1_0000),
    good: put(F.entryExceptionErrorCode, 0xffff),
  },
  'control.injection-length': { setup: inject(4, 0x80), bad: put(F.entryInstructionLength, 16), good: put(F.entryInstructionLength, 15) },
  ...msrArea('control.entry-msr-load', F.entryMsrLoadAddress, F.entryMsrLoadCount),
};

const loadEfer = { exit: bits(F.exitControls, Exit.loadEfer), entry: bits(F.entryControls, Entry.loadEfer) };
const loadPat = { exit: bits(F.exitControls, Exit.loadPat), entry: bits(F.entryControls, Entry.loadPat) };

const host: Record<string, CheckCase> = {
  'host.cr0-fixed': { bad: bits(F.hostCr0, 0, 0x20), good: bits(F.hostCr0, 0x1_0000) },
  'host.cr4-fixed': { bad: bits(F.hostCr4, 0, 0x2000), good: bits(F.hostCr4, 0x10) },
  'host.cr3-width': { bad: tooWide(F.hostCr3), good: widest(F.hostCr3) },
  'host.sysenter-esp': canonical(F.hostSysenterEsp),
  'host.sysenter-eip': canonical(F.hostSysenterEip),
  'host.perf-global-ctrl': {
    setup: bits(F.exitControls, Exit.loadPerfGlobalCtrl),
    bad: put(F.hostPerfGlobalCtrl, 1n << 63n),
    good: put(F.hostPerfGlobalCtrl, 3),
  },
  'host.pat': { setup: loadPat.exit, bad: put(F.hostPat, 2), good: put(F.hostPat, 0x0706_0504_0100_0607n) },
  'host.efer-reserved': { setup: loadEfer.exit, bad: bits(F.hostEfer, 2), good: bits(F.hostEfer, 1) },
  'host.efer-lma-lme': { setup: loadEfer.exit, bad: bits(F.hostEfer, 0, 0x400), good: nothing },
  ...Object.fromEntries(
    [F.hostEsSelector, F.hostCsSelector, F.hostSsSelector, F.hostDsSelector, F.hostFsSelector, F.hostGsSelector, F.hostTrSelector].map((f) => [
      `host.${f.name.slice(4, 6).toLowerCase()}-rpl-ti`,
      { bad: bits(f, 4), good: bits(f, 0x18) },
    ]),
  ),
  'host.cs-not-null': { bad: put(F.hostCsSelector, 0), good: put(F.hostCsSelector, 8) },
  'host.tr-not-null': { bad: put(F.hostTrSelector, 0), good: put(F.hostTrSelector, 8) },
  'host.ss-not-null': { mode: '32-bit', bad: put(F.hostSsSelector, 0), good: put(F.hostSsSelector, 8) },
  'host.fs-base': canonical(F.hostFsBase),
  'host.gs-base': canonical(F.hostGsBase),
  'host.gdtr-base': canonical(F.hostGdtrBase),
  'host.idtr-base': canonical(F.hostIdtrBase),
  'host.tr-base': canonical(F.hostTrBase),
  'host.legacy-guest': {
    mode: '32-bit',
    bad: bits(F.entryControls, Entry.ia32eModeGuest),
    good: nothing,
    also: ['host.size-0-guest', 'guest.long-pae'],
  },
  'host.legacy-host': { mode: 'pae', bad: bits(F.exitControls, Exit.hostAddressSpaceSize), good: nothing },
  'host.long-host': { bad: bits(F.exitControls, 0, Exit.hostAddressSpaceSize), good: nothing, also: ['host.size-0-guest'] },
  // Reached only when the earlier rows about IA32_EFER.LMA hold, which they never do together: shown by evaluating the row alone.
  'host.size-0-guest': {
    bad: bits(F.exitControls, 0, Exit.hostAddressSpaceSize),
    good: nothing,
    also: ['host.long-host'],
  },
  'host.size-0-pcide': { mode: 'pae', bad: bits(F.hostCr4, 1 << 17), good: nothing },
  'host.size-0-rip': { mode: '32-bit', bad: put(F.hostRip, 1n << 32n), good: put(F.hostRip, 0xffff_ffffn) },
  'host.size-1-pae': { bad: bits(F.hostCr4, 0, 0x20), good: nothing },
  'host.size-1-rip': canonical(F.hostRip),
};

const registers: Record<string, CheckCase> = {
  'guest.cr0-fixed': { bad: bits(F.guestCr0, 0, 0x20), good: bits(F.guestCr0, 0x1_0000) },
  'guest.cr0-pg-pe': {
    setup: unrestricted,
    bad: all(leaveLong, bits(F.guestCr0, 0, 1)),
    good: all(leaveLong, bits(F.guestCr0, 0, 0x8000_0001n)),
  },
  'guest.cr4-fixed': { bad: bits(F.guestCr4, 0, 0x2000), good: bits(F.guestCr4, 0x10) },
  'guest.debugctl': { setup: bits(F.entryControls, 4), bad: put(F.guestDebugctl, 4), good: put(F.guestDebugctl, 3) },
  'guest.long-pg': { setup: unrestricted, bad: bits(F.guestCr0, 0, 0x8000_0000n), good: nothing },
  'guest.long-pae': { bad: bits(F.guestCr4, 0, 0x20), good: nothing },
  'guest.legacy-pcide': { setup: leaveLong, bad: bits(F.guestCr4, 1 << 17), good: nothing },
  'guest.cr3-width': { bad: tooWide(F.guestCr3), good: widest(F.guestCr3) },
  'guest.dr7': { setup: bits(F.entryControls, 4), bad: put(F.guestDr7, 1n << 32n), good: put(F.guestDr7, 0xffff_ffffn) },
  'guest.sysenter-esp': canonical(F.guestSysenterEsp),
  'guest.sysenter-eip': canonical(F.guestSysenterEip),
  'guest.perf-global-ctrl': {
    setup: bits(F.entryControls, Entry.loadPerfGlobalCtrl),
    bad: put(F.guestPerfGlobalCtrl, 1n << 63n),
    good: put(F.guestPerfGlobalCtrl, 3),
  },
  'guest.bndcfgs': {
    setup: bits(F.entryControls, Entry.loadBndcfgs),
    bad: put(F.guestBndcfgs, 4n),
    good: put(F.guestBndcfgs, 0xffff_8000_0000_0003n),
  },
  'guest.pat': { setup: loadPat.entry, bad: put(F.guestPat, 3n << 56n), good: put(F.guestPat, 0x0706_0504_0100_0607n) },
  'guest.efer-reserved': { setup: loadEfer.entry, bad: bits(F.guestEfer, 0x200), good: bits(F.guestEfer, 1) },
  'guest.efer-lma': { setup: loadEfer.entry, bad: bits(F.guestEfer, 0, 0x500), good: nothing },
  'guest.efer-lme': { setup: loadEfer.entry, bad: bits(F.guestEfer, 0, 0x100), good: nothing },
};

/** Unrestricted guest with EPT. */
function unrestricted(rig: Rig): void {
  rig.ept();
  rig.secondary(Secondary.unrestrictedGuest);
}

/** The guest is no IA-32e mode guest: 32-bit code, paging by PAE with four absent PDPTEs. */
function leaveLong(rig: Rig): void {
  rig.bits(F.entryControls, 0, Entry.ia32eModeGuest);
  rig.set(F.guestCsAccessRights, 0xc09b);
  rig.set(F.guestCr3, 0xf0_0000);
}

const [ES, CS, SS, DS, FS, GS, LDTR, TR] = guestSegments as unknown as readonly (typeof guestSegments)[number][];
const codeAndData = [CS!, SS!, DS!, ES!, FS!, GS!];
const data = [DS!, ES!, FS!, GS!];
const key = (s: (typeof guestSegments)[number], what: string): string => `guest.${s.name.toLowerCase()}-${what}`;
const rights = (s: (typeof guestSegments)[number], set: number, clear = 0): Mutate => bits(s.accessRights, set, clear);

/** LDTR loaded, so that its checks apply. */
const ldtr: Mutate = (rig) => {
  rig.set(LDTR!.selector, 0x30);
  rig.set(LDTR!.limit, 0xffff);
  rig.set(LDTR!.accessRights, 0x82);
};

/** A guest in v8086 mode: not an IA-32e mode guest, all six segments alike. */
function v8086(rig: Rig): void {
  leaveLong(rig);
  rig.bits(F.guestRflags, 0x2_0000);
  for (const s of codeAndData) {
    rig.set(s.selector, 0x1000);
    rig.set(s.base, 0x1_0000);
    rig.set(s.limit, 0xffff);
    rig.set(s.accessRights, 0xf3);
  }
}

const usableCommon = (s: (typeof guestSegments)[number], setup: Mutate = nothing): Record<string, CheckCase> => ({
  [key(s, 'p')]: { setup, bad: rights(s, 0, 0x80), good: s === CS || s === TR ? nothing : rights(s, 0x1_0000, 0x80) },
  [key(s, 'reserved-low')]: { setup, bad: rights(s, 0x100), good: rights(s, 0x1000) },
  [key(s, 'g-bytes')]: { setup, bad: all(put(s.limit, 0xf_fffe), rights(s, 0x8000)), good: all(put(s.limit, 0xf_ffff), rights(s, 0x8000)) },
  [key(s, 'g-pages')]: { setup, bad: all(put(s.limit, 0x10_0fff), rights(s, 0, 0x8000)), good: all(put(s.limit, 0xf_ffff), rights(s, 0, 0x8000)) },
  [key(s, 'reserved-high')]: { setup, bad: rights(s, 0x2_0000), good: nothing },
});

const segments: Record<string, CheckCase> = {
  'guest.tr-ti': { bad: bits(TR!.selector, 4), good: bits(TR!.selector, 3) },
  'guest.ldtr-ti': { setup: ldtr, bad: bits(LDTR!.selector, 4), good: bits(LDTR!.selector, 3) },
  'guest.ss-rpl': {
    bad: all(put(SS!.selector, 0x13), rights(SS!, 0x60), rights(CS!, 0x60)),
    good: all(put(SS!.selector, 0x13), put(CS!.selector, 0xb), rights(SS!, 0x60), rights(CS!, 0x60)),
  },
  ...Object.fromEntries(
    codeAndData.map((s) => [
      key(s, 'v8086-base'),
      { setup: v8086, bad: put(s.base, 0x1_0010), good: all(put(s.selector, 0x1001), put(s.base, 0x1_0010)) },
    ]),
  ),
  ...Object.fromEntries(codeAndData.map((s) => [key(s, 'v8086-limit'), { setup: v8086, bad: put(s.limit, 0xfffe), good: nothing }])),
  ...Object.fromEntries(codeAndData.map((s) => [key(s, 'v8086-rights'), { setup: v8086, bad: put(s.accessRights, 0x93), good: nothing }])),
  ...Object.fromEntries([TR!, FS!, GS!].map((s) => [key(s, 'base-canonical'), canonical(s.base)])),
  'guest.ldtr-base-canonical': canonical(LDTR!.base, ldtr),
  ...Object.fromEntries([CS!, SS!, DS!, ES!].map((s) => [key(s, 'base-high'), { bad: put(s.base, 1n << 32n), good: put(s.base, 0xffff_ffffn) }])),
  'guest.cs-type': { bad: rights(CS!, 0, 1), good: rights(CS!, 0, 2) },
  'guest.ss-type': { bad: rights(SS!, 0, 2), good: rights(SS!, 4) },
  ...Object.fromEntries(data.map((s) => [key(s, 'type'), { bad: rights(s, 0, 1), good: rights(s, 8) }])),
  ...Object.fromEntries(codeAndData.map((s) => [key(s, 's'), { bad: rights(s, 0, 0x10), good: s === CS ? nothing : rights(s, 0x1_0000, 0x10) }])),
  'guest.cs-dpl-data': {
    setup: all(unrestricted, rights(CS!, 3, 0x200c), bits(F.entryControls, 0, 0)),
    bad: rights(CS!, 0x20),
    good: nothing,
  },
  'guest.cs-dpl-non-conforming': { bad: rights(CS!, 0x20), good: nothing },
  'guest.cs-dpl-conforming': {
    setup: rights(CS!, 4),
    bad: rights(CS!, 0x20),
    good: all(rights(SS!, 0x20), put(SS!.selector, 0x11), put(CS!.selector, 9)),
  },
  'guest.ss-dpl-rpl': {
    setup: rights(CS!, 4),
    bad: rights(SS!, 0x60),
    good: all(rights(SS!, 0x60), put(SS!.selector, 0x13), put(CS!.selector, 0xb)),
  },
  'guest.ss-dpl-real': { setup: all(unrestricted, rights(CS!, 3, 0x200c)), bad: rights(SS!, 0x60), good: nothing },
  ...Object.fromEntries(data.map((s) => [key(s, 'dpl'), { bad: put(s.selector, 0x13), good: all(put(s.selector, 0x13), rights(s, 0x60)) }])),
  ...codeAndData.reduce((o, s) => ({ ...o, ...usableCommon(s) }), {}),
  'guest.cs-db': { bad: rights(CS!, 0x4000), good: rights(CS!, 0x4000, 0x2000) },
  'guest.tr-type': { bad: rights(TR!, 3, 8), good: all(leaveLong, rights(TR!, 3, 8)) },
  'guest.tr-s': { bad: rights(TR!, 0x10), good: nothing },
  ...usableCommon(TR!),
  'guest.tr-unusable': { bad: rights(TR!, 0x1_0000), good: nothing },
  'guest.ldtr-type': { setup: ldtr, bad: rights(LDTR!, 1), good: nothing },
  'guest.ldtr-s': { setup: ldtr, bad: rights(LDTR!, 0x10), good: nothing },
  ...usableCommon(LDTR!, ldtr),
};

const blockSti = all(put(F.guestInterruptibility, 1), bits(F.guestRflags, 0x200));
/** A shadow-free VMCS region for the link pointer. */
const link =
  (revision: number): Mutate =>
  (rig) => {
    rig.machine.memory.write(At.vmcs2, 4, revision);
    rig.set(F.vmcsLinkPointer, At.vmcs2);
  };

const PAE_PDPTE_RESERVED = 7n;
const eptPae = all((rig: Rig) => rig.ept(), leaveLong);

const state: Record<string, CheckCase> = {
  'guest.gdtr-base': canonical(F.guestGdtrBase),
  'guest.idtr-base': canonical(F.guestIdtrBase),
  'guest.gdtr-limit': { bad: put(F.guestGdtrLimit, 0x1_0000), good: put(F.guestGdtrLimit, 0xffff) },
  'guest.idtr-limit': { bad: put(F.guestIdtrLimit, 0x1_0000), good: put(F.guestIdtrLimit, 0xffff) },
  'guest.rip-high': { setup: leaveLong, bad: put(F.guestRip, 1n << 32n), good: put(F.guestRip, 0xffff_ffffn) },
  'guest.rip-64': { bad: put(F.guestRip, 1n << 48n), good: put(F.guestRip, NON_CANONICAL) },
  'guest.rflags-reserved': { bad: put(F.guestRflags, 0x40_0002), good: put(F.guestRflags, 0x20_0002) },
  'guest.rflags-vm': {
    bad: (rig) => {
      v8086(rig);
      rig.bits(F.entryControls, Entry.ia32eModeGuest);
    },
    good: v8086,
  },
  'guest.rflags-if': { setup: inject(0, 0x30), bad: nothing, good: bits(F.guestRflags, 0x200) },
  'guest.activity-supported': { bad: put(F.guestActivity, 4), good: put(F.guestActivity, 3) },
  'guest.activity-hlt-dpl': {
    setup: all(put(SS!.selector, 0x13), put(CS!.selector, 0xb), rights(SS!, 0x60), rights(CS!, 0x60)),
    bad: put(F.guestActivity, 1),
    good: put(F.guestActivity, 2),
  },
  'guest.activity-blocking': { setup: blockSti, bad: put(F.guestActivity, 1), good: put(F.guestActivity, 0) },
  'guest.activity-injection': { setup: put(F.guestActivity, 1), bad: inject(3, 6), good: inject(3, 1) },
  'guest.interruptibility-reserved': { bad: put(F.guestInterruptibility, 0x10), good: put(F.guestInterruptibility, 8) },
  'guest.interruptibility-both': { setup: bits(F.guestRflags, 0x200), bad: put(F.guestInterruptibility, 3), good: put(F.guestInterruptibility, 2) },
  'guest.interruptibility-sti-if': { bad: put(F.guestInterruptibility, 1), good: blockSti },
  'guest.interruptibility-external': { setup: all(blockSti, inject(0, 0x30)), bad: nothing, good: put(F.guestInterruptibility, 8) },
  'guest.interruptibility-nmi-mov-ss': { setup: inject(2, 2), bad: put(F.guestInterruptibility, 2), good: blockSti },
  'guest.interruptibility-smi': { bad: put(F.guestInterruptibility, 4), good: put(F.guestInterruptibility, 8) },
  'guest.interruptibility-virtual-nmi': {
    setup: all(inject(2, 2), put(F.guestInterruptibility, 8)),
    bad: nmis,
    good: bits(F.pinControls, Pin.nmiExiting),
  },
  'guest.pending-debug-reserved': { bad: put(F.guestPendingDebug, 0x2000), good: put(F.guestPendingDebug, 0x500f) },
  'guest.pending-debug-bs-set': { setup: all(blockSti, bits(F.guestRflags, 0x100)), bad: nothing, good: put(F.guestPendingDebug, 0x4000) },
  'guest.pending-debug-bs-clear': { setup: blockSti, bad: put(F.guestPendingDebug, 0x4000), good: nothing },
  'guest.link-aligned': { setup: link(REVISION_ID), bad: bits(F.vmcsLinkPointer, 0x10), good: nothing, also: ['guest.link-revision'] },
  'guest.link-width': { setup: link(REVISION_ID), bad: tooWide(F.vmcsLinkPointer), good: nothing, also: ['guest.link-revision'] },
  'guest.link-revision': { bad: link(REVISION_ID + 1), good: link(REVISION_ID) },
  'guest.link-current': { bad: put(F.vmcsLinkPointer, At.vmcs), good: link(REVISION_ID) },
  ...Object.fromEntries(
    [F.guestPdpte0, F.guestPdpte1, F.guestPdpte2, F.guestPdpte3].map((f, n) => [
      `guest.pdpte${n}`,
      { setup: eptPae, bad: put(f, PAE_PDPTE_RESERVED), good: put(f, 0xe19n) },
    ]),
  ),
  'guest.pdptes-memory': {
    setup: leaveLong,
    bad: (rig) => rig.machine.memory.write64(0xf0_0008, PAE_PDPTE_RESERVED),
    good: (rig) => rig.machine.memory.write64(0xf0_0008, 0x6n),
  },
};

export const checkCases: Readonly<Record<string, CheckCase>> = { ...controls, ...host, ...registers, ...segments, ...state };
