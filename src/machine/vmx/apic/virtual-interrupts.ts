import { Activity, Flag, Interruptibility, type Cpu } from '../../cpu/cpu.ts';
import { ABANDONED } from '../../cpu/fault.ts';
import { Pending } from '../../cpu/layout.ts';
import { deliverEvent } from '../../cpu/system/deliver.ts';
import { setRip } from '../../cpu/system/operands.ts';
import { Primary, Secondary } from '../controls.ts';
import { secondaryControls } from '../execution-controls.ts';
import { vmExit } from '../exit.ts';
import { F } from '../fields.ts';
import { ExitReason } from '../reasons.ts';
import { VIRTUAL_INTERRUPT } from '../state.ts';
import type { Vmcs } from '../vmcs.ts';
import { highestVector, readVirtual, Reg, rvi, setRvi, setSvi, setVector, svi, writeVirtual } from './registers.ts';

/** Virtual interrupts: SDM Vol. 3, 30.1.2 to 30.1.5 and 30.2. */

export const deliversVirtualInterrupts = (vmcs: Vmcs): boolean => (secondaryControls(vmcs) & Secondary.virtualInterruptDelivery) !== 0;

/** PPR virtualization: 30.1.3. */
function virtualizePpr(cpu: Cpu, vmcs: Vmcs): void {
  const tpr = readVirtual(cpu, vmcs, Reg.tpr) & 0xff;
  const service = svi(vmcs);
  writeVirtual(cpu, vmcs, Reg.ppr, tpr >> 4 >= service >> 4 ? tpr : service & 0xf0);
}

/** Evaluation of pending virtual interrupts: 30.2.1. A recognized one is delivered at a boundary. */
export function evaluate(cpu: Cpu, vmcs: Vmcs): void {
  const window = (vmcs.num(F.primaryControls) & Primary.interruptWindowExiting) !== 0;
  const recognized = !window && rvi(vmcs) >> 4 > (readVirtual(cpu, vmcs, Reg.ppr) & 0xff) >> 4;
  cpu.setU32(VIRTUAL_INTERRUPT, recognized ? 1 : 0);
  if (recognized) cpu.raise(Pending.window);
}

/** Work after which a trap-like VM exit may follow, from within an instruction that writes a virtual register: RIP is then the next one's. */
export function afterInstruction(cpu: Cpu, exits: () => boolean): true {
  const next = cpu.nextRip;
  const at = cpu.rip;
  setRip(cpu, next);
  if (exits()) throw ABANDONED;
  setRip(cpu, at);
  cpu.nextRip = next;
  cpu.ripWritten = false;
  return true;
}

/** At VM entry: 27.3.2.5. */
export function enterVirtualInterrupts(cpu: Cpu, vmcs: Vmcs): void {
  cpu.setU32(VIRTUAL_INTERRUPT, 0);
  if (!deliversVirtualInterrupts(vmcs)) return;
  virtualizePpr(cpu, vmcs);
  evaluate(cpu, vmcs);
}

/** TPR virtualization, after a write of VTPR: 30.1.2. True: a trap-like VM exit was performed. */
export function virtualizeTpr(cpu: Cpu, vmcs: Vmcs): boolean {
  if (deliversVirtualInterrupts(vmcs)) {
    virtualizePpr(cpu, vmcs);
    evaluate(cpu, vmcs);
    return false;
  }
  if (((readVirtual(cpu, vmcs, Reg.tpr) >> 4) & 15) >= (vmcs.num(F.tprThreshold) & 15)) return false;
  vmExit(cpu, { reason: ExitReason.tprBelowThreshold });
  return true;
}

const eoiExitBitmaps = [F.eoiExitBitmap0, F.eoiExitBitmap1, F.eoiExitBitmap2, F.eoiExitBitmap3];

/** EOI virtualization: 30.1.4. True: a trap-like VM exit was performed. */
export function virtualizeEoi(cpu: Cpu, vmcs: Vmcs): boolean {
  const vector = svi(vmcs);
  setVector(cpu, vmcs, Reg.isr, vector, false);
  setSvi(vmcs, highestVector(cpu, vmcs, Reg.isr));
  virtualizePpr(cpu, vmcs);
  if (((vmcs.big(eoiExitBitmaps[vector >> 6]!) >> BigInt(vector & 63)) & 1n) === 1n) {
    vmExit(cpu, { reason: ExitReason.virtualizedEoi, qualification: BigInt(vector) });
    return true;
  }
  evaluate(cpu, vmcs);
  return false;
}

/** A virtual interrupt is requested: self-IPI virtualization (30.1.5) and posted interrupts. */
export function requestVirtualInterrupt(cpu: Cpu, vmcs: Vmcs, vector: number): void {
  setVector(cpu, vmcs, Reg.irr, vector, true);
  setRvi(vmcs, Math.max(rvi(vmcs), vector));
  evaluate(cpu, vmcs);
}

/** Virtual-interrupt delivery at an instruction boundary: 30.2.2. True: one was delivered. */
export function deliverVirtualInterrupt(cpu: Cpu, vmcs: Vmcs): boolean {
  if (cpu.u32(VIRTUAL_INTERRUPT) === 0 || (cpu.sysflags & Flag.IF) === 0) return false;
  if ((cpu.interruptibility & (Interruptibility.sti | Interruptibility.movSs)) !== 0) return false;
  if (cpu.activity !== Activity.active && cpu.activity !== Activity.hlt) return false;
  const vector = rvi(vmcs);
  setVector(cpu, vmcs, Reg.isr, vector, true);
  setSvi(vmcs, vector);
  writeVirtual(cpu, vmcs, Reg.ppr, vector & 0xf0);
  setVector(cpu, vmcs, Reg.irr, vector, false);
  setRvi(vmcs, highestVector(cpu, vmcs, Reg.irr));
  cpu.setU32(VIRTUAL_INTERRUPT, 0);
  cpu.activity = Activity.active;
  deliverEvent(cpu, { vector, type: 'external', errorCode: undefined });
  return true;
}
