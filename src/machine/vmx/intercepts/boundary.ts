import { Activity, Flag, Interruptibility, type Cpu } from '../../cpu/cpu.ts';
import { Pending } from '../../cpu/layout.ts';
import { postsInterrupts, processPosted } from '../apic/posted.ts';
import { virtualApicDue } from '../apic/transitions.ts';
import { deliverVirtualInterrupt } from '../apic/virtual-interrupts.ts';
import { Exit, Pin, Primary } from '../controls.ts';
import { vmExit } from '../exit.ts';
import { F } from '../fields.ts';
import { EventKind } from '../interruption.ts';
import { monitorTrapDue } from '../monitor-trap.ts';
import { preemptionTimerExpired } from '../preemption-timer.ts';
import { ExitReason } from '../reasons.ts';
import { guestVmcs, type Vmcs } from '../vmcs.ts';

/**
 * What may cause a VM exit between two instructions, in order of priority: SDM Vol. 3, 6.9, 25.6.2 (windows), 26.2, 26.5.1, 26.5.2 and 27.7.
 * Events that are not intercepted are left to the core, which delivers them as outside VMX.
 */
const NMI_INFO = (0x8000_0000 | (EventKind.nmi << 8) | 2) >>> 0;
const { sti: STI, movSs: MOV_SS, nmi: NMI } = Interruptibility;

const blocked = (cpu: Cpu, mask: number): boolean => (cpu.interruptibility & mask) !== 0;

/** INIT exits in every activity state but wait-for-SIPI, where SIPIs do: SDM Vol. 3, 26.2. */
function initOrSipi(cpu: Cpu): boolean {
  const waiting = cpu.activity === Activity.waitForSipi;
  if ((cpu.pending & Pending.sipi) !== 0) {
    const vector = cpu.pending >>> 24;
    cpu.clear(Pending.sipi | 0xff00_0000);
    if (waiting) {
      vmExit(cpu, { reason: ExitReason.sipi, qualification: BigInt(vector) });
      return true;
    }
  }
  if ((cpu.pending & Pending.init) === 0 || waiting) return false;
  cpu.clear(Pending.init);
  vmExit(cpu, { reason: ExitReason.init });
  return true;
}

/** With "virtual NMIs", bit 3 of the interruptibility state is the guest's matter and does not hold off NMIs. */
function nmiBlocked(cpu: Cpu, vmcs: Vmcs): boolean {
  const virtual = (vmcs.num(F.pinControls) & Pin.virtualNmis) !== 0;
  return blocked(cpu, virtual ? MOV_SS : MOV_SS | NMI);
}

function nmiWindowOpen(cpu: Cpu): boolean {
  return !blocked(cpu, STI | MOV_SS | NMI);
}

const interruptsBlocked = (cpu: Cpu): boolean => blocked(cpu, STI | MOV_SS) || cpu.activity === Activity.shutdown;

function externalInterrupt(cpu: Cpu, vmcs: Vmcs): boolean {
  if ((vmcs.num(F.pinControls) & Pin.externalInterruptExiting) === 0) return false;
  if ((cpu.pending & Pending.interrupt) === 0 || interruptsBlocked(cpu) || cpu.irq.pending() < 0) return false;
  if (!postsInterrupts(vmcs)) {
    vmExitExternal(cpu, vmcs);
    return true;
  }
  // With posted interrupts the vector is acknowledged before anything else (30.6).
  const vector = cpu.irq.acknowledge();
  if (processPosted(cpu, vmcs, vector)) deliverVirtualInterrupt(cpu, vmcs);
  else vmExit(cpu, { reason: ExitReason.externalInterrupt, interruption: (0x8000_0000 | vector) >>> 0 });
  return true;
}

/** The vector is taken from the interrupt controller only with "acknowledge interrupt on exit": SDM Vol. 3, 28.2.2. */
function vmExitExternal(cpu: Cpu, vmcs: Vmcs): void {
  const acknowledge = (vmcs.num(F.exitControls) & Exit.acknowledgeInterrupt) !== 0;
  const interruption = acknowledge ? (0x8000_0000 | cpu.irq.acknowledge()) >>> 0 : 0;
  vmExit(cpu, { reason: ExitReason.externalInterrupt, interruption });
}

/** GuestHooks.boundary: true when something happened, which took a tick. */
export function interceptBoundary(cpu: Cpu): boolean {
  if (initOrSipi(cpu)) return true;
  if (cpu.activity === Activity.waitForSipi) return false;
  const vmcs = guestVmcs(cpu);
  if (virtualApicDue(cpu, vmcs)) return true;
  if (monitorTrapDue(cpu)) {
    vmExit(cpu, { reason: ExitReason.monitorTrapFlag });
    return true;
  }
  // Debug traps of the last instruction come first; the core delivers them.
  if ((cpu.pending & Pending.debug) !== 0 && !blocked(cpu, MOV_SS)) return false;
  if (preemptionTimerExpired(cpu)) {
    vmExit(cpu, { reason: ExitReason.preemptionTimer });
    return true;
  }
  const primary = vmcs.num(F.primaryControls);
  if ((primary & Primary.nmiWindowExiting) !== 0 && nmiWindowOpen(cpu)) {
    vmExit(cpu, { reason: ExitReason.nmiWindow });
    return true;
  }
  if ((cpu.pending & Pending.nmi) !== 0 && (vmcs.num(F.pinControls) & Pin.nmiExiting) !== 0 && !nmiBlocked(cpu, vmcs)) {
    cpu.clear(Pending.nmi);
    vmExit(cpu, { reason: ExitReason.exceptionOrNmi, interruption: NMI_INFO });
    return true;
  }
  const nmiFirst = (cpu.pending & Pending.nmi) !== 0 && (vmcs.num(F.pinControls) & Pin.nmiExiting) === 0 && !blocked(cpu, MOV_SS | NMI);
  if (nmiFirst) return false;
  if ((primary & Primary.interruptWindowExiting) !== 0 && (cpu.sysflags & Flag.IF) !== 0 && !interruptsBlocked(cpu)) {
    vmExit(cpu, { reason: ExitReason.interruptWindow });
    return true;
  }
  if (deliverVirtualInterrupt(cpu, vmcs)) return true;
  return externalInterrupt(cpu, vmcs);
}
