import { Activity, CR4, Interruptibility } from '../../cpu/cpu.ts';
import { pdpteValid, readPdptes } from '../../cpu/mmu/pdptes.ts';
import { Pin, Secondary } from '../controls.ts';
import { F, REVISION_ID, type VmcsField } from '../fields.ts';
import { EventKind } from '../interruption.ts';
import { SHADOW_REVISION } from '../shadow-vmcs.ts';
import { canonical, pageAligned, withinWidth, type CheckRow, type EntryContext } from './check.ts';
import { injected, injects } from './entry-controls.ts';

/** SDM Vol. 3, 27.3.1.3 to 27.3.1.6: guest descriptor tables, RIP and RFLAGS, non-register state, PDPTEs. */

/** Exit qualifications: SDM Vol. 3, 27.8. */
const Qualification = { pdpte: 2, linkPointer: 4 } as const;

const rflags = (c: EntryContext): bigint => c.vmcs.big(F.guestRflags);
const flag = (c: EntryContext, n: bigint): boolean => ((rflags(c) >> n) & 1n) === 1n;
const [TF, IF, VM] = [8n, 9n, 17n] as const;
const cr0 = (c: EntryContext, n: bigint): boolean => ((c.vmcs.big(F.guestCr0) >> n) & 1n) === 1n;
const activity = (c: EntryContext): number => c.vmcs.num(F.guestActivity);
const blocking = (c: EntryContext, mask: number): boolean => (c.vmcs.num(F.guestInterruptibility) & mask) !== 0;
const STI_OR_MOV_SS = Interruptibility.sti | Interruptibility.movSs;
const injectsType = (type: number) => (c: EntryContext) => injects(c) && injected(c).type === type;

const descriptorTables: readonly CheckRow[] = [
  ...[F.guestGdtrBase, F.guestIdtrBase].map((f): CheckRow => ({
    id: `guest.${f.name.slice(5, 9).toLowerCase()}-base`,
    section: '27.3.1.3',
    title: `${f.title} must be canonical`,
    fields: [f],
    holds: (c) => canonical(c.vmcs.big(f)),
  })),
  ...[F.guestGdtrLimit, F.guestIdtrLimit].map((f: VmcsField<32>): CheckRow => ({
    id: `guest.${f.name.slice(5, 9).toLowerCase()}-limit`,
    section: '27.3.1.3',
    title: `bits 31:16 of the ${f.title} must be 0`,
    fields: [f],
    holds: (c) => c.vmcs.num(f) >>> 16 === 0,
  })),
];

const code64 = (c: EntryContext): boolean => c.ia32eGuest && (c.vmcs.num(F.guestCsAccessRights) & 0x2000) !== 0;

const ripAndRflags: readonly CheckRow[] = [
  {
    id: 'guest.rip-high',
    section: '27.3.1.4',
    title: 'bits 63:32 of guest RIP must be 0 unless the guest will be in 64-bit mode',
    fields: [F.guestRip, F.guestCsAccessRights, F.entryControls],
    when: (c) => !code64(c),
    holds: (c) => c.vmcs.big(F.guestRip) >> 32n === 0n,
  },
  {
    // Bit 47 may differ from bits 63:48: the fetch then faults in the guest.
    id: 'guest.rip-64',
    section: '27.3.1.4',
    title: 'bits 63:48 of guest RIP must be identical',
    fields: [F.guestRip],
    when: code64,
    holds: (c) => [0n, 0xffffn].includes(c.vmcs.big(F.guestRip) >> 48n),
  },
  {
    id: 'guest.rflags-reserved',
    section: '27.3.1.4',
    title: 'bits 63:22, 15, 5 and 3 of guest RFLAGS must be 0, and bit 1 must be 1',
    fields: [F.guestRflags],
    holds: (c) => (rflags(c) & 0xffff_ffff_ffc0_802an) === 2n,
  },
  {
    id: 'guest.rflags-vm',
    section: '27.3.1.4',
    title: 'guest RFLAGS.VM must be 0 with "IA-32e mode guest" 1 or guest CR0.PE 0',
    fields: [F.guestRflags, F.entryControls, F.guestCr0],
    when: (c) => c.ia32eGuest || !cr0(c, 0n),
    holds: (c) => !flag(c, VM),
  },
  {
    id: 'guest.rflags-if',
    section: '27.3.1.4',
    title: 'guest RFLAGS.IF must be 1 when an external interrupt is injected',
    fields: [F.guestRflags, F.entryInterruptionInfo],
    when: injectsType(EventKind.external),
    holds: (c) => flag(c, IF),
  },
];

/** Events that may be injected into an activity state: SDM Vol. 3, 27.3.1.5. #DB is vector 1, #MC 18. */
function activityAllows(c: EntryContext): boolean {
  const { type, vector } = injected(c);
  const machineCheck = type === EventKind.hardware && vector === 18;
  switch (activity(c)) {
    case Activity.hlt:
      return (
        type === EventKind.external ||
        type === EventKind.nmi ||
        type === EventKind.other ||
        machineCheck ||
        (type === EventKind.hardware && vector === 1)
      );
    case Activity.shutdown:
      return type === EventKind.nmi || machineCheck;
    default:
      return activity(c) === Activity.active;
  }
}

const activityState: readonly CheckRow[] = [
  {
    id: 'guest.activity-supported',
    section: '27.3.1.5',
    title: 'the activity state must be 0 (active), 1 (HLT), 2 (shutdown) or 3 (wait-for-SIPI)',
    fields: [F.guestActivity],
    holds: (c) => activity(c) <= 3,
  },
  {
    id: 'guest.activity-hlt-dpl',
    section: '27.3.1.5',
    title: 'the activity state must not be HLT when the SS DPL is not 0',
    fields: [F.guestActivity, F.guestSsAccessRights],
    when: (c) => activity(c) === Activity.hlt,
    holds: (c) => (c.vmcs.num(F.guestSsAccessRights) & 0x60) === 0,
  },
  {
    id: 'guest.activity-blocking',
    section: '27.3.1.5',
    title: 'the activity state must be active when the interruptibility state indicates blocking by STI or MOV SS',
    fields: [F.guestActivity, F.guestInterruptibility],
    when: (c) => blocking(c, STI_OR_MOV_SS),
    holds: (c) => activity(c) === Activity.active,
  },
  {
    id: 'guest.activity-injection',
    section: '27.3.1.5',
    title: 'the injected event must be one that the activity state allows',
    fields: [F.guestActivity, F.entryInterruptionInfo],
    when: injects,
    holds: activityAllows,
  },
];

const interruptibility: readonly CheckRow[] = [
  {
    id: 'guest.interruptibility-reserved',
    section: '27.3.1.5',
    title: 'bits 31:4 of the interruptibility state must be 0',
    fields: [F.guestInterruptibility],
    holds: (c) => c.vmcs.num(F.guestInterruptibility) >>> 4 === 0,
  },
  {
    id: 'guest.interruptibility-both',
    section: '27.3.1.5',
    title: 'the interruptibility state must not indicate blocking by both STI and MOV SS',
    fields: [F.guestInterruptibility],
    holds: (c) => (c.vmcs.num(F.guestInterruptibility) & STI_OR_MOV_SS) !== STI_OR_MOV_SS,
  },
  {
    id: 'guest.interruptibility-sti-if',
    section: '27.3.1.5',
    title: 'blocking by STI requires guest RFLAGS.IF 1',
    fields: [F.guestInterruptibility, F.guestRflags],
    when: (c) => !flag(c, IF),
    holds: (c) => !blocking(c, Interruptibility.sti),
  },
  {
    id: 'guest.interruptibility-external',
    section: '27.3.1.5',
    title: 'no blocking by STI or MOV SS when an external interrupt is injected',
    fields: [F.guestInterruptibility, F.entryInterruptionInfo],
    when: injectsType(EventKind.external),
    holds: (c) => !blocking(c, STI_OR_MOV_SS),
  },
  {
    id: 'guest.interruptibility-nmi-mov-ss',
    section: '27.3.1.5',
    title: 'no blocking by MOV SS when an NMI is injected',
    fields: [F.guestInterruptibility, F.entryInterruptionInfo],
    when: injectsType(EventKind.nmi),
    holds: (c) => !blocking(c, Interruptibility.movSs),
  },
  {
    id: 'guest.interruptibility-smi',
    section: '27.3.1.5',
    title: 'no blocking by SMI outside SMM',
    fields: [F.guestInterruptibility],
    holds: (c) => !blocking(c, 4),
  },
  {
    id: 'guest.interruptibility-virtual-nmi',
    section: '27.3.1.5',
    title: 'with "virtual NMIs" 1, no blocking by NMI when an NMI is injected',
    fields: [F.guestInterruptibility, F.entryInterruptionInfo, F.pinControls],
    when: (c) => (c.pin & Pin.virtualNmis) !== 0 && injectsType(EventKind.nmi)(c),
    holds: (c) => !blocking(c, Interruptibility.nmi),
  },
];

const BS = 1n << 14n;
/** Pending debug exceptions are restricted after STI, MOV SS and in HLT. */
const debugRestricted = (c: EntryContext): boolean => blocking(c, STI_OR_MOV_SS) || activity(c) === Activity.hlt;
const singleStepping = (c: EntryContext): boolean => flag(c, TF) && (c.vmcs.big(F.guestDebugctl) & 2n) === 0n;

const pendingDebug: readonly CheckRow[] = [
  {
    id: 'guest.pending-debug-reserved',
    section: '27.3.1.5',
    title: 'bits 11:4, 13 and 63:15 of the pending debug exceptions must be 0',
    fields: [F.guestPendingDebug],
    holds: (c) => (c.vmcs.big(F.guestPendingDebug) & ~0x500fn) === 0n,
  },
  {
    id: 'guest.pending-debug-bs-set',
    section: '27.3.1.5',
    title: 'BS must be 1 after STI, MOV SS or in HLT when guest RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0',
    fields: [F.guestPendingDebug, F.guestRflags, F.guestDebugctl, F.guestInterruptibility, F.guestActivity],
    when: (c) => debugRestricted(c) && singleStepping(c),
    holds: (c) => (c.vmcs.big(F.guestPendingDebug) & BS) !== 0n,
  },
  {
    id: 'guest.pending-debug-bs-clear',
    section: '27.3.1.5',
    title: 'BS must be 0 after STI, MOV SS or in HLT when guest RFLAGS.TF is 0 or IA32_DEBUGCTL.BTF is 1',
    fields: [F.guestPendingDebug, F.guestRflags, F.guestDebugctl, F.guestInterruptibility, F.guestActivity],
    when: (c) => debugRestricted(c) && !singleStepping(c),
    holds: (c) => (c.vmcs.big(F.guestPendingDebug) & BS) === 0n,
  },
];

const link = (c: EntryContext): bigint => c.vmcs.big(F.vmcsLinkPointer);
const linked = (c: EntryContext): boolean => link(c) !== 0xffff_ffff_ffff_ffffn;
const linkPointer: readonly CheckRow[] = [
  {
    id: 'guest.link-aligned',
    section: '27.3.1.5',
    title: 'bits 11:0 of a VMCS link pointer other than all ones must be 0',
    fields: [F.vmcsLinkPointer],
    when: linked,
    holds: (c) => pageAligned(link(c)),
    qualification: Qualification.linkPointer,
  },
  {
    id: 'guest.link-width',
    section: '27.3.1.5',
    title: 'a VMCS link pointer other than all ones must not set bits beyond the physical-address width',
    fields: [F.vmcsLinkPointer],
    when: linked,
    holds: (c) => withinWidth(c, link(c)),
    qualification: Qualification.linkPointer,
  },
  {
    id: 'guest.link-revision',
    section: '27.3.1.5',
    title: 'the VMCS at the link pointer must hold the VMCS revision identifier, and as shadow-VMCS indicator (bit 31) "VMCS shadowing"',
    fields: [F.vmcsLinkPointer, F.secondaryControls],
    when: linked,
    holds: (c) => c.cpu.machine.memory.read(Number(link(c)), 4) === ((c.secondary & Secondary.vmcsShadowing) !== 0 ? SHADOW_REVISION : REVISION_ID),
    qualification: Qualification.linkPointer,
  },
  {
    id: 'guest.link-current',
    section: '27.3.1.5',
    title: 'the VMCS link pointer must not be the current-VMCS pointer',
    fields: [F.vmcsLinkPointer],
    when: linked,
    holds: (c) => link(c) !== BigInt(c.vmcs.address),
    qualification: Qualification.linkPointer,
  },
];

/** PAE paging: SDM Vol. 3, 27.3.1.6. */
export const usesPdptes = (c: EntryContext): boolean =>
  !c.ia32eGuest && c.vmcs.low(F.guestCr0) >>> 31 === 1 && (c.vmcs.low(F.guestCr4) & CR4.PAE) !== 0;
export const PDPTE_FIELDS = [F.guestPdpte0, F.guestPdpte1, F.guestPdpte2, F.guestPdpte3];

const pdptes: readonly CheckRow[] = [
  ...PDPTE_FIELDS.map((f, n): CheckRow => ({
    id: `guest.pdpte${n}`,
    section: '27.3.1.6',
    title: `reserved bits of a present ${f.title} must be 0 (PAE paging with EPT)`,
    fields: [f],
    when: (c) => c.ept && usesPdptes(c),
    holds: (c) => pdpteValid(c.cpu, c.vmcs.big(f)),
    qualification: Qualification.pdpte,
  })),
  {
    id: 'guest.pdptes-memory',
    section: '27.3.1.6',
    title: 'reserved bits of the present PDPTEs in the table at guest CR3 must be 0 (PAE paging without EPT)',
    fields: [F.guestCr3],
    when: (c) => !c.ept && usesPdptes(c),
    holds: (c) => readPdptes(c.cpu, c.vmcs.big(F.guestCr3)).every((v) => pdpteValid(c.cpu, v)),
    qualification: Qualification.pdpte,
  },
];

export const guestStateChecks: readonly CheckRow[] = [
  ...descriptorTables,
  ...ripAndRflags,
  ...activityState,
  ...interruptibility,
  ...pendingDebug,
  ...linkPointer,
  ...pdptes,
];
