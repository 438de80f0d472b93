/** Random VMX controls of those that a model offers, with the others that they need, and the fields that they refer to. */
import type { CpuModel } from '../../../src/machine/cpu/models/model.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { allowedSettings } from '../../../src/machine/vmx/capabilities.ts';
import { offeredVmxFeatures, vmxFeatures, type VmxFeature, type VmxFeatureName } from '../../../src/machine/vmx/features.ts';
import { F, REVISION_ID } from '../../../src/machine/vmx/fields.ts';
import type { Vmcs } from '../../../src/machine/vmx/vmcs.ts';
import { Random } from '../../host-cpu/random.ts';
import { At, controlWords } from '../rig.ts';
import type { GuestKind } from './kinds.ts';
import { NOTIFICATION, Place } from './places.ts';

const byName = new Map(vmxFeatures.map((f) => [f.name, f]));
const isControl = (name: string): boolean => byName.get(name)?.control !== undefined;

/** The controls that a model offers, by their features' names. */
export const offeredControls = (model: CpuModel): VmxFeatureName[] =>
  [...offeredVmxFeatures(model)].filter((name): name is VmxFeatureName => isControl(name));

/** What VM entry asks for beyond what a feature needs to be offered: SDM Vol. 3, 27.2.1.1. */
const ENTRY_NEEDS: Readonly<Partial<Record<VmxFeatureName, VmxFeatureName>>> = {
  'virtual-nmis': 'nmi-exiting',
  'unrestricted-guest': 'ept',
  pml: 'ept',
};

function add(chosen: Set<VmxFeatureName>, name: VmxFeatureName): void {
  if (chosen.has(name)) return;
  chosen.add(name);
  const { needs = [] } = byName.get(name) as VmxFeature;
  const all = [...(typeof needs === 'string' ? [needs] : needs), ENTRY_NEEDS[name] ?? []].flat() as VmxFeatureName[];
  for (const n of all) if (isControl(n)) add(chosen, n);
}

/** These make every instruction exit, or belong to the guest's mode: rarely, and not here. */
const RARE: ReadonlySet<VmxFeatureName> = new Set<VmxFeatureName>(['monitor-trap-flag']);
const BY_MODE: ReadonlySet<VmxFeatureName> = new Set<VmxFeatureName>(['host-address-space-size', 'ia32e-mode-guest']);

/** Controls at random, and those wanted in any case. */
export function randomFeatures(model: CpuModel, random: Random, wanted: readonly VmxFeatureName[]): Set<VmxFeatureName> {
  const chosen = new Set<VmxFeatureName>();
  for (const name of wanted) add(chosen, name);
  const oneIn = random.pick([2, 4, 8]);
  for (const name of offeredControls(model)) {
    if (!BY_MODE.has(name) && random.chance(RARE.has(name) ? 14 : oneIn)) add(chosen, name);
  }
  // Only one of the two: SDM Vol. 3, 27.2.1.1.
  if (chosen.has('virtualize-x2apic') && chosen.has('virtualize-apic-accesses'))
    chosen.delete(random.pick(['virtualize-x2apic', 'virtualize-apic-accesses'] as const));
  return chosen;
}

/** The features whose controls are 1 in a VMCS. */
export function controlsOn(vmcs: Vmcs, model: CpuModel): VmxFeatureName[] {
  const field = new Map(controlWords);
  return offeredControls(model).filter((name) => {
    const { word, mask } = byName.get(name)!.control!;
    return (vmcs.num(field.get(word)!) & mask) !== 0;
  });
}

/** A 4-level EPT of 2-MByte pages: an identity map of RAM, but for the guest's data. */
function writeEpt({ memory }: Machine, root: number, permissions: number): void {
  // Bit 10 allows execution of user-mode addresses where that is a permission of its own, at every level: SDM Vol. 3, table 29-6.
  memory.write64(root, BigInt(root + 0x1000) | 0x407n);
  memory.write64(root + 0x1000, BigInt(root + 0x2000) | 0x407n);
  for (let n = 0; n < 8; n++) memory.write64(root + 0x2000 + n * 8, BigInt(n << 21) | 0x4b7n);
  memory.write(root + 0x2000 + (Place.dataEntry - Place.eptDirectory), 4, 0x80_00b0 | permissions);
}

function writeEpts(machine: Machine, vmcs: Vmcs, model: CpuModel, random: Random, permissions: number): void {
  const { memory } = machine;
  writeEpt(machine, At.ept, permissions);
  writeEpt(machine, Place.otherEpt, random.pick([7, 0x407, 5, 0]));
  memory.write(Place.permissions, 4, 0x80_00b0 | permissions);
  const bits = 0x1en | (model.vmx.features.has('ept-ad') ? 0x40n : 0n);
  vmcs.setBig(F.eptPointer, BigInt(At.ept) | bits);
  for (const [n, root] of [At.ept, Place.otherEpt].entries()) memory.write64(Place.eptpList + n * 8, BigInt(root) | bits);
}

function writeApic({ memory }: Machine, vmcs: Vmcs, chosen: ReadonlySet<VmxFeatureName>, random: Random): void {
  const tpr = random.below(16);
  memory.write(At.virtualApic + 0x80, 4, tpr << 4);
  for (let n = 0; n < 3; n++) {
    const vector = 0x20 + random.below(0xd0);
    memory.write(At.virtualApic + 0x200 + (vector >> 5) * 16, 4, (1 << (vector & 31)) >>> 0);
    vmcs.setNum(F.guestInterruptStatus, Math.max(vmcs.num(F.guestInterruptStatus), vector));
  }
  vmcs.setNum(F.tprThreshold, chosen.has('virtual-interrupt-delivery') ? 0 : random.below(tpr + 1));
  for (const f of [F.eoiExitBitmap0, F.eoiExitBitmap1, F.eoiExitBitmap2, F.eoiExitBitmap3])
    vmcs.setBig(f, (BigInt(random.u32() & random.u32()) << 32n) | BigInt((random.u32() & random.u32()) >>> 0));
  vmcs.setBig(F.postedDescriptorAddress, BigInt(Place.posted));
  vmcs.setNum(F.postedNotificationVector, NOTIFICATION);
}

/** Each bit 1 in one of four: of the I/O, MSR, VMREAD and VMWRITE bitmaps. */
function writeBitmaps({ memory }: Machine, random: Random): void {
  for (const at of [At.ioBitmapA, At.msrBitmaps, At.msrBitmaps + 0x800, Place.vmreadBitmap, Place.vmwriteBitmap])
    for (let n = 0; n < 0x400; n += 4) memory.write(at + n, 4, (random.u32() & random.u32()) >>> 0);
  for (let n = 0; n < 0x800; n += 4) memory.write(At.msrBitmaps + 0x400 + (n & 0x3fc) + (n & 0x400) * 2, 4, (random.u32() & random.u32()) >>> 0);
}

export interface Controls {
  readonly features: ReadonlySet<VmxFeatureName>;
  readonly kind: GuestKind;
  readonly seed: bigint;
  /** Low bits of the EPT entry for the guest's data, which lies elsewhere in the machine's memory. */
  readonly permissions: number;
  readonly timer: number;
}

/** Writes the VMCS, whose baseline a 64-bit guest without optional controls is, and what it refers to. */
export function writeControls(machine: Machine, vmcs: Vmcs, { features, kind, seed, permissions, timer }: Controls): void {
  const random = new Random(seed);
  const { model } = machine.cpus[0]!;
  for (const [word, field] of controlWords) {
    let bits = vmcs.num(field) | allowedSettings(model, word).must;
    for (const name of features) {
      const control = byName.get(name)!.control!;
      if (control.word === word) bits |= control.mask;
    }
    vmcs.setNum(field, bits >>> 0);
  }
  const pages = [
    [F.pmlAddress, Place.pml], [F.eptpListAddress, Place.eptpList], [F.vmreadBitmap, Place.vmreadBitmap], [F.vmwriteBitmap, Place.vmwriteBitmap],
    [F.veInfoAddress, Place.veInfo], [F.apicAccessAddress, Place.apicAccess],
  ] as const; // prettier-ignore
  for (const [field, page] of pages) vmcs.setBig(field, BigInt(page));
  vmcs.setNum(F.vpid, 1);
  vmcs.setNum(F.pmlIndex, random.below(20));
  vmcs.setBig(F.tscOffset, BigInt(random.u32()));
  vmcs.setBig(F.tscMultiplier, 3n << 47n);
  vmcs.setNum(F.preemptionTimer, timer);
  vmcs.setNum(F.pleGap, 10);
  vmcs.setNum(F.pleWindow, 50);
  vmcs.setNum(F.exceptionBitmap, random.u32() & random.u32() & random.u32());
  vmcs.setBig(F.xssExitingBitmap, BigInt(random.u32()));
  if (features.has('ept')) writeEpts(machine, vmcs, model, random, permissions);
  if (features.has('vm-functions') && features.has('ept') && model.vmx.features.has('eptp-switching')) vmcs.setBig(F.vmFunctionControls, 1n);
  if (features.has('vmcs-shadowing')) {
    machine.memory.write(At.vmcs2, 4, (REVISION_ID | 0x8000_0000) >>> 0);
    vmcs.setBig(F.vmcsLinkPointer, BigInt(At.vmcs2));
  }
  writeApic(machine, vmcs, features, random);
  writeBitmaps(machine, random);
  kind.write(machine, vmcs);
  vmcs.setBig(F.cr0Mask, BigInt(random.u32() & random.u32()));
  vmcs.setBig(F.cr0Shadow, vmcs.big(F.guestCr0));
  vmcs.setBig(F.cr4Mask, BigInt(random.u32() & random.u32() & 0x7f_ffff));
  vmcs.setBig(F.cr4Shadow, vmcs.big(F.guestCr4));
  vmcs.setBig(F.guestRip, BigInt(kind.top));
  vmcs.setBig(F.guestRsp, BigInt(kind.stack));
  vmcs.setBig(F.guestRflags, random.chance(2) ? 0x202n : 2n);
}
