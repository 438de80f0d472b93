import type { Machine } from '../../src/machine/machine.ts';
import { CPU_BLOCK_SIZE } from '../../src/machine/memory/layout.ts';
import * as L from '../../src/machine/cpu/layout.ts';

/**
 * What must be the same in both tiers: everything the guest, a debugger or a snapshot can see of a CPU. Where one was restored from
 * a snapshot, another part of the TLB may serve the same address space.
 */
export function cpuState(machine: Machine, n = 0, restored = false): unknown {
  const cpu = machine.cpus[n]!;
  const block = machine.linear.u8.slice(cpu.block, cpu.block + CPU_BLOCK_SIZE);
  // What emitted code keeps for itself between two instructions.
  for (const [at, size] of [[L.SLOT_CODE_PAGE, 0x100 - L.SLOT_CODE_PAGE], [L.NEXT_RIP, 8], [L.LEFT, 16], [L.FAULT_VECTOR, 8]] as const) block.fill(0, at, at + size); // prettier-ignore
  if (restored) block.fill(0, L.TLB, L.TLB_CONTEXT + 4);
  return {
    gpr: Array.from({ length: 16 }, (_, k) => cpu.gpr(k).toString(16)),
    rip: cpu.rip.toString(16),
    flags: cpu.rflags,
    retired: cpu.retired,
    now: machine.clock.now(),
    block: Buffer.from(block).toString('hex'),
  };
}
