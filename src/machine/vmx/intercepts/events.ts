import type { Cpu } from '../../cpu/cpu.ts';
import { ABANDONED, Vector, type GuestEvent } from '../../cpu/fault.ts';
import * as L from '../../cpu/layout.ts';
import { withdrawPageFault } from '../../cpu/mmu/walk.ts';
import { currentDelivery } from '../../cpu/system/deliver.ts';
import { Pin } from '../controls.ts';
import { nmiUnblockedByCurrentIret, vmExit } from '../exit.ts';
import { reportExit } from '../failure.ts';
import { F } from '../fields.ts';
import { infoOf } from '../interruption.ts';
import { ExitReason } from '../reasons.ts';
import { guestVmcs, type Vmcs } from '../vmcs.ts';

/** Events in non-root operation: SDM Vol. 3, 25.6.3 and 26.2. */

const UNBLOCKING_BY_IRET = 0x1000;
/** B0-B3, BD and BS: SDM Vol. 3, table 28-1. */
const DR6_CAUSES = 0x600fn;

/** SDM Vol. 3, 25.6.3: for #PF the error code is matched too. */
function exceptionExits(vmcs: Vmcs, event: GuestEvent): boolean {
  const bit = ((vmcs.num(F.exceptionBitmap) >>> event.vector) & 1) === 1;
  if (event.vector !== Vector.PF || event.type !== 'hardware') return bit;
  const matches = ((event.errorCode ?? 0) & vmcs.num(F.pageFaultMask)) === vmcs.num(F.pageFaultMatch);
  return matches === bit;
}

/** Exit qualification: the page fault's linear address (CR2 stays as it was: 28.1), the debug exception's causes. */
function qualificationOf(cpu: Cpu, event: GuestEvent): bigint {
  if (event.vector === Vector.PF && event.type === 'hardware') return withdrawPageFault(cpu);
  if (event.vector !== Vector.DB) return 0n;
  const pending = cpu.u64(L.PENDING_DEBUG) & DR6_CAUSES;
  return pending !== 0n ? pending : cpu.dr(6) & DR6_CAUSES;
}

/** GuestHooks.event: exceptions and NMIs. External interrupts are for the boundary, software interrupts never exit. */
export function interceptEvent(cpu: Cpu, event: GuestEvent): boolean {
  if (event.type === 'software' || event.type === 'external') return false;
  const vmcs = guestVmcs(cpu);
  if (event.type === 'nmi') {
    if ((vmcs.num(F.pinControls) & Pin.nmiExiting) === 0) return false;
    vmExit(cpu, { reason: ExitReason.exceptionOrNmi, interruption: infoOf(event) });
    return true;
  }
  if (!exceptionExits(vmcs, event)) return false;
  // Real-address mode has no error codes (28.2.2).
  const reported = cpu.realMode ? { ...event, errorCode: undefined } : event;
  const unblocking = event.vector !== Vector.DF && nmiUnblockedByCurrentIret(cpu) ? UNBLOCKING_BY_IRET : 0;
  const qualification = qualificationOf(cpu, event);
  if (event.vector === Vector.DB) cpu.setU64(L.PENDING_DEBUG, 0n);
  vmExit(cpu, {
    reason: ExitReason.exceptionOrNmi,
    qualification,
    interruption: (infoOf(reported) | unblocking) >>> 0,
    errorCode: reported.errorCode,
    length: event.length,
    resume: event,
  });
  return true;
}

/** GuestHooks.tripleFault. */
export function interceptTripleFault(cpu: Cpu): boolean {
  const hex = (v: bigint | number): string => `0x${v.toString(16)}`;
  reportExit(cpu, ExitReason.tripleFault, {
    rule: 'exit.triple-fault',
    title: 'an exception occurred while the double-fault handler was called',
    section: '26.2',
    detail: `IDTR base ${hex(cpu.u64(L.IDTR_BASE))} limit ${hex(cpu.u32(L.IDTR_LIMIT))}, RSP ${hex(cpu.rsp)}, CR2 ${hex(cpu.cr2)}, CR3 ${hex(cpu.cr3)}`,
  });
  vmExit(cpu, { reason: ExitReason.tripleFault });
  return true;
}

const SOURCES = { call: 0, iret: 1, jmp: 2, gate: 3 } as const;

/** GuestHooks.taskSwitch: task switches always exit. SDM Vol. 3, 26.4.2; qualification: table 28-2. */
export function interceptTaskSwitch(cpu: Cpu, selector: number, source: keyof typeof SOURCES): never {
  const length = currentDelivery[cpu.index] ? undefined : Number(BigInt.asUintN(32, cpu.nextRip - cpu.rip));
  vmExit(cpu, { reason: ExitReason.taskSwitch, qualification: BigInt(selector) | (BigInt(SOURCES[source]) << 30n), length });
  throw ABANDONED;
}
