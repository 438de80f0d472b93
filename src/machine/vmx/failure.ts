import { Flag, type Cpu } from '../cpu/cpu.ts';
import { F } from './fields.ts';
import { vmErrorName } from './reasons.ts';
import { currentVmcs } from './vmcs.ts';

/** What went wrong, for a person: SDM Vol. 3, 31.2 for the numbers. Plain data. */
export interface VmxFailure {
  readonly cpu: number;
  /** Linear address of the instruction. */
  readonly rip: bigint;
  readonly instruction: string;
  /** VM-instruction error; 0: VMfailInvalid; from 0x80000000 on: the exit reason of a failed VM entry. */
  readonly error: number;
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
    f.error === 0
      ? 'VMfailInvalid'
      : f.error >= 0x8000_0000
        ? `VM-entry failure, exit reason 0x${f.error.toString(16)}`
        : `VM-instruction error ${f.error} (${vmErrorName(f.error)})`;
  return `cpu${f.cpu} ${f.instruction} at 0x${f.rip.toString(16)}: ${what}: ${f.title} [${f.rule}, SDM Vol. 3, ${f.section}]${f.detail ? `: ${f.detail}` : ''}`;
}

type Details = Pick<VmxFailure, 'rule' | 'title' | 'section' | 'detail'>;

/** Tells the log, the probe and `lastFailure`. */
export function reportFailure(cpu: Cpu, instruction: string, error: number, details: Details): void {
  const failure: VmxFailure = { cpu: cpu.index, rip: cpu.segments[1]!.base + cpu.rip, instruction, error, ...details };
  failures.set(cpu, failure);
  cpu.machine.log.once(`vmx ${cpu.index} ${failure.rip} ${failure.rule}`, `vmx: ${failureText(failure)}`);
  cpu.machine.probe?.vmFailure?.(cpu, failure);
}

const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

/** Outcomes of VMX instructions: SDM Vol. 3, 31.2. */
export function vmSucceed(cpu: Cpu): void {
  cpu.rflags = cpu.rflags & ~ARITHMETIC;
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
