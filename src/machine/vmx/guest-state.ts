import { CR0, CR4, EFER, Interruptibility, type Cpu } from '../cpu/cpu.ts';
import { setBreakpointRegister } from '../cpu/debug-registers.ts';
import * as L from '../cpu/layout.ts';
import { getPdpte, readPdptes, setPdpte } from '../cpu/mmu/pdptes.ts';
import { syncContext } from '../cpu/mmu/contexts.ts';
import { setConfig } from '../cpu/mpx/state.ts';
import { MsrSlot, msrSlotOffset } from '../cpu/msr.ts';
import { loadPerfGlobalCtrl, storeCpl } from '../cpu/perfmon/counters.ts';
import { updateMode } from '../cpu/system/segments.ts';
import { selectGuestContext } from './address-space.ts';
import { usesPdptes, PDPTE_FIELDS } from './checks/guest-state.ts';
import type { EntryContext } from './checks/check.ts';
import { Entry, Exit, Primary, Secondary } from './controls.ts';
import { secondaryControls } from './execution-controls.ts';
import { hasVmxFeature } from './features.ts';
import { F, type VmcsField } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/** Bits of CR0 that VM entries and exits do not change: CD, NW, 28:19, 17, 15:6, ET. SDM Vol. 3, 27.3.2.1 and 28.5.1. */
export const CR0_UNCHANGED = 0x7ffa_ffd0;
const DR7 = L.DR0 + 7 * 8;
const DR7_FIXED = 0x400n;
const DR7_CLEAR = 0xd000n;
const DEBUGCTL = msrSlotOffset(MsrSlot.debugctl);
const PAT = msrSlotOffset(MsrSlot.pat);
/** IA32_EFER after VM entry: SDM Vol. 3, 27.3.2.1. */
function loadEfer(cpu: Cpu, c: EntryContext): void {
  if ((c.entry & Entry.loadEfer) !== 0) {
    c.vmcs.load(cpu, L.EFER, F.guestEfer);
    return;
  }
  const efer = cpu.u32(L.EFER);
  const lma = c.ia32eGuest ? EFER.LMA : 0;
  const paging = (c.vmcs.low(F.guestCr0) & CR0.PG) !== 0;
  const lme = !paging ? efer & EFER.LME : c.ia32eGuest ? EFER.LME : 0;
  cpu.setU32(L.EFER, (efer & ~(EFER.LMA | EFER.LME)) | lma | lme);
}

function loadTscControls(cpu: Cpu, c: EntryContext): void {
  const offsetting = (c.primary & Primary.useTscOffsetting) !== 0;
  if (offsetting) c.vmcs.load(cpu, L.TSC_OFFSET, F.tscOffset);
  else cpu.setLow(L.TSC_OFFSET, 0);
  if (offsetting && (c.secondary & Secondary.useTscScaling) !== 0) c.vmcs.load(cpu, L.TSC_MULTIPLIER, F.tscMultiplier);
  else cpu.setLow(L.TSC_MULTIPLIER, 0);
}

/** Loads the guest-state area: SDM Vol. 3, 27.3.2. All checks were made. */
export function loadGuestState(cpu: Cpu, c: EntryContext): void {
  const { vmcs } = c;
  // Without EPT, PDPTEs come from the table at guest CR3, read before the guest's hooks are on.
  const pdptes = !usesPdptes(c) ? undefined : c.ept ? PDPTE_FIELDS.map((f) => vmcs.big(f)) : readPdptes(cpu, vmcs.big(F.guestCr3));
  selectGuestContext(cpu, vmcs);
  loadEfer(cpu, c);
  loadCr0(cpu, vmcs, F.guestCr0);
  vmcs.code.loadGuest(cpu.block, vmcs.base);
  if (pdptes) for (const [n, value] of pdptes.entries()) setPdpte(cpu, n, value);
  if ((c.entry & Entry.loadDebugControls) !== 0) {
    setBreakpointRegister(cpu, 7, (vmcs.big(F.guestDr7) & ~DR7_CLEAR) | DR7_FIXED);
    vmcs.load(cpu, DEBUGCTL, F.guestDebugctl);
  }
  if ((c.entry & Entry.loadPerfGlobalCtrl) !== 0) loadPerfGlobalCtrl(cpu, vmcs.big(F.guestPerfGlobalCtrl));
  if ((c.entry & Entry.loadPat) !== 0) vmcs.load(cpu, PAT, F.guestPat);
  if ((c.entry & Entry.loadBndcfgs) !== 0) setConfig(cpu, L.BNDCFGS, vmcs.big(F.guestBndcfgs));
  cpu.rflags = vmcs.low(F.guestRflags);
  storeCpl(cpu, (vmcs.num(F.guestSsAccessRights) >> 5) & 3);
  syncContext(cpu);
  updateMode(cpu);
  cpu.ripWritten = true;
  cpu.activity = vmcs.num(F.guestActivity);
  cpu.interruptibility = vmcs.num(F.guestInterruptibility) & (Interruptibility.sti | Interruptibility.movSs | Interruptibility.nmi);
  loadTscControls(cpu, c);
}

/** CR0 of the guest or the host. */
export function loadCr0(cpu: Cpu, vmcs: Vmcs, f: VmcsField<'natural'>): void {
  cpu.setU32(L.CR0, (vmcs.low(f) & ~CR0_UNCHANGED) | (cpu.cr0bits & CR0_UNCHANGED));
  cpu.setU32(L.CR0 + 4, vmcs.high(f));
}

/** Saves the guest-state area: SDM Vol. 3, 28.3. `rflags` is what 28.3.3 says of RF. */
export function saveGuestState(cpu: Cpu, vmcs: Vmcs, rflags: number): void {
  const exit = vmcs.num(F.exitControls);
  vmcs.code.saveGuest(cpu.block, vmcs.base);
  vmcs.setHalves(F.guestRflags, rflags, 0);
  if ((exit & Exit.saveDebugControls) !== 0) {
    vmcs.setHalves(F.guestDr7, cpu.u32(DR7) | Number(DR7_FIXED), cpu.u32(DR7 + 4));
    vmcs.save(cpu, DEBUGCTL, F.guestDebugctl);
  }
  if ((exit & Exit.savePat) !== 0) vmcs.save(cpu, PAT, F.guestPat);
  if ((exit & Exit.saveEfer) !== 0) vmcs.save(cpu, L.EFER, F.guestEfer);
  // Not by a control: where IA32_BNDCFGS can be loaded, it is saved (28.3.1). Elsewhere it is 0 and nothing can read the field.
  vmcs.save(cpu, L.BNDCFGS, F.guestBndcfgs);
  // Where the guest may leave IA-32e mode by itself, the control follows it (28.3.1, IA32_VMX_MISC bit 5).
  if (hasVmxFeature(cpu.model, 'unrestricted-guest')) {
    const entry = vmcs.num(F.entryControls);
    vmcs.setNum(F.entryControls, cpu.longMode ? entry | Entry.ia32eModeGuest : entry & ~Entry.ia32eModeGuest);
  }
  if (cpu.longMode || !cpu.pagingOn || (cpu.cr4bits & CR4.PAE) === 0 || (secondaryControls(vmcs) & Secondary.enableEpt) === 0) return;
  for (const [n, f] of PDPTE_FIELDS.entries()) vmcs.setBig(f, getPdpte(cpu, n));
}
