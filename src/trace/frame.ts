import type { GuestEvent } from '../machine/cpu/fault.ts';
import type { Code, InlineCall, Site, World } from './code.ts';

/**
 * `call`: a call instruction pushed it. `interrupt`: an event went through the IDT. `firmware`: a UEFI service, which is one
 * instruction of the machine. `root`: what a stack was running when it was first seen.
 */
export type FrameKind = 'call' | 'interrupt' | 'firmware' | 'root';

/** One activation of a function. A tail jump replaces the code of the frame it happens in. */
export class Frame {
  readonly kind: FrameKind;
  code: Code;
  world: World;
  /** Run addresses of the code: [low, high). The same function may run at several places, one after the other. */
  low: bigint;
  high: bigint;
  /** Address of the call instruction, and of the return address on the stack; 0 and undefined where there is none. */
  readonly callSite: bigint;
  readonly slot: bigint | undefined;
  /** Exact address it returns to, when that is known otherwise than by the call instruction. */
  readonly returnTo: bigint | undefined;
  /** Instructions that the CPU had retired at the entry. */
  readonly since: number;
  readonly site: Site | undefined;
  /** Callers around it on its stack, counted when it was entered. */
  readonly depth: number;
  /** The inlined call that was last seen to be running, innermost. */
  inline: InlineCall | undefined;
  event: GuestEvent | undefined;
  args: readonly bigint[] | undefined;
  status: bigint | undefined;
  /** The writer's own. */
  note: unknown;

  constructor(of: FrameOptions) {
    this.kind = of.kind;
    this.code = of.code;
    this.world = of.world;
    this.low = of.at - of.offset;
    this.high = this.low + of.code.size;
    this.callSite = of.callSite;
    this.slot = of.slot;
    this.returnTo = of.returnTo;
    this.since = of.since;
    this.site = of.site;
    this.depth = of.depth;
    this.inline = undefined;
    this.event = undefined;
    this.args = undefined;
    this.status = undefined;
    this.note = undefined;
  }

  holds(address: bigint): boolean {
    return address >= this.low && address < this.high;
  }

  /** The code goes on at another place: an alias of the same function, or another function by a tail jump. */
  moveTo(code: Code, at: bigint, offset: bigint): void {
    this.code = code;
    this.low = at - offset;
    this.high = this.low + code.size;
  }

  /** Could a return to this address end the frame? A call instruction has 2 to 15 bytes (SDM Vol. 2, 2.3.11). */
  returnsTo(address: bigint): boolean {
    if (this.returnTo !== undefined) return address === this.returnTo;
    const length = address - this.callSite;
    return length >= 2n && length <= 15n;
  }
}

export interface FrameOptions {
  readonly kind: FrameKind;
  readonly code: Code;
  readonly world: World;
  readonly at: bigint;
  /** Of `at` in the code. */
  readonly offset: bigint;
  readonly callSite: bigint;
  readonly slot: bigint | undefined;
  readonly returnTo: bigint | undefined;
  readonly since: number;
  readonly site: Site | undefined;
  readonly depth: number;
}

/** Far returns and calls are reported when RSP has moved already, by at most this much. */
const SLACK = 40n;
const MOST_FRAMES = 2048;

/** One thread of execution of a CPU, as far as calls tell: outermost frame first. */
export class Stack {
  readonly cpu: number;
  readonly id: number;
  frames: Frame[];

  constructor(cpu: number, id: number, frames: Frame[] = []) {
    this.cpu = cpu;
    this.id = id;
    this.frames = frames;
  }

  get top(): Frame | undefined {
    return this.frames[this.frames.length - 1];
  }

  /** Frames forgotten because there were too many: outermost first. */
  push(frame: Frame): readonly Frame[] {
    this.frames.push(frame);
    return this.frames.length > MOST_FRAMES ? this.frames.splice(0, MOST_FRAMES / 2) : [];
  }

  /** Index of the frame that a return with this RSP to this address ends; -1: none of these. */
  matching(rsp: bigint, to: bigint): number {
    let near = -1;
    for (let n = this.frames.length - 1; n >= 0; n--) {
      const { slot } = this.frames[n]!;
      if (slot === undefined || !this.frames[n]!.returnsTo(to)) continue;
      if (slot === rsp) return n;
      if (near < 0 && (slot > rsp ? slot - rsp : rsp - slot) <= SLACK) near = n;
    }
    return near;
  }
}
