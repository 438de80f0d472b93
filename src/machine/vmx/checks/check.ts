import type { Cpu } from '../../cpu/cpu.ts';
import type { CpuModel } from '../../cpu/models/model.ts';
import { Entry, Secondary, Exit } from '../controls.ts';
import { secondaryControls } from '../execution-controls.ts';
import { F, type VmcsField } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';

/** What a VM-entry check looks at: the VMCS, and the control words that many checks depend on. */
export interface EntryContext {
  readonly cpu: Cpu;
  readonly model: CpuModel;
  readonly vmcs: Vmcs;
  readonly pin: number;
  readonly primary: number;
  readonly secondary: number;
  readonly exit: number;
  readonly entry: number;
  /** "IA-32e mode guest", "host address-space size", "unrestricted guest", "enable EPT". */
  readonly ia32eGuest: boolean;
  readonly hostLong: boolean;
  readonly unrestricted: boolean;
  readonly ept: boolean;
  /** RFLAGS.VM of the guest: SDM Vol. 3, 27.3.1.2. */
  readonly v8086: boolean;
}

/**
 * One check of VM entry, a sentence of SDM Vol. 3, 27.2 or 27.3. `holds` is only asked where `when` says that the check
 * applies. The first row that does not hold ends the entry.
 */
export interface CheckRow {
  readonly id: string;
  readonly section: string;
  readonly title: string;
  /** Shown with their values when the check fails. */
  readonly fields: readonly VmcsField[];
  readonly when?: (c: EntryContext) => boolean;
  readonly holds: (c: EntryContext) => boolean;
  /** Exit qualification of a failed guest-state check: SDM Vol. 3, 27.8. */
  readonly qualification?: number;
}

export function entryContext(cpu: Cpu, vmcs: Vmcs): EntryContext {
  const secondary = secondaryControls(vmcs);
  const exit = vmcs.num(F.exitControls);
  const entry = vmcs.num(F.entryControls);
  return {
    cpu,
    model: cpu.model,
    vmcs,
    pin: vmcs.num(F.pinControls),
    primary: vmcs.num(F.primaryControls),
    secondary,
    exit,
    entry,
    ia32eGuest: (entry & Entry.ia32eModeGuest) !== 0,
    hostLong: (exit & Exit.hostAddressSpaceSize) !== 0,
    unrestricted: (secondary & Secondary.unrestrictedGuest) !== 0,
    ept: (secondary & Secondary.enableEpt) !== 0,
    v8086: (vmcs.big(F.guestRflags) & 0x2_0000n) !== 0n,
  };
}

/** The first row that is violated. */
export function firstViolation(rows: readonly CheckRow[], c: EntryContext): CheckRow | undefined {
  for (const row of rows) if ((!row.when || row.when(c)) && !row.holds(c)) return row;
  return undefined;
}

/** The fields of a row with their values, for a person. */
export function describeFields(row: CheckRow, vmcs: Vmcs): string {
  return row.fields.map((f) => `${f.title} = 0x${vmcs.read(f).toString(16)}`).join(', ');
}

/** True when no bit beyond the processor's physical-address width is set. */
export const withinWidth = (c: EntryContext, address: bigint): boolean => address >> BigInt(c.model.physicalBits) === 0n;
export const pageAligned = (address: bigint): boolean => (address & 0xfffn) === 0n;

/** Canonical for 48-bit linear addresses (no model has 5-level paging). */
export const canonical = (a: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, a)) === a;

/** The bytes of IA32_PAT are memory types 0 (UC), 1 (WC), 4 (WT), 5 (WP), 6 (WB) or 7 (UC-). */
export function validPat(pat: bigint): boolean {
  for (let n = 0n; n < 64n; n += 8n) if (((0xf3n >> ((pat >> n) & 0xffn)) & 1n) === 0n) return false;
  return true;
}

/** The bits of IA32_EFER that exist: SCE, LME, LMA, NXE. */
export const EFER_BITS = 0xd01n;

/** A physical address of a page-sized structure, as two rows: alignment and width. */
export function addressRows(id: string, section: string, field: VmcsField<64>, when: (c: EntryContext) => boolean): CheckRow[] {
  return [
    {
      id: `${id}-aligned`,
      section,
      title: `bits 11:0 of the ${field.title} must be 0`,
      fields: [field],
      when,
      holds: (c) => pageAligned(c.vmcs.big(field)),
    },
    {
      id: `${id}-width`,
      section,
      title: `the ${field.title} must not set bits beyond the physical-address width`,
      fields: [field],
      when,
      holds: (c) => withinWidth(c, c.vmcs.big(field)),
    },
  ];
}

/** An MSR area, when its count is not 0: 16-byte aligned, and all of it within the physical-address width. */
export function msrAreaRows(id: string, section: string, address: VmcsField<64>, count: VmcsField<32>): CheckRow[] {
  const when = (c: EntryContext): boolean => c.vmcs.num(count) !== 0;
  const fields = [address, count];
  const last = (c: EntryContext): bigint => c.vmcs.big(address) + BigInt(c.vmcs.num(count)) * 16n - 1n;
  return [
    {
      id: `${id}-aligned`,
      section,
      title: `bits 3:0 of the ${address.title} must be 0`,
      fields,
      when,
      holds: (c) => (c.vmcs.big(address) & 15n) === 0n,
    },
    {
      id: `${id}-width`,
      section,
      title: `the ${address.title} must not set bits beyond the physical-address width`,
      fields,
      when,
      holds: (c) => withinWidth(c, c.vmcs.big(address)),
    },
    {
      id: `${id}-end`,
      section,
      title: `the last byte of the area at the ${address.title} must lie within the physical-address width`,
      fields,
      when,
      holds: (c) => withinWidth(c, last(c)),
    },
  ];
}
