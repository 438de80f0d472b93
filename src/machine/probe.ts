import type { Cpu } from './cpu/cpu.ts';
import type { GuestEvent } from './cpu/fault.ts';
import type { LinearAddr, PhysAddr } from './memory/address.ts';
import type { VmxFailure } from './vmx/failure.ts';

/**
 * What observers of the machine may see. Every method is optional: the machine tests for presence once, when a probe is
 * attached. Observing changes nothing in the run.
 */
export interface Probe {
  /** Control flow of one CPU. Attaching this one makes blocks report, at block granularity: calls, returns, jumps. */
  branch?(cpu: Cpu, kind: 'call' | 'return' | 'jump', from: LinearAddr, to: LinearAddr): void;
  /** An event goes through the IDT (not those that became VM exits). */
  interrupt?(cpu: Cpu, event: GuestEvent): void;
  port?(cpu: Cpu | null, port: number, size: 1 | 2 | 4, value: number, write: boolean): void;
  vmEntry?(cpu: Cpu, launch: boolean): void;
  /** Before the guest's state is replaced by the host's: RIP is the guest's. */
  vmExiting?(cpu: Cpu, reason: number): void;
  vmExit?(cpu: Cpu, reason: number, qualification: bigint): void;
  /** A VM entry failed a check, or a VMX instruction failed; or an exit that is rarely wanted is about to happen. */
  vmFailure?(cpu: Cpu, failure: VmxFailure): void;
  vmxInstruction?(cpu: Cpu, name: string): void;
  firmwareCall?(cpu: Cpu, service: string, args: readonly bigint[]): void;
  firmwareReturn?(cpu: Cpu, service: string, status: bigint): void;
  /** The firmware loaded an image: where its first byte lies and where the image came from. */
  imageLoaded?(image: { readonly name: string; readonly base: PhysAddr; readonly size: number; readonly path: string | undefined }): void;
  /** The physical page that holds `linear` is about to have its first instruction executed (or its first after being written). */
  codePage?(cpu: Cpu, page: PhysAddr, linear: LinearAddr): void;
}
