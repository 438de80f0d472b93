import { EFER, Interruptibility, type Cpu } from '../cpu/cpu.ts';
import { loadControlRegisters } from '../cpu/control-registers.ts';
import { setBreakpointRegister } from '../cpu/debug-registers.ts';
import * as L from '../cpu/layout.ts';
import { getPdpte, readPdptes, setPdpte } from '../cpu/mmu/pdptes.ts';
import { MsrSlot, msrSlot, msrSlotOffset, setMsrSlot } from '../cpu/msr.ts';
import { loadPerfGlobalCtrl } from '../cpu/perfmon/counters.ts';
import { setCodeSegment } from '../cpu/system/segments.ts';
import { selectGuestContext } from './address-space.ts';
import { usesPdptes, PDPTE_FIELDS } from './checks/guest-state.ts';
import type { EntryContext } from './checks/check.ts';
import { Entry, Exit, Primary, Secondary } from './controls.ts';
import { secondaryControls } from './execution-controls.ts';
import { hasVmxFeature } from './features.ts';
import { F, guestSegments } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/** Bits of CR0 that VM entries and exits do not change: CD, NW, 28:19, 17, 15:6, ET. SDM Vol. 3, 27.3.2.1 and 28.5.1. */
export const CR0_UNCHANGED = 0x7ffa_ffd0n;
const DR7_FIXED = 0x400n;
const DR7_CLEAR = 0xd000n;
const SYSENTER_CS = msrSlotOffset(MsrSlot.sysenterCs);
const SYSENTER_ESP = msrSlotOffset(MsrSlot.sysenterEsp);
const SYSENTER_EIP = msrSlotOffset(MsrSlot.sysenterEip);
const PAT = msrSlotOffset(MsrSlot.pat);
const [LME, LMA] = [BigInt(EFER.LME), BigInt(EFER.LMA)];

/** IA32_EFER after VM entry: SDM Vol. 3, 27.3.2.1. */
function guestEfer(cpu: Cpu, c: EntryContext, cr0: bigint): bigint {
  if ((c.entry & Entry.loadEfer) !== 0) return c.vmcs.big(F.guestEfer);
  let efer = cpu.efer & ~LMA;
  if (c.ia32eGuest) efer |= LMA;
  if ((cr0 & 0x8000_0000n) !== 0n) efer = c.ia32eGuest ? efer | LME : efer & ~LME;
  return efer;
}

function loadSegments(cpu: Cpu, vmcs: Vmcs): void {
  for (let n = 0; n < guestSegments.length; n++) {
    if (n === L.CS) continue;
    const s = guestSegments[n]!;
    const attr = vmcs.num(s.accessRights) & 0x1_f0ff;
    // An unusable register keeps what the SDM calls undefined; the bases of SS, DS and ES are cut to 32 bits.
    const high = n === L.SS || n === L.DS || n === L.ES ? 0 : vmcs.high(s.base);
    cpu.segments[n]!.loadLow(vmcs.num(s.selector), vmcs.low(s.base), vmcs.num(s.limit), attr, high);
  }
  const cs = guestSegments[L.CS]!;
  const cpl = (vmcs.num(F.guestSsAccessRights) >> 5) & 3;
  setCodeSegment(cpu, vmcs.num(cs.selector), vmcs.big(cs.base), vmcs.num(cs.limit), vmcs.num(cs.accessRights) & 0x1_f0ff, cpl);
}

/** Loads the guest-state area: SDM Vol. 3, 27.3.2. All checks were made. */
export function loadGuestState(cpu: Cpu, c: EntryContext): void {
  const { vmcs } = c;
  // Without EPT, PDPTEs come from the table at guest CR3, read before the guest's hooks are on.
  const pdptes = !usesPdptes(c) ? undefined : c.ept ? PDPTE_FIELDS.map((f) => vmcs.big(f)) : readPdptes(cpu, vmcs.big(F.guestCr3));
  const cr0 = (vmcs.big(F.guestCr0) & ~CR0_UNCHANGED) | (cpu.cr0 & CR0_UNCHANGED);
  selectGuestContext(cpu, vmcs);
  loadControlRegisters(cpu, { cr0, cr3: vmcs.big(F.guestCr3), cr4: vmcs.big(F.guestCr4), efer: guestEfer(cpu, c, cr0) });
  if (pdptes) for (const [n, value] of pdptes.entries()) setPdpte(cpu, n, value);
  if ((c.entry & Entry.loadDebugControls) !== 0) {
    setBreakpointRegister(cpu, 7, (vmcs.big(F.guestDr7) & ~DR7_CLEAR) | DR7_FIXED);
    setMsrSlot(cpu, MsrSlot.debugctl, vmcs.big(F.guestDebugctl));
  }
  cpu.setU32(SYSENTER_CS, vmcs.num(F.guestSysenterCs));
  cpu.setU32(SYSENTER_CS + 4, 0);
  vmcs.load(cpu, SYSENTER_ESP, F.guestSysenterEsp);
  vmcs.load(cpu, SYSENTER_EIP, F.guestSysenterEip);
  if ((c.entry & Entry.loadPerfGlobalCtrl) !== 0) loadPerfGlobalCtrl(cpu, vmcs.big(F.guestPerfGlobalCtrl));
  if ((c.entry & Entry.loadPat) !== 0) vmcs.load(cpu, PAT, F.guestPat);
  cpu.rflags = vmcs.low(F.guestRflags);
  loadSegments(cpu, vmcs);
  vmcs.load(cpu, L.GDTR_BASE, F.guestGdtrBase);
  cpu.setU32(L.GDTR_LIMIT, vmcs.num(F.guestGdtrLimit));
  vmcs.load(cpu, L.IDTR_BASE, F.guestIdtrBase);
  cpu.setU32(L.IDTR_LIMIT, vmcs.num(F.guestIdtrLimit));
  vmcs.load(cpu, L.GPR + 4 * 8, F.guestRsp);
  vmcs.load(cpu, L.RIP, F.guestRip);
  vmcs.load(cpu, L.NEXT_RIP, F.guestRip);
  cpu.ripWritten = true;
  cpu.activity = vmcs.num(F.guestActivity);
  cpu.interruptibility = vmcs.num(F.guestInterruptibility) & (Interruptibility.sti | Interruptibility.movSs | Interruptibility.nmi);
  const offsetting = (c.primary & Primary.useTscOffsetting) !== 0;
  cpu.setU64(L.TSC_OFFSET, offsetting ? vmcs.big(F.tscOffset) : 0n);
  cpu.setU64(L.TSC_MULTIPLIER, offsetting && (c.secondary & Secondary.useTscScaling) !== 0 ? vmcs.big(F.tscMultiplier) : 0n);
}

/** Saves the guest-state area: SDM Vol. 3, 28.3. `rflags` is what 28.3.3 says of RF. */
export function saveGuestState(cpu: Cpu, vmcs: Vmcs, rflags: number): void {
  const exit = vmcs.num(F.exitControls);
  vmcs.save(cpu, L.CR0, F.guestCr0);
  vmcs.save(cpu, L.CR3, F.guestCr3);
  vmcs.save(cpu, L.CR4, F.guestCr4);
  vmcs.setNum(F.guestSysenterCs, cpu.u32(SYSENTER_CS));
  vmcs.save(cpu, SYSENTER_ESP, F.guestSysenterEsp);
  vmcs.save(cpu, SYSENTER_EIP, F.guestSysenterEip);
  if ((exit & Exit.saveDebugControls) !== 0) {
    vmcs.setBig(F.guestDr7, cpu.dr(7) | DR7_FIXED);
    vmcs.setBig(F.guestDebugctl, msrSlot(cpu, MsrSlot.debugctl));
  }
  if ((exit & Exit.savePat) !== 0) vmcs.save(cpu, PAT, F.guestPat);
  if ((exit & Exit.saveEfer) !== 0) vmcs.save(cpu, L.EFER, F.guestEfer);
  // Where the guest may leave IA-32e mode by itself, the control follows it (28.3.1, IA32_VMX_MISC bit 5).
  if (hasVmxFeature(cpu.model, 'unrestricted-guest')) {
    const entry = vmcs.num(F.entryControls);
    vmcs.setNum(F.entryControls, cpu.longMode ? entry | Entry.ia32eModeGuest : entry & ~Entry.ia32eModeGuest);
  }
  for (let n = 0; n < guestSegments.length; n++) {
    const s = guestSegments[n]!;
    const segment = cpu.segments[n]!;
    vmcs.setNum(s.selector, segment.selector);
    vmcs.setNum(s.limit, segment.limit);
    vmcs.save(cpu, L.SEGMENTS + n * L.SEGMENT_SIZE + L.SEG_BASE, s.base);
    // SS.DPL is the CPL, also of an unusable SS (25.4.1).
    vmcs.setNum(s.accessRights, n === L.SS ? (segment.attr & ~0x60) | (cpu.cpl << 5) : segment.attr);
  }
  vmcs.save(cpu, L.GDTR_BASE, F.guestGdtrBase);
  vmcs.setNum(F.guestGdtrLimit, cpu.u32(L.GDTR_LIMIT));
  vmcs.save(cpu, L.IDTR_BASE, F.guestIdtrBase);
  vmcs.setNum(F.guestIdtrLimit, cpu.u32(L.IDTR_LIMIT));
  vmcs.save(cpu, L.GPR + 4 * 8, F.guestRsp);
  vmcs.save(cpu, L.RIP, F.guestRip);
  vmcs.setLow(F.guestRflags, rflags);
  vmcs.setNum(F.guestActivity, cpu.activity);
  vmcs.setNum(F.guestInterruptibility, cpu.interruptibility);
  vmcs.save(cpu, L.PENDING_DEBUG, F.guestPendingDebug);
  const ept = (secondaryControls(vmcs) & Secondary.enableEpt) !== 0;
  const pae = cpu.pagingOn && (cpu.cr4bits & 0x20) !== 0 && !cpu.longMode;
  if (ept && pae) for (const [n, f] of PDPTE_FIELDS.entries()) vmcs.setBig(f, getPdpte(cpu, n));
}
