import type { PhysicalMemory } from './memory/physical.ts';
import type { PortSpace } from './memory/ports.ts';
import type { Clock } from './clock.ts';
import type { Probe } from './probe.ts';
import type { Log } from './log.ts';
import type { Cpu } from './cpu/cpu.ts';

/** What a CPU, a device or the firmware may ask of the machine. */
export interface MachineServices {
  readonly memory: PhysicalMemory;
  readonly ports: PortSpace;
  readonly clock: Clock;
  readonly log: Log;
  readonly cpus: readonly Cpu[];
  /** Null when nobody observes. */
  readonly probe: Probe | null;
  /** Ticks that a CPU has done, exact at the instruction that asks when it is the one that runs. */
  retiredBy(cpu: Cpu): number;
  /** Leave emitted code at the next instruction boundary: something pending or a deadline changed. */
  kick(): void;
  /** The CPU whose turn it is waits for another: with several CPUs its turn ends with this instruction. */
  yieldTurn(): void;
  /** Whole-machine requests; carried out at the next boundary. */
  request(what: 'reset' | 'power-off' | 'triple-fault', code?: number): void;
  /** From now on near branches without a BND prefix are looked at: some CPU may have to initialize its bounds at one. */
  markLegacyBranches(): void;
  /** Decoded code is stale: its page was written or its breakpoints changed. */
  invalidateCode(page: number): void;
}
