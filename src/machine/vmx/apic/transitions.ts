import { Activity, type Cpu } from '../../cpu/cpu.ts';
import { Pending } from '../../cpu/layout.ts';
import { Primary, Secondary } from '../controls.ts';
import { secondaryControls } from '../execution-controls.ts';
import { F } from '../fields.ts';
import { APIC_WRITE, TPR_AT_ENTRY } from '../state.ts';
import type { Vmcs } from '../vmcs.ts';
import { enterVirtualInterrupts, virtualizeTpr } from './virtual-interrupts.ts';
import { emulateApicWrite } from './writes.ts';

/** VM entry: SDM Vol. 3, 27.3.2.5 and 27.7.7. */
export function enterVirtualApic(cpu: Cpu, vmcs: Vmcs): void {
  enterVirtualInterrupts(cpu, vmcs);
  cpu.setU32(APIC_WRITE, 0);
  if ((vmcs.num(F.primaryControls) & Primary.useTprShadow) === 0) return;
  const secondary = secondaryControls(vmcs) & (Secondary.virtualizeApicAccesses | Secondary.virtualInterruptDelivery);
  if (secondary !== Secondary.virtualizeApicAccesses) return;
  if (cpu.activity === Activity.shutdown || cpu.activity === Activity.waitForSipi) return;
  cpu.setU32(APIC_WRITE, TPR_AT_ENTRY);
  cpu.raise(Pending.window);
}

/** At an instruction boundary: emulation of the write that the last instruction made, or the TPR threshold after VM entry. True: a VM exit. */
export function virtualApicDue(cpu: Cpu, vmcs: Vmcs): boolean {
  const due = cpu.u32(APIC_WRITE);
  if (due === 0) return false;
  cpu.setU32(APIC_WRITE, 0);
  return due === TPR_AT_ENTRY ? virtualizeTpr(cpu, vmcs) : emulateApicWrite(cpu, vmcs, due - 1);
}
