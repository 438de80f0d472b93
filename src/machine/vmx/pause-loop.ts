import type { Cpu } from '../cpu/cpu.ts';
import { F } from './fields.ts';
import { PAUSE_FIRST, PAUSE_LAST } from './state.ts';
import type { Vmcs } from './vmcs.ts';

/**
 * PAUSE-loop exiting: SDM Vol. 3, 25.6.13 and 26.1.3. Two PAUSEs at most PLE_Gap apart belong to one loop; a loop that lasts longer
 * than PLE_Window exits. Both are in ticks of the TSC. At CPL 0 only.
 */
export function pauseLoopExits(cpu: Cpu, vmcs: Vmcs): boolean {
  const now = BigInt(Math.floor(cpu.machine.clock.now()));
  const sinceLast = BigInt.asUintN(64, now - cpu.u64(PAUSE_LAST));
  cpu.setU64(PAUSE_LAST, now);
  if (cpu.u64(PAUSE_FIRST) === 0n || sinceLast > BigInt(vmcs.num(F.pleGap))) {
    cpu.setU64(PAUSE_FIRST, now);
    return false;
  }
  return BigInt.asUintN(64, now - cpu.u64(PAUSE_FIRST)) > BigInt(vmcs.num(F.pleWindow));
}

/** "The first execution since VM entry" begins a loop. */
export function forgetPauses(cpu: Cpu): void {
  cpu.setLow(PAUSE_FIRST, 0);
}
