import type { Cpu } from '../../cpu/cpu.ts';
import { ABANDONED } from '../../cpu/fault.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { secondaryControls } from '../execution-controls.ts';
import { vmExit, type ExitInfo } from '../exit.ts';
import { F } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';

/**
 * What non-root operation makes of one instruction: a VM exit (performed: true, or ABANDONED thrown from within), the work
 * itself (true), or nothing (false: the helper runs). An intercept returns false where the instruction would fault for privilege or mode,
 * because such faults come before VM exits: SDM Vol. 3, 26.1.1.
 */
export type Intercept = (cpu: Cpu, insn: Insn, vmcs: Vmcs) => boolean;
export type InterceptTable = Readonly<Record<string, Intercept>>;

/** A fault-like VM exit at the instruction, as the intercept's result. RF is saved as 0: SDM Vol. 3, 28.3.3. */
export function exitBy(cpu: Cpu, insn: Insn, reason: number, qualification?: bigint): true {
  vmExit(cpu, { reason, length: insn.length, resume: 'zero', qualification });
  return true;
}

/** The same with more to tell, from anywhere within an intercept. */
export function exitAt(cpu: Cpu, insn: Insn, reason: number, info: Partial<ExitInfo> = {}): never {
  vmExit(cpu, { reason, length: insn.length, resume: 'zero', ...info });
  throw ABANDONED;
}

export const primaryOn = (vmcs: Vmcs, bit: number): boolean => (vmcs.num(F.primaryControls) & bit) !== 0;
export const secondaryOn = (vmcs: Vmcs, bit: number): boolean => (secondaryControls(vmcs) & bit) !== 0;

/** An exit at CPL 0 when a primary control says so; at CPL > 0 the helper raises #GP or #UD. */
export const privileged =
  (bit: number, reason: number): Intercept =>
  (cpu, insn, vmcs) => {
    if (cpu.cpl > 0 || !primaryOn(vmcs, bit)) return false;
    return exitBy(cpu, insn, reason);
  };
