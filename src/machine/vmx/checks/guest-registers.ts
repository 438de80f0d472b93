import { configLegal } from '../../cpu/mpx/state.ts';
import { counterBits } from '../../cpu/perfmon/model.ts';
import { Entry } from '../controls.ts';
import { F, type VmcsField } from '../fields.ts';
import { cr0Violation, cr4Violation } from '../fixed-bits.ts';
import { canonical, EFER_BITS, validPat, withinWidth, type CheckRow, type EntryContext } from './check.ts';

/** SDM Vol. 3, 27.3.1.1: checks on guest control registers, debug registers and MSRs. */
const section = '27.3.1.1';

const bit = (v: bigint, n: bigint): boolean => ((v >> n) & 1n) === 1n;
const cr0 = (c: EntryContext): bigint => c.vmcs.big(F.guestCr0);
const cr4 = (c: EntryContext): bigint => c.vmcs.big(F.guestCr4);
const entry = (mask: number) => (c: EntryContext) => (c.entry & mask) !== 0;
const [PG, PE, PAE, PCIDE] = [31n, 0n, 5n, 17n] as const;

/** IA32_DEBUGCTL bits that exist: LBR, BTF, TR, BTS, BTINT, the freeze bits (SDM Vol. 4, 1D9H). */
export const DEBUGCTL_BITS = 0x1fc3n;

const canonicalRow = (id: string, field: VmcsField<'natural'>): CheckRow => ({
  id,
  section,
  title: `${field.title} must be canonical`,
  fields: [field],
  holds: (c) => canonical(c.vmcs.big(field)),
});

export const guestRegisterChecks: readonly CheckRow[] = [
  {
    id: 'guest.cr0-fixed',
    section,
    title: 'guest CR0 must not set any bit to a value not supported in VMX operation (NE must be 1, and PE and PG unless "unrestricted guest" is 1)',
    fields: [F.guestCr0],
    holds: (c) => cr0Violation(cr0(c), c.unrestricted) === 0n,
  },
  {
    id: 'guest.cr0-pg-pe',
    section,
    title: 'with guest CR0.PG 1, CR0.PE must be 1',
    fields: [F.guestCr0],
    when: (c) => bit(cr0(c), PG),
    holds: (c) => bit(cr0(c), PE),
  },
  {
    id: 'guest.cr4-fixed',
    section,
    title: 'guest CR4 must not set any bit to a value not supported in VMX operation (VMXE must be 1)',
    fields: [F.guestCr4],
    holds: (c) => cr4Violation(c.model, cr4(c)) === 0n,
  },
  {
    id: 'guest.debugctl',
    section,
    title: 'with "load debug controls" 1, reserved bits of guest IA32_DEBUGCTL must be 0',
    fields: [F.guestDebugctl],
    when: entry(Entry.loadDebugControls),
    holds: (c) => (c.vmcs.big(F.guestDebugctl) & ~DEBUGCTL_BITS) === 0n,
  },
  {
    id: 'guest.long-pg',
    section,
    title: 'with "IA-32e mode guest" 1, guest CR0.PG must be 1',
    fields: [F.entryControls, F.guestCr0],
    when: (c) => c.ia32eGuest,
    holds: (c) => bit(cr0(c), PG),
  },
  {
    id: 'guest.long-pae',
    section,
    title: 'with "IA-32e mode guest" 1, guest CR4.PAE must be 1',
    fields: [F.entryControls, F.guestCr4],
    when: (c) => c.ia32eGuest,
    holds: (c) => bit(cr4(c), PAE),
  },
  {
    id: 'guest.legacy-pcide',
    section,
    title: 'with "IA-32e mode guest" 0, guest CR4.PCIDE must be 0',
    fields: [F.entryControls, F.guestCr4],
    when: (c) => !c.ia32eGuest,
    holds: (c) => !bit(cr4(c), PCIDE),
  },
  {
    id: 'guest.cr3-width',
    section,
    title: 'guest CR3 must not set bits beyond the physical-address width',
    fields: [F.guestCr3],
    holds: (c) => withinWidth(c, c.vmcs.big(F.guestCr3)),
  },
  {
    id: 'guest.dr7',
    section,
    title: 'with "load debug controls" 1, bits 63:32 of guest DR7 must be 0',
    fields: [F.guestDr7],
    when: entry(Entry.loadDebugControls),
    holds: (c) => c.vmcs.big(F.guestDr7) >> 32n === 0n,
  },
  canonicalRow('guest.sysenter-esp', F.guestSysenterEsp),
  canonicalRow('guest.sysenter-eip', F.guestSysenterEip),
  {
    id: 'guest.perf-global-ctrl',
    section,
    title: 'with "load IA32_PERF_GLOBAL_CTRL" 1, reserved bits of guest IA32_PERF_GLOBAL_CTRL must be 0',
    fields: [F.guestPerfGlobalCtrl],
    when: entry(Entry.loadPerfGlobalCtrl),
    holds: (c) => (c.vmcs.big(F.guestPerfGlobalCtrl) & ~counterBits(c.model)) === 0n,
  },
  {
    id: 'guest.pat',
    section,
    title: 'with "load IA32_PAT" 1, each byte of guest IA32_PAT must be a memory type (0, 1, 4, 5, 6 or 7)',
    fields: [F.guestPat],
    when: entry(Entry.loadPat),
    holds: (c) => validPat(c.vmcs.big(F.guestPat)),
  },
  {
    id: 'guest.efer-reserved',
    section,
    title: 'with "load IA32_EFER" 1, reserved bits of guest IA32_EFER must be 0',
    fields: [F.guestEfer],
    when: entry(Entry.loadEfer),
    holds: (c) => (c.vmcs.big(F.guestEfer) & ~EFER_BITS) === 0n,
  },
  {
    id: 'guest.efer-lma',
    section,
    title: 'with "load IA32_EFER" 1, LMA of guest IA32_EFER must equal "IA-32e mode guest"',
    fields: [F.guestEfer, F.entryControls],
    when: entry(Entry.loadEfer),
    holds: (c) => bit(c.vmcs.big(F.guestEfer), 10n) === c.ia32eGuest,
  },
  {
    id: 'guest.efer-lme',
    section,
    title: 'with "load IA32_EFER" 1 and guest CR0.PG 1, LME of guest IA32_EFER must equal LMA',
    fields: [F.guestEfer, F.guestCr0],
    when: (c) => entry(Entry.loadEfer)(c) && bit(cr0(c), PG),
    holds: (c) => bit(c.vmcs.big(F.guestEfer), 8n) === bit(c.vmcs.big(F.guestEfer), 10n),
  },
  {
    id: 'guest.bndcfgs',
    section,
    title: 'with "load IA32_BNDCFGS" 1, bits 11:2 of guest IA32_BNDCFGS must be 0 and its base must be canonical',
    fields: [F.guestBndcfgs],
    when: entry(Entry.loadBndcfgs),
    holds: (c) => configLegal(c.cpu, c.vmcs.big(F.guestBndcfgs)),
  },
];
