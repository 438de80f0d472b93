import { VmxMode } from '../machine/cpu/cpu.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import { linearRip } from '../machine/cpu/block-finder.ts';
import type { GuestEvent } from '../machine/cpu/fault.ts';
import { peekTranslate } from '../machine/cpu/mmu/walk.ts';
import type { Machine } from '../machine/machine.ts';
import type { CodeMap, Located } from './code-map.ts';
import { sameCode } from './code.ts';
import type { Code, InlineCall, World } from './code.ts';
import { Frame, Stack } from './frame.ts';
import type { FrameKind } from './frame.ts';
import type { TraceWriter } from './writer.ts';

/** A return below the top frame within this distance is `push target; ret`; further away it is another stack. */
const SAME_STACK = 4096n;
/** A frame whose return address RSP has passed by less than this was unwound. */
const UNWOUND = 1n << 20n;
const MOST_STACKS = 64;

/**
 * Follows one CPU: keeps its shadow stacks, one for each real stack that is seen, and tells the writer what happens. The VMM
 * and the guest each have a current one. Nothing here trusts the code to return in order: what does not fit is found again
 * by return address and stack pointer.
 */
export class CpuTracer {
  readonly #cpu: Cpu;
  readonly #machine: Machine;
  readonly #code: CodeMap;
  readonly #writer: TraceWriter;
  readonly #until: () => void;
  #host: Stack;
  #guest: Stack | undefined;
  /** The most recently used last. */
  #stacks: Stack[];
  #nextId = 2;
  /** A call to a service's trap slot was reported; the service's own report follows. */
  #calledFrom = 0n;
  /** World of the frame that ran before the last change of stacks. */
  #before: World | undefined;
  /** VMX instruction executed last: VMLAUNCH or VMRESUME when a VM entry follows. */
  #vmx = { name: '', at: 0n };

  constructor(cpu: Cpu, machine: Machine, code: CodeMap, writer: TraceWriter, until: () => void) {
    this.#cpu = cpu;
    this.#machine = machine;
    this.#code = code;
    this.#writer = writer;
    this.#until = until;
    this.#host = new Stack(cpu.index, 1);
    this.#stacks = [this.#host];
  }

  get stacks(): readonly Stack[] {
    return this.#stacks;
  }

  branch(kind: 'call' | 'return' | 'jump', from: bigint, to: bigint): void {
    const stack = this.#current();
    if (kind === 'jump') this.#jump(stack, from, to);
    else if (kind === 'call') this.#call(stack, from, to);
    else {
      const { top } = stack;
      if (top !== undefined && top.slot === this.#cpu.rsp && top.returnsTo(to)) this.#pop(stack, this.#count(), false);
      else this.#strayReturn(stack, from, to);
    }
  }

  interrupt(event: GuestEvent): void {
    const stack = this.#current();
    const at = linearRip(this.#cpu);
    const slot = this.#cpu.rsp + (event.errorCode === undefined ? 0n : this.#wordSize());
    const returnTo = this.#peek(slot);
    const frame = this.#frame('interrupt', stack, at, this.#code.at(this.#cpu, at), { callSite: returnTo ?? 0n, slot, returnTo });
    frame.event = event;
    this.#push(stack, frame);
  }

  firmwareCall(service: string, args: readonly bigint[]): void {
    const stack = this.#current();
    const slot = this.#machine.firmware!.slot(service);
    const located = this.#code.slotNamed(slot);
    const top = this.#calledFrom === 0n ? stack.top : this.#at(stack, this.#calledFrom);
    if (top !== undefined && this.#calledFrom !== 0n) this.#inline(stack, top, this.#calledFrom);
    const frame = this.#frame('firmware', stack, BigInt(slot), located, { callSite: this.#calledFrom, slot: this.#cpu.rsp, returnTo: undefined });
    this.#calledFrom = 0n;
    frame.args = args;
    this.#push(stack, frame);
  }

  firmwareReturn(service: string, status: bigint): void {
    const name = `efi:${service}`;
    const current = this.#current();
    for (const stack of [current, ...this.#stacks.filter((s) => s !== current)]) {
      const n = stack.frames.findLastIndex((f) => f.kind === 'firmware' && f.code.name === name);
      if (n < 0) continue;
      this.#switch(stack);
      const count = this.#count();
      stack.frames[n]!.status = status;
      while (stack.frames.length > n) this.#pop(stack, count, stack.frames.length > n + 1);
      return;
    }
  }

  vmxInstruction(name: string): void {
    if (name !== 'vmlaunch' && name !== 'vmresume') return;
    this.#vmx = { name, at: linearRip(this.#cpu) };
    this.#inline(this.#host, this.#at(this.#host, this.#vmx.at), this.#vmx.at);
  }

  vmEntry(): void {
    this.#writer.vmEntry(this.#host, this.#vmx.name, this.#count());
  }

  vmFailure(rule: string, text: string): void {
    this.#writer.vmFailure(this.#current(), rule, text, this.#count());
  }

  vmExit(reason: number, qualification: bigint): void {
    this.#writer.vmExit(this.#host, reason, qualification, this.#count());
    this.#at(this.#host, linearRip(this.#cpu));
  }

  // ---- transfers

  #call(stack: Stack, from: bigint, to: bigint): void {
    const target = this.#code.at(this.#cpu, to);
    const { service } = target.code;
    if (service !== undefined) {
      this.#calledFrom = service.hidden ? 0n : from;
      return;
    }
    const caller = this.#at(stack, from);
    // A service that calls guest code has pushed the return address itself.
    const byService = !caller.holds(from) || caller.kind === 'firmware';
    const slot = byService ? this.#cpu.rsp : this.#cpu.rsp - this.#wordSize();
    if (!byService) this.#inline(stack, caller, from);
    const returnTo = byService ? this.#peek(slot) : undefined;
    this.#push(stack, this.#frame('call', stack, to, target, { callSite: from, slot, returnTo }));
  }

  #jump(stack: Stack, from: bigint, to: bigint): void {
    if (stack.top?.holds(to)) return;
    const target = this.#code.at(this.#cpu, to);
    if (target.code.service !== undefined) {
      this.#calledFrom = target.code.service.hidden ? 0n : from;
      return;
    }
    const frame = this.#at(stack, from);
    // `pop %rax; jmp *%rax` returns; longjmp leaves more than one frame.
    this.#unwind(stack, to, target, frame);
    this.#goOn(stack, stack.top!, to, target);
  }

  /** A return that is not the top frame's. */
  #strayReturn(stack: Stack, from: bigint, to: bigint): void {
    const { rsp } = this.#cpu;
    if (this.#returnInto(stack, rsp, to)) return;
    const target = this.#code.at(this.#cpu, to);
    if (target.code.service !== undefined) return; // a continuation of the firmware: its own report follows
    const { top } = stack;
    if (top !== undefined && top.slot === rsp && stack.frames.length > 1) {
      this.#pop(stack, this.#count(), false); // to an address that the callee put there
      this.#goOn(stack, stack.top!, to, target);
      return;
    }
    if (top !== undefined && (top.holds(to) || sameCode(top.code, target.code))) {
      this.#goOn(stack, top, to, target); // LRETQ to a label, to load CS
      return;
    }
    for (let n = this.#stacks.length - 1; n >= 0; n--) {
      const other = this.#stacks[n]!;
      if (other !== stack && other.matching(rsp, to) >= 0) {
        this.#returnInto(this.#claim(other, other.matching(rsp, to)), rsp, to);
        return;
      }
    }
    if (top === undefined || top.slot === undefined || (top.slot >= rsp && top.slot - rsp < SAME_STACK)) {
      this.#goOn(stack, this.#at(stack, from), to, target);
      return;
    }
    const fresh = this.#newStack();
    this.#switch(fresh);
    this.#push(fresh, this.#frame('root', fresh, to, target, { callSite: 0n, slot: undefined, returnTo: undefined }));
  }

  /** Ends the frame of this stack that the return belongs to, and those above it. */
  #returnInto(stack: Stack, rsp: bigint, to: bigint): boolean {
    const n = stack.matching(rsp, to);
    if (n < 0) return false;
    this.#switch(stack);
    const count = this.#count();
    while (stack.frames.length > n) this.#pop(stack, count, stack.frames.length > n + 1);
    return true;
  }

  /**
   * The stack that goes on at the frame with this index. When the guest returns into what the VMM's stack began with (the loader
   * that called the VMM is now the guest), the outer frames move to the guest, and the VMM keeps its own.
   */
  #claim(stack: Stack, n: number): Stack {
    const mine = this.#inGuest() ? this.#guest : this.#host;
    const others = this.#inGuest() ? this.#host : this.#guest;
    if (stack !== others || stack === mine) return stack;
    const moved = this.#newStack();
    moved.frames = stack.frames.slice(0, n + 1);
    for (const frame of moved.frames) frame.world = this.#worldOf(frame.code, frame.world);
    stack.frames = stack.frames.slice(n + 1);
    return moved;
  }

  /** The frame goes on at `to`: elsewhere in its own code, or in another function that takes its place. */
  #goOn(stack: Stack, frame: Frame, to: bigint, target: Located): void {
    if (frame.holds(to)) return;
    const before = frame.code;
    if (sameCode(before, target.code)) {
      frame.moveTo(before === target.code || before.kind === 'function' ? target.code : before, to, target.offset);
      return;
    }
    if (frame.inline !== undefined) this.#setInline(stack, frame, undefined);
    frame.moveTo(target.code, to, target.offset);
    frame.world = this.#worldOf(target.code, frame.world);
    this.#writer.transition(stack, frame, before, this.#count());
    if (target.code.until) this.#until();
  }

  /** The frame that runs the code at `from`. Where that is not the top one, the stack is brought in line. */
  #at(stack: Stack, from: bigint): Frame {
    const { top } = stack;
    if (top?.holds(from)) return top;
    const here = this.#code.at(this.#cpu, from);
    if (top === undefined) {
      if (stack === this.#guest || stack === this.#host) this.#switch(stack);
      const root = this.#frame('root', stack, from, here, { callSite: 0n, slot: undefined, returnTo: undefined });
      this.#push(stack, root);
      return root;
    }
    if (here.code.service !== undefined) return top;
    if (!sameCode(here.code, top.code)) {
      this.#unwind(stack, from, here, undefined);
    }
    this.#goOn(stack, stack.top!, from, here);
    return stack.top!;
  }

  /** Index of a frame below the top that runs this code, when RSP has left those above it; -1: none. */
  #unwoundTo(stack: Stack, from: bigint, here: Located): number {
    const { rsp } = this.#cpu;
    const { frames } = stack;
    for (let n = frames.length - 2; n >= 0; n--) {
      const { slot } = frames[n + 1]!;
      if (slot === undefined || slot >= rsp || rsp - slot > UNWOUND) return -1;
      if (frames[n]!.holds(from) || sameCode(frames[n]!.code, here.code)) return n;
    }
    return -1;
  }

  /** Ends the frames that RSP has left when one below them runs this code. `returning` ends in order when it is the only one. */
  #unwind(stack: Stack, at: bigint, here: Located, returning: Frame | undefined): void {
    const n = this.#unwoundTo(stack, at, here);
    if (n < 0) return;
    const lost = returning === undefined || stack.frames[n + 1] !== returning;
    const count = this.#count();
    while (stack.frames.length > n + 1) this.#pop(stack, count, lost);
  }

  #inline(stack: Stack, frame: Frame, from: bigint): void {
    if (!frame.holds(from)) return;
    const { inline } = frame.code.site(Number(from - frame.low));
    if (inline !== frame.inline) this.#setInline(stack, frame, inline);
  }

  #setInline(stack: Stack, frame: Frame, inline: InlineCall | undefined): void {
    const before = frame.inline;
    frame.inline = inline;
    this.#writer.inlined(stack, frame, before, this.#count());
    for (let call = inline; call !== undefined; call = call.outer) if (call.until) this.#until();
  }

  // ---- stacks

  #inGuest(): boolean {
    return this.#cpu.vmxMode === VmxMode.nonRoot;
  }

  #current(): Stack {
    if (!this.#inGuest()) return this.#host;
    return (this.#guest ??= this.#newStack());
  }

  #newStack(): Stack {
    const stack = new Stack(this.#cpu.index, this.#nextId++);
    this.#stacks.push(stack);
    if (this.#stacks.length > MOST_STACKS) {
      const oldest = this.#stacks.findIndex((s) => s !== this.#host && s !== this.#guest && s !== stack);
      const [gone] = this.#stacks.splice(oldest, 1);
      const count = this.#count();
      while (gone!.frames.length > 0) this.#pop(gone!, count, true);
    }
    return stack;
  }

  #switch(stack: Stack): void {
    const guest = this.#inGuest();
    const before = guest ? this.#guest : this.#host;
    if (before === stack) return;
    this.#before = before?.top?.world ?? this.#before;
    if (guest) this.#guest = stack;
    else this.#host = stack;
    this.#stacks = [...this.#stacks.filter((s) => s !== stack), stack];
    this.#writer.switched(stack, before, this.#worldOf(stack.top?.code, undefined), this.#count());
  }

  #frame(kind: FrameKind, stack: Stack, at: bigint, { code, offset }: Located, link: Pick<Frame, 'callSite' | 'slot' | 'returnTo'>): Frame {
    const { top } = stack;
    const called = top !== undefined && kind !== 'interrupt' && top.holds(link.callSite);
    const site = kind === 'interrupt' ? code.eventSite : called ? top.code.site(Number(link.callSite - top.low)) : undefined;
    return new Frame({
      kind,
      code,
      depth: top === undefined ? 0 : top.depth + 1,
      world: this.#worldOf(code, top?.world ?? this.#before),
      at,
      offset,
      ...link,
      since: this.#count(),
      site,
    });
  }

  #push(stack: Stack, frame: Frame): void {
    for (const forgotten of stack.push(frame)) this.#writer.leave(stack, forgotten, frame.since, true);
    this.#writer.enter(stack, frame, frame.since);
    if (frame.code.until) this.#until();
  }

  #pop(stack: Stack, count: number, lost: boolean): void {
    const frame = stack.frames.pop()!;
    this.#writer.leave(stack, frame, count, lost);
  }

  #worldOf(code: Code | undefined, around: World | undefined): World {
    const mode = this.#cpu.vmxMode;
    if (mode === VmxMode.nonRoot) return 'guest';
    if (code?.kind === 'firmware') return 'firmware';
    if (mode === VmxMode.root) return 'vmm';
    if (code === undefined || code.kind === 'unknown') return around ?? 'firmware';
    return code.loadedByFirmware ? 'firmware' : 'vmm';
  }

  // ---- the machine

  #count(): number {
    return this.#machine.runner.retiredBy(this.#cpu);
  }

  #wordSize(): bigint {
    return this.#cpu.code64 ? 8n : 4n;
  }

  /** A return address on the stack. */
  #peek(linear: bigint): bigint | undefined {
    const physical = peekTranslate(this.#cpu, linear);
    const bytes = physical === undefined ? undefined : this.#machine.memory.peek(physical, Number(this.#wordSize()));
    return bytes?.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n);
  }
}
