import { Activity, Interruptibility, VmxMode, type Cpu } from '../cpu/cpu.ts';
import * as L from '../cpu/layout.ts';
import { deliverEvent } from '../cpu/system/deliver.ts';
import { setRip } from '../cpu/system/operands.ts';
import { enterVirtualApic } from './apic/transitions.ts';
import { controlChecks, guestChecks, hostChecks } from './checks/index.ts';
import { describeFields, entryContext, firstViolation, type CheckRow, type EntryContext } from './checks/check.ts';
import { checkedBefore, rememberChecked } from './checks/unchanged.ts';
import { Primary } from './controls.ts';
import { failEntry } from './exit.ts';
import { reportFailure, vmFail } from './failure.ts';
import { F } from './fields.ts';
import { loadGuestState } from './guest-state.ts';
import { guestHooksFor } from './hooks.ts';
import { EventKind, eventOf, parseInfo, type InterruptionInfo } from './interruption.ts';
import { armMonitorTrap, injectMonitorTrap } from './monitor-trap.ts';
import { loadMsrArea } from './msr-area.ts';
import { forgetPauses } from './pause-loop.ts';
import { startPreemptionTimer } from './preemption-timer.ts';
import { ENTRY_FAILURE, ExitReason, VmError } from './reasons.ts';
import { countEntry, forgetNmiUnblocked } from './state.ts';
import { LaunchState, type Vmcs } from './vmcs.ts';

export type EntryInstruction = 'vmlaunch' | 'vmresume';

const failure = (row: CheckRow, vmcs: Vmcs) => ({ rule: row.id, title: row.title, section: row.section, detail: describeFields(row, vmcs) });

/** There are no pending debug exceptions after some VM entries: SDM Vol. 3, 27.7.3. */
function dropsPendingDebug(info: InterruptionInfo | undefined, movSs: boolean, activity: number): boolean {
  if (!info) return activity === Activity.shutdown || activity === Activity.waitForSipi;
  return (info.type !== EventKind.software && info.type !== EventKind.softwareException) || !movSs;
}

/** What is due at the first boundary: windows and pending debug exceptions. */
function raisePending(cpu: Cpu, vmcs: Vmcs): void {
  const windows = Primary.interruptWindowExiting | Primary.nmiWindowExiting;
  const debug = (cpu.u32(L.PENDING_DEBUG) | cpu.u32(L.PENDING_DEBUG + 4)) !== 0;
  const bits = ((vmcs.num(F.primaryControls) & windows) !== 0 ? L.Pending.window : 0) | (debug ? L.Pending.debug : 0);
  if (bits !== 0) cpu.raise(bits);
}

/** The checks of 27.2 and 27.3.1 in their order; undefined: one failed, and what follows from it is done. */
function check(cpu: Cpu, vmcs: Vmcs, instruction: EntryInstruction): EntryContext | undefined {
  const before = checkedBefore(cpu, vmcs);
  const c = before?.context ?? entryContext(cpu, vmcs);
  const control = firstViolation(before ? before.controlChecks : controlChecks, c);
  if (control) {
    vmFail(cpu, instruction, VmError.controlFields, failure(control, vmcs));
    return undefined;
  }
  const host = before ? undefined : firstViolation(hostChecks, c);
  if (host) {
    vmFail(cpu, instruction, VmError.hostState, failure(host, vmcs));
    return undefined;
  }
  const guest = firstViolation(before ? before.guestChecks : guestChecks, c);
  if (guest) {
    reportFailure(cpu, instruction, (ENTRY_FAILURE | ExitReason.invalidGuestState) >>> 0, failure(guest, vmcs));
    failEntry(cpu, vmcs, ExitReason.invalidGuestState, BigInt(guest.qualification ?? 0));
    return undefined;
  }
  if (!before) rememberChecked(c);
  return c;
}

/** VM entry from the checks on: SDM Vol. 3, 27.2 to 27.7. VMLAUNCH and VMRESUME made the basic checks of 27.1. */
export function enterGuest(cpu: Cpu, vmcs: Vmcs, instruction: EntryInstruction): void {
  const c = check(cpu, vmcs, instruction);
  if (!c) return;
  loadGuestState(cpu, c);
  const refused = loadMsrArea(cpu, vmcs, F.entryMsrLoadAddress, F.entryMsrLoadCount);
  if (refused) {
    const title = 'each entry of the VM-entry MSR-load area must be one that WRMSR would accept';
    const details = { rule: 'entry.msr-load', title, section: '27.4', detail: refused.detail };
    reportFailure(cpu, instruction, (ENTRY_FAILURE | ExitReason.msrLoading) >>> 0, details);
    failEntry(cpu, vmcs, ExitReason.msrLoading, BigInt(refused.entry));
    return;
  }
  if (instruction === 'vmlaunch') vmcs.launchState = LaunchState.launched;
  cpu.setU32(L.VMX_MODE, VmxMode.nonRoot);
  cpu.guest = guestHooksFor(cpu, vmcs);
  forgetNmiUnblocked(cpu);
  countEntry(cpu);
  cpu.machine.probe?.vmEntry?.(cpu, instruction === 'vmlaunch');
  const interruption = vmcs.num(F.entryInterruptionInfo);
  const info = interruption >>> 31 === 1 ? parseInfo(interruption) : undefined;
  const movSs = (cpu.interruptibility & Interruptibility.movSs) !== 0;
  if (dropsPendingDebug(info, movSs, cpu.activity)) cpu.setLow(L.PENDING_DEBUG, 0);
  else vmcs.load(cpu, L.PENDING_DEBUG, F.guestPendingDebug);
  raisePending(cpu, vmcs);
  enterVirtualApic(cpu, vmcs);
  startPreemptionTimer(cpu, vmcs);
  armMonitorTrap(cpu, vmcs, info !== undefined);
  forgetPauses(cpu);
  if (!info) return;
  if (info.type === EventKind.other) injectMonitorTrap(cpu);
  else inject(cpu, vmcs, info);
}

/** Event injection: SDM Vol. 3, 27.6. The event is not subject to interception; what happens while it is delivered is. */
function inject(cpu: Cpu, vmcs: Vmcs, info: InterruptionInfo): void {
  // A processor that was inactive is active once the event is delivered (27.6.1).
  cpu.activity = Activity.active;
  // Injection is not blocked by STI or MOV SS, and after it nothing is.
  cpu.interruptibility &= ~(Interruptibility.sti | Interruptibility.movSs);
  deliverEvent(cpu, eventOf(info, vmcs.num(F.entryExceptionErrorCode), vmcs.num(F.entryInstructionLength)));
  setRip(cpu, cpu.rip);
}
