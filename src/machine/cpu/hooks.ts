import type { PhysAddr } from '../memory/address.ts';
import type { Cpu } from './cpu.ts';
import type { GuestEvent } from './fault.ts';
import type { Insn } from './isa/insn.ts';

/** Who wants to read, write or execute, for the page walk. */
export interface Access {
  readonly write: boolean;
  readonly execute: boolean;
  /** True at CPL 3 unless the access is implicitly supervisor (descriptor tables, TSS). */
  readonly user: boolean;
}

/**
 * What VMX non-root operation adds to the CPU; `cpu.guest` is this in non-root operation and null otherwise, so that
 * code outside `vmx/` has one test to make. A hook that causes a VM exit performs it whole and throws ABANDONED,
 * unless it says otherwise.
 */
export interface GuestHooks {
  /**
   * Before an instruction that is written in TypeScript executes. Returns true when the hook did the instruction's work
   * itself (RIP is then advanced by the caller) or performed a VM exit (`cpu.guest` is then null), false to let the helper run.
   */
  instruction(cpu: Cpu, insn: Insn): boolean;
  /** Before an event is delivered through the IDT. Returns true when it caused a VM exit instead (already performed). */
  event(cpu: Cpu, event: GuestEvent): boolean;
  /** An event could not be delivered: task switch and triple fault are exits of their own. Returns true when performed. */
  tripleFault(cpu: Cpu): boolean;
  taskSwitch(cpu: Cpu, selector: number, source: 'call' | 'iret' | 'jmp' | 'gate'): void;
  /** At an instruction boundary with `Pending` bits set: injects, opens windows, exits. Returns true when an exit was performed. */
  boundary(cpu: Cpu): boolean;
  /**
   * Guest-physical to physical. `linear` is the linear address being translated (undefined: none), `walk` says that the
   * access is to a paging-structure entry. Throws ABANDONED after an EPT violation or misconfiguration exit.
   */
  translate(cpu: Cpu, guestPhysical: PhysAddr, access: Access, linear: bigint | undefined, walk: boolean): PhysAddr;
  /** True when every instruction is executed alone: something is due after each (the monitor trap flag). */
  readonly monitorTrap?: boolean;
  /** True when guest-physical addresses need `translate` at all (EPT enabled). */
  readonly nested: boolean;
  /** Same without side effects, for the debugger: undefined where nothing is mapped. */
  peek(cpu: Cpu, guestPhysical: PhysAddr): PhysAddr | undefined;
}

/** The interrupt controller as the CPU sees it. */
export interface InterruptSource {
  /** Highest-priority deliverable vector, or -1. */
  pending(): number;
  /** Acknowledges it (INTA / IRR to ISR) and returns the vector. */
  acknowledge(): number;
  /** CR8 view of the task priority, 0..15. */
  getCr8(): number;
  setCr8(value: number): void;
  /** As a write of the EOI register does. */
  endOfInterrupt?(): void;
  /** A performance counter overflowed: LVT performance counter. */
  performanceInterrupt?(): void;
  /** INIT resets the local APIC too (SDM Vol. 3, 11.4.7.3): to be called with `resetCpu(cpu, 'init')`. */
  init?(): void;
}
