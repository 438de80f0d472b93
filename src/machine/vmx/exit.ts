import { Activity, Interruptibility, VmxMode, type Cpu } from '../cpu/cpu.ts';
import { Flag } from '../cpu/cpu.ts';
import type { GuestEvent } from '../cpu/fault.ts';
import * as L from '../cpu/layout.ts';
import { currentDelivery } from '../cpu/system/deliver.ts';
import { pushedFlags } from '../cpu/system/event-rules.ts';
import { leaveVirtualApic } from './apic/leave.ts';
import { Pin } from './controls.ts';
import { reportAbort } from './failure.ts';
import { F } from './fields.ts';
import { saveGuestState } from './guest-state.ts';
import { loadHostState } from './host-state.ts';
import { infoOf } from './interruption.ts';
import { disarmMonitorTrap } from './monitor-trap.ts';
import { loadMsrArea, storeMsrArea } from './msr-area.ts';
import { stopPreemptionTimer } from './preemption-timer.ts';
import { ENTRY_FAILURE, ExitReason } from './reasons.ts';
import { countExit, nmiUnblockedBy } from './state.ts';
import { guestVmcs, type Vmcs } from './vmcs.ts';

/** What a VM exit records: SDM Vol. 3, 28.2. Fields not given are written as 0, so that runs repeat. */
export interface ExitInfo {
  readonly reason: number;
  readonly qualification?: bigint | undefined;
  /** VM-exit interruption information, bit 31 set, and error code. */
  readonly interruption?: number;
  readonly errorCode?: number | undefined;
  /** Length of the instruction that caused the exit. */
  readonly length?: number | undefined;
  readonly instructionInfo?: number;
  readonly linear?: bigint | undefined;
  /** The RF flag saved: as it is, 0, 1, or all of RFLAGS as delivery of an event would push it. SDM Vol. 3, 28.3.3. */
  readonly resume?: 'keep' | 'zero' | 'one' | GuestEvent;
}

/** VMX-abort indicators: SDM Vol. 3, 28.7. */
const Abort = {
  storeMsrs: { indicator: 1, rule: 'abort.msr-store', title: 'each entry of the VM-exit MSR-store area must be one that RDMSR would accept', section: '28.4' },
  hostPdptes: { indicator: 2, rule: 'abort.host-pdptes', title: 'reserved bits of the PDPTEs at host CR3 must be 0', section: '28.5.4' },
  loadMsrs: { indicator: 4, rule: 'abort.msr-load', title: 'each entry of the VM-exit MSR-load area must be one that WRMSR would accept', section: '28.6' },
} as const; // prettier-ignore

/** SDM Vol. 3, 28.7: the processor shuts down; the VMCS region says why. */
function vmxAbort(cpu: Cpu, vmcs: Vmcs, { indicator, ...rule }: (typeof Abort)[keyof typeof Abort], detail: string): void {
  vmcs.abort = indicator;
  reportAbort(cpu, indicator, { ...rule, detail });
  cpu.activity = Activity.shutdown;
  cpu.machine.request('triple-fault');
}

/** True while an IRET that removed blocking by NMI has not completed: SDM Vol. 3, 28.2.3. */
export function nmiUnblockedByCurrentIret(cpu: Cpu): boolean {
  return currentDelivery[cpu.index] === undefined && nmiUnblockedBy(cpu) === cpu.rip;
}

/** RFLAGS as saved: SDM Vol. 3, 28.3.3. */
function savedFlags(cpu: Cpu, resume: ExitInfo['resume'], delivery: GuestEvent | undefined): number {
  if (typeof resume === 'object') return pushedFlags(cpu, resume);
  if (resume === 'one') return delivery ? pushedFlags(cpu, delivery) : cpu.rflags | Flag.RF;
  return resume === 'zero' ? cpu.rflags & ~Flag.RF : cpu.rflags;
}

function recordExit(vmcs: Vmcs, info: ExitInfo, delivery: GuestEvent | undefined): void {
  vmcs.setNum(F.exitReason, info.reason);
  if (info.qualification) vmcs.setBig(F.exitQualification, info.qualification);
  else vmcs.setHalves(F.exitQualification, 0, 0);
  if (info.linear) vmcs.setBig(F.guestLinearAddress, info.linear);
  else vmcs.setHalves(F.guestLinearAddress, 0, 0);
  vmcs.setNum(F.exitInterruptionInfo, info.interruption ?? 0);
  vmcs.setNum(F.exitInterruptionErrorCode, info.errorCode ?? 0);
  vmcs.setNum(F.idtVectoringInfo, delivery ? infoOf(delivery) : 0);
  vmcs.setNum(F.idtVectoringErrorCode, delivery?.errorCode ?? 0);
  vmcs.setNum(F.exitInstructionLength, info.length ?? delivery?.length ?? 0);
  vmcs.setNum(F.exitInstructionInfo, info.instructionInfo ?? 0);
  // SDM Vol. 3, 25.8.3: the event that the VM entry injected is not to be injected again.
  const injected = vmcs.num(F.entryInterruptionInfo);
  if (injected >>> 31 === 1) vmcs.setNum(F.entryInterruptionInfo, injected & 0x7fff_ffff);
}

/** NMIs after a VM exit: SDM Vol. 3, 28.5.5. With "virtual NMIs" the guest's blocking was not the processor's. */
function hostInterruptibility(cpu: Cpu, vmcs: Vmcs, byNmi: boolean): number {
  if (byNmi) return Interruptibility.nmi;
  return (vmcs.num(F.pinControls) & Pin.virtualNmis) !== 0 ? 0 : cpu.interruptibility & Interruptibility.nmi;
}

function leaveGuest(cpu: Cpu, vmcs: Vmcs): void {
  stopPreemptionTimer(cpu, vmcs);
  disarmMonitorTrap(cpu);
  leaveVirtualApic(cpu);
  cpu.guest = null;
  cpu.setU32(L.VMX_MODE, VmxMode.root);
  cpu.clear(L.Pending.window | L.Pending.debug);
  cpu.setLow(L.TSC_OFFSET, 0);
  cpu.setLow(L.TSC_MULTIPLIER, 0);
}

function enterHost(cpu: Cpu, vmcs: Vmcs): void {
  if (!loadHostState(cpu, vmcs)) {
    vmxAbort(cpu, vmcs, Abort.hostPdptes, `Host CR3 = 0x${vmcs.big(F.hostCr3).toString(16)}`);
    return;
  }
  const failure = loadMsrArea(cpu, vmcs, F.exitMsrLoadAddress, F.exitMsrLoadCount);
  if (failure) vmxAbort(cpu, vmcs, Abort.loadMsrs, failure.detail);
}

/**
 * A VM exit: SDM Vol. 3, chapter 28. Afterwards the CPU is in VMX root operation at the host's RIP. The caller leaves the
 * instruction: `throw ABANDONED`, or by the return value of its hook.
 */
export function vmExit(cpu: Cpu, info: ExitInfo): void {
  const vmcs = guestVmcs(cpu);
  cpu.machine.probe?.vmExiting?.(cpu, info.reason);
  const delivery = currentDelivery[cpu.index];
  recordExit(vmcs, info, delivery);
  saveGuestState(cpu, vmcs, savedFlags(cpu, info.resume, delivery));
  const byNmi = info.reason === ExitReason.exceptionOrNmi && ((info.interruption ?? 0) & 0x7ff) === 0x202;
  const interruptibility = hostInterruptibility(cpu, vmcs, byNmi);
  leaveGuest(cpu, vmcs);
  countExit(cpu);
  const failure = storeMsrArea(cpu, vmcs, F.exitMsrStoreAddress, F.exitMsrStoreCount);
  if (failure) vmxAbort(cpu, vmcs, Abort.storeMsrs, failure.detail);
  else {
    enterHost(cpu, vmcs);
    cpu.interruptibility = interruptibility;
  }
  cpu.machine.probe?.vmExit?.(cpu, info.reason, info.qualification ?? 0n);
}

/** A VM entry that failed while or after loading guest state: SDM Vol. 3, 27.8. The guest-state area stays as it was. */
export function failEntry(cpu: Cpu, vmcs: Vmcs, reason: number, qualification: bigint): void {
  const exitReason = (ENTRY_FAILURE | reason) >>> 0;
  vmcs.setNum(F.exitReason, exitReason);
  vmcs.setBig(F.exitQualification, qualification);
  leaveGuest(cpu, vmcs);
  countExit(cpu);
  cpu.interruptibility &= Interruptibility.nmi;
  enterHost(cpu, vmcs);
  cpu.machine.probe?.vmExit?.(cpu, exitReason, qualification);
}
