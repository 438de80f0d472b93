import type { Code, InlineCall, World } from './code.ts';
import type { Frame, Stack } from './frame.ts';

/** What a trace is written to: the text tree, or NDJSON. `count` is the CPU's retired instructions. */
export interface TraceWriter {
  /** The frame was pushed: it is the stack's top. */
  enter(stack: Stack, frame: Frame, count: number): void;
  /** The frame was popped. `lost`: not by a return of its own, the stack was left behind or unwound. */
  leave(stack: Stack, frame: Frame, count: number, lost: boolean): void;
  /** The top frame goes on in other code, which is in place already: a tail jump, or falling through. */
  transition(stack: Stack, frame: Frame, before: Code, count: number): void;
  /** In the top frame, control was seen in another inlined call than before. */
  inlined(stack: Stack, frame: Frame, before: InlineCall | undefined, count: number): void;
  vmEntry(stack: Stack, instruction: string, count: number): void;
  vmExit(stack: Stack, reason: number, qualification: bigint, count: number): void;
  /** A VMX instruction or a VM entry failed, or an exit that is rarely wanted comes: which rule was broken, in words. */
  vmFailure(stack: Stack, rule: string, text: string, count: number): void;
  /** The CPU goes on on another stack; `stack` may be new and empty. */
  switched(stack: Stack, from: Stack | undefined, world: World, count: number): void;
  image(name: string, base: number, size: number, path: string | undefined): void;
  /** Nothing more will come. `stacks` are those that still have frames. */
  finish(stacks: readonly Stack[]): void;
}
