import type { Cpu } from '../../machine/cpu/cpu.ts';
import type { DebuggedMachine } from '../machine/debugged-machine.ts';
import type { VmxObserver } from '../machine/vmx-observer.ts';
import type { MonitorResult } from '../target.ts';

/** Parts of the machine that describe themselves, by topic of `info`: `lapic`, `vmcs`, `efi`, `devices`... A function of one parameter takes no arguments. */
export type InfoTopics = Readonly<Record<string, (cpu: Cpu, args: readonly string[]) => string>>;

export interface MonitorContext {
  readonly machine: DebuggedMachine;
  /** The CPU of the thread that gdb has selected. */
  readonly cpu: Cpu;
  readonly topics: InfoTopics;
  /** VMX mnemonics that `break` stops on. */
  readonly vmxStops: Set<string>;
  /** Counts VM exits; absent: nobody does. */
  readonly vmx: VmxObserver | undefined;
  /** The name of the code at a physical address. */
  nameOf(physical: number): string | undefined;
}

/** A `monitor` command. One file each. */
export interface MonitorCommand {
  readonly name: string;
  readonly doc: MonitorDoc;
  run(context: MonitorContext, args: readonly string[]): MonitorResult;
}
export interface MonitorDoc {
  readonly command: string;
  readonly purpose: string;
}

export const text = (...lines: readonly string[]): MonitorResult => ({ text: lines.join('\n') });
export const failure = (message: string): MonitorResult => ({ text: message, failed: true });
export const hex = (v: bigint | number, digits = 0): string => `0x${v.toString(16).padStart(digits, '0')}`;
