import { exitReasonName } from '../machine/vmx/reasons.ts';
import { statusName } from '../machine/uefi/status.ts';
import type { Code, InlineCall, World } from './code.ts';
import type { Frame, Stack } from './frame.ts';
import { eventName, hex } from './labels.ts';
import type { TraceWriter } from './writer.ts';

/**
 * One JSON object a line, one line an event, nothing left out unless `--only` says so. docs: `TraceRecord` below is the format.
 * Fields are never renamed; new ones may come. Addresses are strings ("0x..."), counts are numbers.
 */
export interface TraceRecord {
  /**
   * `call`: a function was entered by a call. `interrupt`: its handler was entered. `firmware-call`: a UEFI service.
   * `root`: a stack was first seen, running this. `return`: the innermost of these ended. `jump`: it goes on as another function.
   * `inline` and `inline-end`: an inlined call. `vm-entry`, `vm-exit`, `vm-failure`. `stack`: the CPU goes on on another stack.
   * `image`: the firmware loaded one (no cpu, world, stack).
   */
  readonly event:
    | 'call'
    | 'interrupt'
    | 'firmware-call'
    | 'root'
    | 'return'
    | 'jump'
    | 'inline'
    | 'inline-end'
    | 'vm-entry'
    | 'vm-exit'
    | 'vm-failure'
    | 'stack'
    | 'image';
  readonly cpu?: number;
  readonly world?: World;
  /** Shadow stack, numbered for each CPU. */
  readonly stack?: number;
  /** Frames around it on its stack; inlined calls are not counted. */
  readonly depth?: number;
  /** Instructions that this CPU had retired. */
  readonly count?: number;
  /** Function; VM-exit reason; image. */
  readonly name?: string;
  /** File of the symbol, or image without symbols. */
  readonly image?: string;
  readonly file?: string;
  readonly line?: number;
  /** Run address of the function (linear), and of the call. */
  readonly address?: string;
  readonly from?: string;
  /** `return`: instructions since the entry, callees included. */
  readonly instructions?: number;
  /** `return`: there was none, the stack was unwound or left. */
  readonly lost?: true;
  /** `firmware-call`. */
  readonly args?: readonly string[];
  readonly status?: string;
  /** `interrupt`. */
  readonly vector?: number;
  readonly type?: string;
  readonly exception?: string;
  /** `jump`: the function it was. */
  readonly before?: string;
  /** `vm-entry`: vmlaunch or vmresume. */
  readonly instruction?: string;
  /** `vm-exit`. */
  readonly reason?: number;
  readonly qualification?: string;
  /** `vm-failure`: the rule that was broken, and all about it in words. */
  readonly rule?: string;
  readonly text?: string;
  /** `image`. */
  readonly base?: string;
  readonly size?: number;
  readonly path?: string;
}

const events = { call: 'call', interrupt: 'interrupt', firmware: 'firmware-call', root: 'root' } as const;

export class NdjsonWriter implements TraceWriter {
  readonly #write: (line: string) => void;
  readonly #only: boolean;

  constructor(write: (line: string) => void, only: boolean) {
    this.#write = write;
    this.#only = only;
  }

  enter(stack: Stack, frame: Frame, count: number): void {
    const { code, kind, event, args } = frame;
    if (this.#only && !code.wanted) return;
    this.#put({
      event: events[kind],
      ...at(stack, frame, count),
      ...named(code),
      address: hex(frame.low),
      ...(frame.callSite !== 0n && { from: hex(frame.callSite) }),
      ...(args && { args: args.map(hex) }),
      ...(event && { vector: event.vector, type: event.type, exception: eventName(event) }),
    });
  }

  leave(stack: Stack, frame: Frame, count: number, lost: boolean): void {
    if (frame.inline !== undefined) this.#ends(stack, frame, frame.inline, undefined, count);
    if (this.#only && !frame.code.wanted) return;
    const { status } = frame;
    this.#put({
      event: 'return',
      ...at(stack, frame, count),
      name: frame.code.name,
      instructions: count - frame.since,
      ...(status !== undefined && { status: statusName(status) }),
      ...(lost && { lost: true }),
    });
  }

  transition(stack: Stack, frame: Frame, before: Code, count: number): void {
    if (this.#only && !frame.code.wanted) return;
    this.#put({ event: 'jump', ...at(stack, frame, count), ...named(frame.code), address: hex(frame.low), before: before.name });
  }

  inlined(stack: Stack, frame: Frame, before: InlineCall | undefined, count: number): void {
    const now = chain(frame.inline);
    this.#ends(stack, frame, before, frame.inline, count);
    const was = new Set(chain(before));
    for (const call of now) {
      if (was.has(call) || (this.#only && !call.wanted)) continue;
      const { name, file, line } = call;
      this.#put({ event: 'inline', ...at(stack, frame, count), name, ...(file !== undefined && { file }), ...(line !== undefined && { line }) });
    }
  }

  vmEntry(stack: Stack, instruction: string, count: number): void {
    if (!this.#only) this.#put({ event: 'vm-entry', cpu: stack.cpu, world: 'vmm', stack: stack.id, depth: stack.frames.length, count, instruction });
  }

  vmExit(stack: Stack, reason: number, qualification: bigint, count: number): void {
    if (this.#only) return;
    const place = { cpu: stack.cpu, world: 'vmm', stack: stack.id, depth: stack.frames.length, count } as const;
    this.#put({ event: 'vm-exit', ...place, name: exitReasonName(reason), reason, qualification: hex(qualification) });
  }

  vmFailure(stack: Stack, rule: string, text: string, count: number): void {
    if (!this.#only) this.#put({ event: 'vm-failure', cpu: stack.cpu, stack: stack.id, depth: stack.frames.length, count, rule, text });
  }

  switched(stack: Stack, _from: Stack | undefined, world: World, count: number): void {
    if (!this.#only) this.#put({ event: 'stack', cpu: stack.cpu, world, stack: stack.id, depth: stack.frames.length, count });
  }

  image(name: string, base: number, size: number, path: string | undefined): void {
    if (!this.#only) this.#put({ event: 'image', name, base: hex(base), size, ...(path !== undefined && { path }) });
  }

  finish(): void {
    // Every event was written as it happened.
  }

  /** Inlined calls around `before` that are not around `next`, innermost first. */
  #ends(stack: Stack, frame: Frame, before: InlineCall | undefined, next: InlineCall | undefined, count: number): void {
    const kept = new Set(chain(next));
    for (let call = before; call !== undefined && !kept.has(call); call = call.outer) {
      if (!this.#only || call.wanted) this.#put({ event: 'inline-end', ...at(stack, frame, count), name: call.name });
    }
  }

  #put(record: TraceRecord): void {
    this.#write(JSON.stringify(record));
  }
}

const at = (stack: Stack, frame: Frame, count: number) => ({ cpu: stack.cpu, world: frame.world, stack: stack.id, depth: frame.depth, count });

const named = ({ name, image, source, line }: Code) => ({
  name,
  ...(image !== undefined && { image }),
  ...(source !== undefined && { file: source }),
  ...(line !== undefined && { line }),
});

/** Outermost first. */
function chain(call: InlineCall | undefined): readonly InlineCall[] {
  const out: InlineCall[] = [];
  for (; call !== undefined; call = call.outer) out.unshift(call);
  return out;
}
