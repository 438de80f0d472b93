import type { LinearAddr, PhysAddr } from './memory/address.ts';

/** Why `Machine.run` or `Machine.step` returned. `cpu` is an index. */
export type StopReason =
  | { readonly kind: 'quantum' } // the instruction budget is used up; call again
  | { readonly kind: 'idle'; readonly until: number } // every CPU halts; the next timer is due at `until` ns (Infinity: never)
  | { readonly kind: 'step'; readonly cpu: number }
  | { readonly kind: 'breakpoint'; readonly cpu: number; readonly id: number }
  | { readonly kind: 'watchpoint'; readonly cpu: number; readonly id: number; readonly address: LinearAddr; readonly access: 'read' | 'write' }
  | { readonly kind: 'vmx-instruction'; readonly cpu: number; readonly name: string } // asked for by stopOnVmxInstruction
  | { readonly kind: 'vm-entry-failure'; readonly cpu: number } // asked for by stopOnVmxFailure
  | { readonly kind: 'image'; readonly cpu: number } // a code page not seen before was identified (asked for by stopOnCodePage)
  | { readonly kind: 'interrupted'; readonly cpu: number } // interrupt() was called
  | { readonly kind: 'triple-fault'; readonly cpu: number }
  | { readonly kind: 'power-off' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'debug-exit'; readonly code: number };

/** A place where execution stops, before the instruction executes. Linear ones match whatever address space is current. */
export type BreakpointPlace = { readonly linear: LinearAddr } | { readonly physical: PhysAddr };

export interface Watchpoint {
  readonly address: LinearAddr;
  readonly length: number;
  readonly access: 'read' | 'write' | 'access';
}

/** What a debugger may do with the machine. Implemented by `Machine`. */
export interface Debuggable {
  /** Runs at most `budget` instructions over all CPUs. Synchronous: call in a loop and let the event loop breathe between. */
  run(budget: number): StopReason;
  /** Executes exactly one instruction on one CPU; the others stand still. */
  step(cpu: number): StopReason;
  /** Asks a run to stop at the next boundary; safe from a probe or a device. */
  interrupt(): void;
  /** Breakpoints survive the loading of code, page-table changes and reset. Returns an id. */
  addBreakpoint(place: BreakpointPlace): number;
  removeBreakpoint(id: number): void;
  addWatchpoint(w: Watchpoint): number;
  removeWatchpoint(id: number): void;
  /** Stop on executing any of these VMX mnemonics, in lower case; empty: none. */
  stopOnVmxInstructions(names: ReadonlySet<string>): void;
  stopOnVmxFailure(on: boolean): void;
  reset(): void;
}
