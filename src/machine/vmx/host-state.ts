import { Activity, CR4, EFER, type Cpu } from '../cpu/cpu.ts';
import * as L from '../cpu/layout.ts';
import { pdpteValid, readPdptes, setPdpte } from '../cpu/mmu/pdptes.ts';
import { syncContext } from '../cpu/mmu/tlb.ts';
import { MsrSlot, msrSlotOffset } from '../cpu/msr.ts';
import { loadPerfGlobalCtrl, storeCpl } from '../cpu/perfmon/counters.ts';
import { updateMode } from '../cpu/system/segments.ts';
import { selectRootContext } from './address-space.ts';
import { Exit } from './controls.ts';
import { F, type VmcsField } from './fields.ts';
import { loadCr0 } from './guest-state.ts';
import type { Vmcs } from './vmcs.ts';
import { loadWords, narrow, wide, wordCopies } from './word-copies.ts';

const MODE = EFER.LMA | EFER.LME;
const DR7 = L.DR0 + 7 * 8;
const SYSENTER_CS = msrSlotOffset(MsrSlot.sysenterCs);
const UNUSABLE = 0x1_0000;
/** Access rights of SDM Vol. 3, 28.5.2: present, accessed, DPL 0, 4-GByte limit. */
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;

function loadData(cpu: Cpu, segment: number, selector: number, base = 0, baseHigh = 0): void {
  cpu.segments[segment]!.loadLow(selector, base, 0xffff_ffff, selector === 0 ? UNUSABLE : DATA, baseHigh);
}

const data: readonly (readonly [number, VmcsField<16>])[] = [
  [L.SS, F.hostSsSelector],
  [L.DS, F.hostDsSelector],
  [L.ES, F.hostEsSelector],
];

/** What is loaded as it is: SDM Vol. 3, 28.5. */
const loaded = wordCopies(
  wide(L.CR3, F.hostCr3),
  narrow(SYSENTER_CS, F.hostSysenterCs),
  wide(msrSlotOffset(MsrSlot.sysenterEsp), F.hostSysenterEsp),
  wide(msrSlotOffset(MsrSlot.sysenterEip), F.hostSysenterEip),
  wide(L.GDTR_BASE, F.hostGdtrBase),
  wide(L.IDTR_BASE, F.hostIdtrBase),
  wide(L.GPR + 4 * 8, F.hostRsp),
  wide(L.RIP, F.hostRip),
  wide(L.NEXT_RIP, F.hostRip),
);

function loadSegments(cpu: Cpu, vmcs: Vmcs, long: boolean): void {
  for (const [n, f] of data) loadData(cpu, n, vmcs.num(f));
  loadData(cpu, L.FS, vmcs.num(F.hostFsSelector), vmcs.low(F.hostFsBase), vmcs.high(F.hostFsBase));
  loadData(cpu, L.GS, vmcs.num(F.hostGsSelector), vmcs.low(F.hostGsBase), vmcs.high(F.hostGsBase));
  cpu.segments[L.CS]!.loadLow(vmcs.num(F.hostCsSelector), 0, 0xffff_ffff, long ? CODE_64 : CODE_32);
  cpu.segments[L.LDTR]!.loadLow(0, 0, 0, UNUSABLE);
  cpu.segments[L.TR]!.loadLow(vmcs.num(F.hostTrSelector), vmcs.low(F.hostTrBase), 0x67, BUSY_TSS, vmcs.high(F.hostTrBase));
  storeCpl(cpu, 0);
}

function loadControlRegisters(cpu: Cpu, vmcs: Vmcs, exit: number, long: boolean): void {
  loadCr0(cpu, vmcs, F.hostCr0);
  const cr4 = vmcs.low(F.hostCr4);
  cpu.setU32(L.CR4, long ? cr4 | CR4.PAE : cr4 & ~CR4.PCIDE);
  cpu.setU32(L.CR4 + 4, vmcs.high(F.hostCr4));
  if ((exit & Exit.loadEfer) !== 0) vmcs.load(cpu, L.EFER, F.hostEfer);
  else cpu.setU32(L.EFER, long ? cpu.u32(L.EFER) | MODE : cpu.u32(L.EFER) & ~MODE);
}

/** Loads the host-state area, but for MSR areas: SDM Vol. 3, 28.5. False: the PDPTEs of a PAE host are not valid (VMX abort). */
export function loadHostState(cpu: Cpu, vmcs: Vmcs): boolean {
  const exit = vmcs.num(F.exitControls);
  const long = (exit & Exit.hostAddressSpaceSize) !== 0;
  selectRootContext(cpu, vmcs);
  loadControlRegisters(cpu, vmcs, exit, long);
  loadWords(cpu, vmcs, loaded);
  cpu.setU32(SYSENTER_CS + 4, 0);
  cpu.setU32(L.GDTR_LIMIT, 0xffff);
  cpu.setU32(L.IDTR_LIMIT, 0xffff);
  cpu.setLow(DR7, 0x400);
  cpu.setLow(msrSlotOffset(MsrSlot.debugctl), 0);
  if ((exit & Exit.loadPerfGlobalCtrl) !== 0) loadPerfGlobalCtrl(cpu, vmcs.big(F.hostPerfGlobalCtrl));
  if ((exit & Exit.loadPat) !== 0) vmcs.load(cpu, msrSlotOffset(MsrSlot.pat), F.hostPat);
  cpu.rflags = 2;
  loadSegments(cpu, vmcs, long);
  syncContext(cpu);
  updateMode(cpu);
  cpu.ripWritten = true;
  cpu.activity = Activity.active;
  cpu.setLow(L.PENDING_DEBUG, 0);
  cpu.setLow(L.TSC_OFFSET, 0);
  return long || (cpu.cr4bits & CR4.PAE) === 0 || loadHostPdptes(cpu);
}

function loadHostPdptes(cpu: Cpu): boolean {
  const pdptes = readPdptes(cpu, cpu.cr3);
  if (!pdptes.every((v) => pdpteValid(cpu, v))) return false;
  for (const [n, value] of pdptes.entries()) setPdpte(cpu, n, value);
  return true;
}
