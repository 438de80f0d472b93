import { CR4 } from '../../cpu/cpu.ts';
import { counterBits } from '../../cpu/perfmon/model.ts';
import { Exit } from '../controls.ts';
import { F, type VmcsField } from '../fields.ts';
import { cr0Violation, cr4Violation } from '../fixed-bits.ts';
import { canonical, EFER_BITS, validPat, withinWidth, type CheckRow, type EntryContext } from './check.ts';

/** SDM Vol. 3, 27.2.2 to 27.2.4: checks on host control registers, MSRs, segments and address-space size. */

const canonicalRow = (id: string, section: string, field: VmcsField<'natural'>): CheckRow => ({
  id,
  section,
  title: `${field.title} must be canonical`,
  fields: [field],
  holds: (c) => canonical(c.vmcs.big(field)),
});

const exit = (bit: number) => (c: EntryContext) => (c.exit & bit) !== 0;
const cr4 = (c: EntryContext, bit: number): boolean => (Number(c.vmcs.big(F.hostCr4) & 0xffff_ffffn) & bit) !== 0;

const registers: readonly CheckRow[] = [
  {
    id: 'host.cr0-fixed',
    section: '27.2.2',
    title: 'host CR0 must not set any bit to a value not supported in VMX operation (PE, NE and PG must be 1)',
    fields: [F.hostCr0],
    holds: (c) => cr0Violation(c.vmcs.big(F.hostCr0), false) === 0n,
  },
  {
    id: 'host.cr4-fixed',
    section: '27.2.2',
    title: 'host CR4 must not set any bit to a value not supported in VMX operation (VMXE must be 1)',
    fields: [F.hostCr4],
    holds: (c) => cr4Violation(c.model, c.vmcs.big(F.hostCr4)) === 0n,
  },
  {
    id: 'host.cr3-width',
    section: '27.2.2',
    title: 'host CR3 must not set bits beyond the physical-address width',
    fields: [F.hostCr3],
    holds: (c) => withinWidth(c, c.vmcs.big(F.hostCr3)),
  },
  canonicalRow('host.sysenter-esp', '27.2.2', F.hostSysenterEsp),
  canonicalRow('host.sysenter-eip', '27.2.2', F.hostSysenterEip),
  {
    id: 'host.perf-global-ctrl',
    section: '27.2.2',
    title: 'with "load IA32_PERF_GLOBAL_CTRL" 1, reserved bits of host IA32_PERF_GLOBAL_CTRL must be 0',
    fields: [F.hostPerfGlobalCtrl],
    when: exit(Exit.loadPerfGlobalCtrl),
    holds: (c) => (c.vmcs.big(F.hostPerfGlobalCtrl) & ~counterBits(c.model)) === 0n,
  },
  {
    id: 'host.pat',
    section: '27.2.2',
    title: 'with "load IA32_PAT" 1, each byte of host IA32_PAT must be a memory type (0, 1, 4, 5, 6 or 7)',
    fields: [F.hostPat],
    when: exit(Exit.loadPat),
    holds: (c) => validPat(c.vmcs.big(F.hostPat)),
  },
  {
    id: 'host.efer-reserved',
    section: '27.2.2',
    title: 'with "load IA32_EFER" 1, reserved bits of host IA32_EFER must be 0',
    fields: [F.hostEfer],
    when: exit(Exit.loadEfer),
    holds: (c) => (c.vmcs.big(F.hostEfer) & ~EFER_BITS) === 0n,
  },
  {
    id: 'host.efer-lma-lme',
    section: '27.2.2',
    title: 'with "load IA32_EFER" 1, LMA and LME of host IA32_EFER must each equal "host address-space size"',
    fields: [F.hostEfer, F.exitControls],
    when: exit(Exit.loadEfer),
    holds: (c) => (c.vmcs.big(F.hostEfer) & 0x500n) === (c.hostLong ? 0x500n : 0n),
  },
];

const selectors = [F.hostEsSelector, F.hostCsSelector, F.hostSsSelector, F.hostDsSelector, F.hostFsSelector, F.hostGsSelector, F.hostTrSelector];
const short = (f: VmcsField): string => f.name.slice(4, 6).toLowerCase();

const segments: readonly CheckRow[] = [
  ...selectors.map((f): CheckRow => ({
    id: `host.${short(f)}-rpl-ti`,
    section: '27.2.3',
    title: `RPL (bits 1:0) and TI (bit 2) of the ${f.title} must be 0`,
    fields: [f],
    holds: (c) => (c.vmcs.num(f) & 7) === 0,
  })),
  ...[F.hostCsSelector, F.hostTrSelector].map((f): CheckRow => ({
    id: `host.${short(f)}-not-null`,
    section: '27.2.3',
    title: `the ${f.title} must not be 0000H`,
    fields: [f],
    holds: (c) => c.vmcs.num(f) !== 0,
  })),
  {
    id: 'host.ss-not-null',
    section: '27.2.3',
    title: 'with "host address-space size" 0, the Host SS selector must not be 0000H',
    fields: [F.hostSsSelector, F.exitControls],
    when: (c) => !c.hostLong,
    holds: (c) => c.vmcs.num(F.hostSsSelector) !== 0,
  },
  canonicalRow('host.fs-base', '27.2.3', F.hostFsBase),
  canonicalRow('host.gs-base', '27.2.3', F.hostGsBase),
  canonicalRow('host.gdtr-base', '27.2.3', F.hostGdtrBase),
  canonicalRow('host.idtr-base', '27.2.3', F.hostIdtrBase),
  canonicalRow('host.tr-base', '27.2.3', F.hostTrBase),
];

const addressSpace: readonly CheckRow[] = [
  {
    id: 'host.legacy-guest',
    section: '27.2.4',
    title: 'outside IA-32e mode (IA32_EFER.LMA 0), "IA-32e mode guest" must be 0',
    fields: [F.entryControls],
    when: (c) => !c.cpu.longMode,
    holds: (c) => !c.ia32eGuest,
  },
  {
    id: 'host.legacy-host',
    section: '27.2.4',
    title: 'outside IA-32e mode (IA32_EFER.LMA 0), "host address-space size" must be 0',
    fields: [F.exitControls],
    when: (c) => !c.cpu.longMode,
    holds: (c) => !c.hostLong,
  },
  {
    id: 'host.long-host',
    section: '27.2.4',
    title: 'in IA-32e mode (IA32_EFER.LMA 1), "host address-space size" must be 1',
    fields: [F.exitControls],
    when: (c) => c.cpu.longMode,
    holds: (c) => c.hostLong,
  },
  {
    id: 'host.size-0-guest',
    section: '27.2.4',
    title: 'with "host address-space size" 0, "IA-32e mode guest" must be 0',
    fields: [F.exitControls, F.entryControls],
    when: (c) => !c.hostLong,
    holds: (c) => !c.ia32eGuest,
  },
  {
    id: 'host.size-0-pcide',
    section: '27.2.4',
    title: 'with "host address-space size" 0, host CR4.PCIDE must be 0',
    fields: [F.exitControls, F.hostCr4],
    when: (c) => !c.hostLong,
    holds: (c) => !cr4(c, CR4.PCIDE),
  },
  {
    id: 'host.size-0-rip',
    section: '27.2.4',
    title: 'with "host address-space size" 0, bits 63:32 of host RIP must be 0',
    fields: [F.exitControls, F.hostRip],
    when: (c) => !c.hostLong,
    holds: (c) => c.vmcs.big(F.hostRip) >> 32n === 0n,
  },
  {
    id: 'host.size-1-pae',
    section: '27.2.4',
    title: 'with "host address-space size" 1, host CR4.PAE must be 1',
    fields: [F.exitControls, F.hostCr4],
    when: (c) => c.hostLong,
    holds: (c) => cr4(c, CR4.PAE),
  },
  {
    id: 'host.size-1-rip',
    section: '27.2.4',
    title: 'with "host address-space size" 1, host RIP must be canonical',
    fields: [F.exitControls, F.hostRip],
    when: (c) => c.hostLong,
    holds: (c) => canonical(c.vmcs.big(F.hostRip)),
  },
];

export const hostStateChecks: readonly CheckRow[] = [...registers, ...segments, ...addressSpace];
