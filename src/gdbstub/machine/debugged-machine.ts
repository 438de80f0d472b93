import type { Cpu } from '../../machine/cpu/cpu.ts';
import type { PhysicalMemory } from '../../machine/memory/physical.ts';
import type { Debuggable, StopReason } from '../../machine/stop.ts';

/** What the stub needs of a machine. `Machine` is one; tests have a smaller one. */
export interface DebuggedMachine extends Debuggable {
  readonly cpus: readonly Cpu[];
  readonly memory: PhysicalMemory;
  /** Steps with interrupts and timers held for that instruction (QEMU's NOIRQ and NOTIMER). Absent: not offered. */
  stepHoldingInterrupts?(cpu: number): StopReason;
}
