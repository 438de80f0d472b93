import type { PhysAddr } from '../memory/address.ts';
import type { StopReason } from '../stop.ts';
import type { Cpu } from './cpu.ts';
import type { Insn } from './isa/insn.ts';

/** What the machine wants to know of, and may stop the run for. */
export interface RunnerClient {
  /** A marked instruction is about to execute: a reason stops before it. */
  stopAt(cpu: Cpu, linear: bigint): StopReason | undefined;
  /** Does a data access hit a watchpoint? Called only while there are any, before the access. */
  watches(cpu: Cpu, linear: bigint, size: number, write: boolean): boolean;
  /** Could `watches` say so of any access now? The guest's own breakpoints apart. */
  watchesData(): boolean;
  /** Could `stopAtInstruction` stop at any instruction now? */
  catchesInstructions(): boolean;
  /** An instruction written in TypeScript is about to execute: a reason stops before it. */
  stopAtInstruction(cpu: Cpu, insn: Insn): StopReason | undefined;
  /** The run ends for this reason. */
  stopped(reason: StopReason): void;
  firmwareTrap(cpu: Cpu, physical: PhysAddr): void;
}
