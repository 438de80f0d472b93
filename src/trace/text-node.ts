import type { Code, InlineCall, World } from './code.ts';
import type { Stack } from './frame.ts';

/** A line of the tree: a function's activation, or an inlined call in one. */
export class TextNode {
  readonly parent: TextNode | undefined;
  readonly depth: number;
  /** Change when the guest takes over what the VMM's stack began with. */
  stack: Stack;
  world: World;
  code: Code | undefined;
  /** What the line says, and what the closing line says. */
  label: string;
  name: string;
  /** Its line was written with an opening brace that is not closed. */
  open = false;
  /** Calls shown below it already, by call site (undefined: none is known). */
  readonly #shown = new Map<unknown, Set<unknown>>();
  /** Calls below it that were left out, by name. */
  readonly rest = new Map<string, number>();
  transitions = 0;

  constructor(parent: TextNode | undefined, stack: Stack, world: World, code: Code | undefined, label: string, name: string) {
    this.parent = parent;
    this.depth = parent === undefined || parent.stack !== stack ? 0 : parent.depth + 1;
    this.stack = stack;
    this.world = world;
    this.code = code;
    this.label = label;
    this.name = name;
  }

  hasShown(site: unknown, what: unknown): boolean {
    return this.#shown.get(site)?.has(what) === true;
  }

  noteShown(site: unknown, what: unknown): void {
    const known = this.#shown.get(site);
    if (known === undefined) this.#shown.set(site, new Set([what]));
    else known.add(what);
  }

  forgetShown(): void {
    this.#shown.clear();
  }

  leaveOut(name: string): void {
    this.rest.set(name, (this.rest.get(name) ?? 0) + 1);
  }

  /** What was left out is shown after all. */
  takeBack(name: string): void {
    const times = this.rest.get(name) ?? 0;
    if (times > 1) this.rest.set(name, times - 1);
    else this.rest.delete(name);
  }
}

/** What the text keeps of a frame that is in the tree. */
export interface FrameNote {
  /** Undefined: the frame has no line, it is only the place of inlined calls that have. */
  readonly base: TextNode | undefined;
  /** Where a call made now belongs: `base` (or the line around it), or the innermost inlined call. */
  inner: TextNode | undefined;
  readonly inlines: Map<InlineCall, TextNode>;
}
