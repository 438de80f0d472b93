import type { Cpu } from '../cpu/cpu.ts';
import { Pending } from '../cpu/layout.ts';
import { Primary } from './controls.ts';
import { F } from './fields.ts';
import { MONITOR_TRAP, MONITOR_TRAP_RETIRED } from './state.ts';
import type { Vmcs } from './vmcs.ts';

/**
 * The monitor trap flag: SDM Vol. 3, 26.5.2. A VM exit is pending on the boundary after the first instruction, or after the event
 * delivered in its place. Each instruction, iteration of a string instruction and event delivery is one tick of the CPU's
 * count, so what is asked at a boundary is whether the count moved.
 */
const State = { off: 0, entered: 1, counting: 2, due: 3 } as const;

/** At VM entry. @param injects the entry delivers an event, which is what the flag then traps */
export function armMonitorTrap(cpu: Cpu, vmcs: Vmcs, injects: boolean): void {
  if ((vmcs.num(F.primaryControls) & Primary.monitorTrapFlag) === 0) {
    cpu.setU32(MONITOR_TRAP, State.off);
    return;
  }
  cpu.setU32(MONITOR_TRAP, injects ? State.due : State.entered);
  cpu.raise(Pending.window);
}

/** A VM entry injects a pending MTF VM exit: interruption type 7, vector 0 (27.6.2). */
export function injectMonitorTrap(cpu: Cpu): void {
  cpu.setU32(MONITOR_TRAP, State.due);
  cpu.raise(Pending.window);
}

export function disarmMonitorTrap(cpu: Cpu): void {
  cpu.setU32(MONITOR_TRAP, State.off);
}

/** At an instruction boundary: is an MTF VM exit due? */
export function monitorTrapDue(cpu: Cpu): boolean {
  switch (cpu.u32(MONITOR_TRAP)) {
    case State.due:
      return true;
    case State.entered:
      cpu.setU32(MONITOR_TRAP, State.counting);
      cpu.setU64(MONITOR_TRAP_RETIRED, cpu.retired);
      return false;
    case State.counting:
      return cpu.u64(MONITOR_TRAP_RETIRED) !== cpu.retired;
    default:
      return false;
  }
}
