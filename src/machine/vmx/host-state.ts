import { Activity, CR4, EFER, type Cpu } from '../cpu/cpu.ts';
import * as L from '../cpu/layout.ts';
import { pdpteValid, readPdptes, setPdpte } from '../cpu/mmu/pdptes.ts';
import { syncContext } from '../cpu/mmu/contexts.ts';
import { MsrSlot, msrSlotOffset } from '../cpu/msr.ts';
import { loadPerfGlobalCtrl, storeCpl } from '../cpu/perfmon/counters.ts';
import { updateMode } from '../cpu/system/segments.ts';
import { selectRootContext } from './address-space.ts';
import { Exit } from './controls.ts';
import { F } from './fields.ts';
import { loadCr0 } from './guest-state.ts';
import type { Vmcs } from './vmcs.ts';

const MODE = EFER.LMA | EFER.LME;
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
  vmcs.code.loadHost(cpu.block, vmcs.base);
  if ((exit & Exit.loadPerfGlobalCtrl) !== 0) loadPerfGlobalCtrl(cpu, vmcs.big(F.hostPerfGlobalCtrl));
  if ((exit & Exit.loadPat) !== 0) vmcs.load(cpu, msrSlotOffset(MsrSlot.pat), F.hostPat);
  if ((exit & Exit.clearBndcfgs) !== 0) cpu.setU64(L.BNDCFGS, 0n);
  cpu.rflags = 2;
  storeCpl(cpu, 0);
  syncContext(cpu);
  updateMode(cpu);
  cpu.ripWritten = true;
  cpu.activity = Activity.active;
  return long || (cpu.cr4bits & CR4.PAE) === 0 || loadHostPdptes(cpu);
}

function loadHostPdptes(cpu: Cpu): boolean {
  const pdptes = readPdptes(cpu, cpu.cr3);
  if (!pdptes.every((v) => pdpteValid(cpu, v))) return false;
  for (const [n, value] of pdptes.entries()) setPdpte(cpu, n, value);
  return true;
}
