import { Activity, EFER, type Cpu } from '../cpu/cpu.ts';
import { loadControlRegisters } from '../cpu/control-registers.ts';
import * as L from '../cpu/layout.ts';
import { pdpteValid, readPdptes, setPdpte } from '../cpu/mmu/pdptes.ts';
import { MsrSlot, msrSlotOffset, setMsrSlot } from '../cpu/msr.ts';
import { loadPerfGlobalCtrl } from '../cpu/perfmon/counters.ts';
import { setCodeSegment } from '../cpu/system/segments.ts';
import { selectRootContext } from './address-space.ts';
import { Exit } from './controls.ts';
import { F, type VmcsField } from './fields.ts';
import { CR0_UNCHANGED } from './guest-state.ts';
import type { Vmcs } from './vmcs.ts';

const PAE = 0x20n;
const PCIDE = 1n << 17n;
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

/** Loads the host-state area, but for MSR areas: SDM Vol. 3, 28.5. False: the PDPTEs of a PAE host are not valid (VMX abort). */
export function loadHostState(cpu: Cpu, vmcs: Vmcs): boolean {
  const exit = vmcs.num(F.exitControls);
  const long = (exit & Exit.hostAddressSpaceSize) !== 0;
  const cr0 = (vmcs.big(F.hostCr0) & ~CR0_UNCHANGED) | (cpu.cr0 & CR0_UNCHANGED);
  const cr3 = vmcs.big(F.hostCr3);
  const cr4 = long ? vmcs.big(F.hostCr4) | PAE : vmcs.big(F.hostCr4) & ~PCIDE;
  const mode = BigInt(EFER.LMA | EFER.LME);
  const efer = (exit & Exit.loadEfer) !== 0 ? vmcs.big(F.hostEfer) : long ? cpu.efer | mode : cpu.efer & ~mode;
  selectRootContext(cpu, vmcs);
  loadControlRegisters(cpu, { cr0, cr3, cr4, efer });
  cpu.setDr(7, 0x400n);
  setMsrSlot(cpu, MsrSlot.debugctl, 0n);
  cpu.setU32(msrSlotOffset(MsrSlot.sysenterCs), vmcs.num(F.hostSysenterCs));
  cpu.setU32(msrSlotOffset(MsrSlot.sysenterCs) + 4, 0);
  vmcs.load(cpu, msrSlotOffset(MsrSlot.sysenterEsp), F.hostSysenterEsp);
  vmcs.load(cpu, msrSlotOffset(MsrSlot.sysenterEip), F.hostSysenterEip);
  if ((exit & Exit.loadPerfGlobalCtrl) !== 0) loadPerfGlobalCtrl(cpu, vmcs.big(F.hostPerfGlobalCtrl));
  if ((exit & Exit.loadPat) !== 0) vmcs.load(cpu, msrSlotOffset(MsrSlot.pat), F.hostPat);
  for (const [n, f] of data) loadData(cpu, n, vmcs.num(f));
  loadData(cpu, L.FS, vmcs.num(F.hostFsSelector), vmcs.low(F.hostFsBase), vmcs.high(F.hostFsBase));
  loadData(cpu, L.GS, vmcs.num(F.hostGsSelector), vmcs.low(F.hostGsBase), vmcs.high(F.hostGsBase));
  cpu.segments[L.LDTR]!.loadLow(0, 0, 0, UNUSABLE);
  cpu.segments[L.TR]!.loadLow(vmcs.num(F.hostTrSelector), vmcs.low(F.hostTrBase), 0x67, BUSY_TSS, vmcs.high(F.hostTrBase));
  vmcs.load(cpu, L.GDTR_BASE, F.hostGdtrBase);
  cpu.setU32(L.GDTR_LIMIT, 0xffff);
  vmcs.load(cpu, L.IDTR_BASE, F.hostIdtrBase);
  cpu.setU32(L.IDTR_LIMIT, 0xffff);
  cpu.rflags = 2;
  setCodeSegment(cpu, vmcs.num(F.hostCsSelector), 0n, 0xffff_ffff, long ? CODE_64 : CODE_32, 0);
  vmcs.load(cpu, L.GPR + 4 * 8, F.hostRsp);
  vmcs.load(cpu, L.RIP, F.hostRip);
  vmcs.load(cpu, L.NEXT_RIP, F.hostRip);
  cpu.ripWritten = true;
  cpu.activity = Activity.active;
  cpu.setU64(L.PENDING_DEBUG, 0n);
  cpu.setU64(L.TSC_OFFSET, 0n);
  if (!long && (cr4 & PAE) !== 0n) {
    const pdptes = readPdptes(cpu, cr3);
    if (!pdptes.every((v) => pdpteValid(cpu, v))) return false;
    for (const [n, value] of pdptes.entries()) setPdpte(cpu, n, value);
  }
  return true;
}
