import { Activity, Flag, Interruptibility, VmxMode } from './cpu.ts';
import type { Cpu } from './cpu.ts';
import { Vector } from './fault.ts';
import { hasInstructionBreakpoints, instructionBreakpoints, trapNoted } from './breakpoint-registers.ts';
import * as L from './layout.ts';
import { linearRip } from './block-finder.ts';
import { atRepetition } from './repetition.ts';
import { deliverEvent } from './system/deliver.ts';
import { resetCpu, startup } from './system/init.ts';

const { Pending: P } = L;
const SHADOW = Interruptibility.sti | Interruptibility.movSs;

/** Reasons to execute one instruction alone. */
const Single = { shadow: 1, trap: 2, debug: 4, resumeFlag: 8, monitorTrap: 16 } as const;

/**
 * What happens between two instructions: INIT, SIPI, VMX boundary work, NMI, external interrupts, in the order of SDM
 * Vol. 3, table 6-2. True when something happened, which took a tick.
 */
export function boundary(cpu: Cpu): boolean {
  trapNoted(cpu);
  const pending = cpu.pending;
  if (pending === 0) return false;
  if (cpu.activity === Activity.mwait) cpu.activity = Activity.active;
  if (cpu.guest?.boundary(cpu)) return true;
  if (pending & P.init && cpu.vmxMode === VmxMode.off) {
    cpu.clear(P.init | P.nmi); // a SIPI that is pending was sent after this INIT, which dropped older ones
    resetCpu(cpu, 'init');
    cpu.irq.init?.();
    return true;
  }
  if (pending & P.sipi && cpu.vmxMode !== VmxMode.nonRoot) {
    const vector = (cpu.pending >>> 24) & 0xff;
    cpu.clear(P.sipi | 0xff00_0000);
    if (cpu.activity === Activity.waitForSipi) {
      startup(cpu, vector);
      return true;
    }
  }
  if (cpu.activity === Activity.waitForSipi || cpu.activity === Activity.shutdown) return false;
  if (pending & P.debug && (cpu.interruptibility & Interruptibility.movSs) === 0) {
    return debugException(cpu);
  }
  if (pending & P.nmi && (cpu.interruptibility & (SHADOW | Interruptibility.nmi)) === 0) {
    cpu.clear(P.nmi);
    return event(cpu, { vector: Vector.NMI, type: 'nmi', errorCode: undefined });
  }
  if (pending & P.interrupt && interruptible(cpu)) {
    const vector = cpu.irq.acknowledge();
    if (vector >= 0) return event(cpu, { vector, type: 'external', errorCode: undefined });
  }
  return false;
}

/** A debug exception with the causes that are pending. One that exits leaves DR6 alone (SDM Vol. 3, 28.1); delivery sets it. */
function debugException(cpu: Cpu): true {
  cpu.clear(P.debug);
  event(cpu, { vector: Vector.DB, type: 'hardware', errorCode: undefined });
  cpu.setU64(L.PENDING_DEBUG, 0n);
  return true;
}

function event(cpu: Cpu, e: Parameters<typeof deliverEvent>[1]): true {
  if (cpu.activity === Activity.hlt) cpu.activity = Activity.active;
  if (!cpu.guest?.event(cpu, e)) deliverEvent(cpu, e);
  return true;
}

const interruptible = (cpu: Cpu): boolean => (cpu.sysflags & Flag.IF) !== 0 && (cpu.interruptibility & SHADOW) === 0;

/**
 * Must the boundary be looked at before the next instruction? An interrupt that is pending while IF is clear can wait, except
 * in a guest, where it may cause a VM exit all the same: whatever sets IF is an instruction after which this is asked again.
 */
export function calls(cpu: Cpu): boolean {
  const pending = cpu.pending;
  return pending !== 0 && (pending !== P.interrupt || (cpu.sysflags & Flag.IF) !== 0 || cpu.guest !== null);
}

/** Does the CPU execute instructions now? */
export const isRunnable = (cpu: Cpu): boolean => cpu.activity === Activity.active;

/** Must the next instruction be executed alone? 0: no. */
export function needsSingleStep(cpu: Cpu): number {
  const flags = cpu.sysflags;
  return (
    ((cpu.interruptibility & SHADOW) !== 0 ? Single.shadow : 0) |
    ((flags & Flag.TF) !== 0 ? Single.trap : 0) |
    (cpu.guest?.monitorTrap === true ? Single.monitorTrap : 0) |
    ((flags & Flag.RF) !== 0 ? Single.resumeFlag : 0) |
    (hasInstructionBreakpoints(cpu) ? Single.debug : 0)
  );
}

/**
 * Before an instruction that is executed alone: an instruction breakpoint of the guest's debug registers (a fault; SDM
 * Vol. 3, 18.3.1.1). True when one was delivered.
 */
export function instructionBreakpoint(cpu: Cpu): boolean {
  // After MOV SS or POP SS there is none: SDM Vol. 3, 6.8.3.
  if ((cpu.sysflags & Flag.RF) !== 0 || (cpu.interruptibility & Interruptibility.movSs) !== 0) return false;
  const hit = instructionBreakpoints(cpu, linearRip(cpu));
  if (hit === 0) return false;
  cpu.setU64(L.PENDING_DEBUG, cpu.u64(L.PENDING_DEBUG) | BigInt(hit));
  return debugException(cpu);
}

/**
 * After an instruction executed alone: the shadows it stood in end, RF ends, a trap flag that was set before it traps
 * (SDM Vol. 3, 6.8.3, 18.3.1.4). Between iterations of a repeated string instruction RF is set: what interrupts it
 * returns without another instruction breakpoint (18.3.1.1).
 */
export function afterSingleStep(cpu: Cpu, single: number, shadowBefore: number, ripBefore: bigint): void {
  if (single & Single.shadow && (cpu.interruptibility & SHADOW) === shadowBefore) cpu.interruptibility &= ~SHADOW;
  const repeating = (single & (Single.trap | Single.debug | Single.resumeFlag)) !== 0 && cpu.rip === ripBefore && atRepetition(cpu);
  if (repeating) cpu.sysflags |= Flag.RF;
  else if (single & Single.resumeFlag) cpu.sysflags &= ~Flag.RF;
  if (single & Single.trap && (cpu.interruptibility & Interruptibility.movSs) === 0) {
    cpu.setU64(L.PENDING_DEBUG, cpu.u64(L.PENDING_DEBUG) | 0x4000n);
    cpu.setU32(L.PENDING, cpu.pending | P.debug);
  }
}

export const shadowOf = (cpu: Cpu): number => cpu.interruptibility & SHADOW;
