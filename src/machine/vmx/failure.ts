import { Flag, type Cpu } from '../cpu/cpu.ts';
import { setArithmeticFlags } from '../cpu/flags.ts';
import { F } from './fields.ts';
import { exitReasonName, vmErrorName } from './reasons.ts';
import { currentVmcs } from './vmcs.ts';

/** What went wrong, for a person: SDM Vol. 3, 31.2 for the numbers. Plain data. */
export interface VmxFailure {
  readonly cpu: number;
  /** Linear address of the instruction. */
  readonly rip: bigint;
  readonly instruction: string;
  /** VM-instruction error; 0: VMfailInvalid; from 0x80000000 on: the exit reason of a failed VM entry. Else see `event`. */
  readonly error: number;
  /** A VM exit that nobody asks for, or a VMX abort, in words; `error` is then the exit reason or the abort indicator. */
  readonly event?: string;
  /** The row that was violated. */
  readonly rule: string;
  readonly title: string;
  readonly section: string;
  /** The fields or operands involved, with their values. */
  readonly detail: string;
}

const failures = new WeakMap<Cpu, VmxFailure>();

/** The last failure of a VMX instruction or a VM entry on this CPU: an observation, not machine state. */
export function lastFailure(cpu: Cpu): VmxFailure | undefined {
  return failures.get(cpu);
}

export function failureText(f: VmxFailure): string {
  const what =
    f.event !== undefined
      ? f.event
      : f.error === 0
        ? 'VMfailInvalid'
        : f.error >= 0x8000_0000
          ? `VM-entry failure, exit reason 0x${f.error.toString(16)}`
          : `VM-instruction error ${f.error} (${vmErrorName(f.error)})`;
  return `cpu${f.cpu} ${f.instruction} at 0x${f.rip.toString(16)}: ${what}: ${f.title} [${f.rule}, SDM Vol. 3, ${f.section}]${f.detail ? `: ${f.detail}` : ''}`;
}

type Details = Pick<VmxFailure, 'rule' | 'title' | 'section' | 'detail' | 'event'>;

/** Tells the log, the probe and `lastFailure`. */
export function reportFailure(cpu: Cpu, instruction: string, error: number, details: Details): void {
  const failure: VmxFailure = { cpu: cpu.index, rip: cpu.segments[1]!.base + cpu.rip, instruction, error, ...details };
  failures.set(cpu, failure);
  cpu.machine.log.once(`vmx ${cpu.index} ${failure.rip} ${failure.rule}`, `vmx: ${failureText(failure)}`);
  cpu.machine.probe?.vmFailure?.(cpu, failure);
}

/** A VM exit that a hypervisor rarely wants, at the instruction of the guest that caused it: named like a failure. */
export function reportExit(cpu: Cpu, reason: number, details: Omit<Details, 'event'>): void {
  reportFailure(cpu, 'guest', reason, { ...details, event: `VM exit, reason ${reason} (${exitReasonName(reason)})` });
}

/** A VMX abort: SDM Vol. 3, 28.7. */
export function reportAbort(cpu: Cpu, indicator: number, details: Omit<Details, 'event'>): void {
  reportFailure(cpu, 'VM exit', indicator, { ...details, event: `VMX abort ${indicator}` });
}

const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

/** Outcomes of VMX instructions: SDM Vol. 3, 31.2. */
export function vmSucceed(cpu: Cpu): void {
  setArithmeticFlags(cpu, 0);
}

export function vmFailInvalid(cpu: Cpu, instruction: string, details: Details): void {
  reportFailure(cpu, instruction, 0, details);
  cpu.rflags = (cpu.rflags & ~ARITHMETIC) | Flag.CF;
}

/** VMfail: VMfailValid when there is a current VMCS, else VMfailInvalid. */
export function vmFail(cpu: Cpu, instruction: string, error: number, details: Details): void {
  const vmcs = currentVmcs(cpu);
  if (!vmcs) {
    vmFailInvalid(cpu, instruction, { ...details, title: `${vmErrorName(error)} (no current VMCS)` });
    return;
  }
  reportFailure(cpu, instruction, error, details);
  vmcs.setNum(F.instructionError, error);
  cpu.rflags = (cpu.rflags & ~ARITHMETIC) | Flag.ZF;
}
