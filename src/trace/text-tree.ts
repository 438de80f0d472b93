import { exitReasonName } from '../machine/vmx/reasons.ts';
import type { Code, InlineCall, World } from './code.ts';
import type { Frame, Stack } from './frame.ts';
import { codeLabel, eventName, firmwareDetail, frameName, grouped, inlineLabel } from './labels.ts';
import { TextNode } from './text-node.ts';
import type { FrameNote } from './text-node.ts';
import { TextOutput } from './text-output.ts';
import type { TraceWriter } from './writer.ts';

/** A call site's calls are shown this many times in all; tail jumps in one activation; VM entries, and exits of one reason. */
const SITE_LIMIT = 3;
const TRANSITION_LIMIT = 8;
const VM_LIMIT = 3;

/** How the lines that are open at the end are closed. */
const RUNNING = ' (still running)';

const worlds: readonly World[] = ['firmware', 'vmm', 'guest'];

/**
 * The tree for people. A boot makes millions of calls, so what was shown is not shown again:
 * - in one activation of a function, a call site shows a callee once (a loop shows its first round);
 * - over all activations a site shows its calls `SITE_LIMIT` times;
 * - a repetition of the line just written becomes `x 1,500` in it; other calls left out are counted before the closing brace;
 * - but a function that was never shown on this CPU in this world always is, with the way to it.
 * With `--only` the functions asked for are shown each time, and nothing else.
 */
export class TextTree implements TraceWriter {
  readonly #out: TextOutput;
  readonly #only: boolean;
  /** Frames that are repetitions of the pending line, by CPU. */
  readonly #repeating = new Map<number, Frame>();
  readonly #vmShown = new Map<string, number>();
  readonly #exits = new Map<string, number>();
  /** Frames left out that had none around them, by name. */
  readonly #outermost = new Map<string, number>();
  #calls = 0;
  #lost = 0;

  constructor(write: (line: string) => void, only: boolean) {
    this.#out = new TextOutput(write);
    this.#only = only;
  }

  enter(stack: Stack, frame: Frame): void {
    this.#calls++;
    if (this.#only) {
      if (frame.code.wanted) this.#enterWanted(stack, frame);
      return;
    }
    const parentFrame = stack.frames[stack.frames.length - 2];
    const parent = noteOf(parentFrame);
    const { site, code } = frame;
    const novel = this.#novel(code, stack, frame);
    if (parentFrame !== undefined && parent === undefined) {
      if (novel) this.#reveal(stack, stack.frames.length - 1);
      return;
    }
    const inner = parent?.inner;
    if (!novel) {
      if (this.#out.canRepeat(stack, inner, code)) {
        this.#repeating.set(stack.cpu, frame);
        return;
      }
      if (inner?.hasShown(site ?? code, code) === true || (site !== undefined && site.shown >= SITE_LIMIT)) {
        if (inner === undefined) this.#outermost.set(frameName(frame), (this.#outermost.get(frameName(frame)) ?? 0) + 1);
        else this.#out.leaveOut(inner, frameName(frame));
        return;
      }
    }
    this.#show(stack, frame, inner);
  }

  leave(stack: Stack, frame: Frame, count: number, lost: boolean): void {
    if (lost) this.#lost++;
    const instructions = count - frame.since;
    if (this.#repeating.get(stack.cpu) === frame) {
      this.#repeating.delete(stack.cpu);
      this.#out.repeat(stack.cpu, instructions);
      return;
    }
    const note = noteOf(frame);
    if (note === undefined) return;
    this.#closeInlines(frame, note, undefined);
    if (note.base === undefined) return;
    if (frame.kind === 'firmware') note.base.label = `${frame.code.name}${firmwareDetail(frame)}`;
    this.#out.end(note.base, lost ? undefined : instructions, lost ? ' (left behind)' : '');
  }

  transition(stack: Stack, frame: Frame): void {
    const { code } = frame;
    const note = noteOf(frame);
    const label = `=> ${codeLabel(code)}`;
    if (this.#only) {
      if (code.wanted) this.#wantedNode(stack, frame, label);
      return;
    }
    const novel = this.#novel(code, stack, frame);
    if (note === undefined) {
      if (novel) this.#reveal(stack, stack.frames.indexOf(frame), label);
      return;
    }
    const { base } = note;
    if (base === undefined) return;
    if (!novel && (base.hasShown('=>', code) || base.transitions >= TRANSITION_LIMIT)) {
      this.#out.leaveOut(base, `=> ${code.name}`);
      return;
    }
    base.transitions++;
    base.noteShown('=>', code);
    base.code = undefined; // no repetition of it
    this.#out.become(base, label, code.name, frame.world);
  }

  inlined(stack: Stack, frame: Frame, before: InlineCall | undefined): void {
    let note = noteOf(frame);
    const place = placeOf(stack, frame.world);
    const chain = chainOf(frame.inline);
    const fresh = chain.filter((call) => (this.#only ? call.wanted : isNew(call.seen, place)));
    if (note === undefined) {
      if (fresh.length === 0) return;
      if (this.#only) note = this.#transparent(stack, frame);
      else {
        this.#reveal(stack, stack.frames.indexOf(frame));
        note = noteOf(frame)!;
      }
    } else this.#closeInlines(frame, note, frame.inline, before);
    note.inner = note.base ?? this.#shownAround(stack, stack.frames.indexOf(frame) - 1);
    for (const call of chain) {
      if (this.#only && !call.wanted) continue;
      let node = note.inlines.get(call);
      const known = node !== undefined;
      if (node === undefined) {
        node = new TextNode(note.inner, stack, frame.world, undefined, inlineLabel(call), call.name);
        note.inlines.set(call, node);
      }
      note.inner = node;
      if (!node.open && (this.#only ? !known : fresh.includes(call))) this.#out.begin(node, true);
    }
  }

  vmEntry(stack: Stack, instruction: string): void {
    if (this.#only || !this.#vmLine(`${stack.cpu} ${instruction}`)) return;
    this.#leaf(stack, `-> VM entry (${instruction})`);
  }

  vmExit(stack: Stack, reason: number): void {
    const name = `${exitReasonName(reason)}${reason >= 0x8000_0000 ? ' (VM entry failed)' : ''}`;
    this.#exits.set(name, (this.#exits.get(name) ?? 0) + 1);
    if (this.#only) return;
    const first = !this.#vmShown.has(`${stack.cpu} ${name}`);
    if (!this.#vmLine(`${stack.cpu} ${name}`)) return;
    // What the VMM does about a new reason is new, though its loop is the same.
    if (first) for (const frame of stack.frames) forgetShown(frame);
    this.#leaf(stack, `<- VM exit: ${name}`);
  }

  vmFailure(stack: Stack, rule: string, text: string): void {
    if (!this.#only && this.#vmLine(`${stack.cpu} ${rule}`)) this.#leaf(stack, `!! ${text}`);
  }

  /** The next line says that it is of another stack. Frames that came with the stack from another are its own now. */
  switched(stack: Stack): void {
    for (const frame of stack.frames) {
      const note = noteOf(frame);
      for (const node of note === undefined ? [] : [note.base, ...note.inlines.values()])
        if (node !== undefined) Object.assign(node, { stack, world: frame.world });
    }
  }

  image(name: string, base: number, size: number): void {
    if (!this.#only) this.#out.comment(`image ${name} at 0x${base.toString(16)}-0x${(base + size - 1).toString(16)}`);
  }

  finish(stacks: readonly Stack[]): void {
    for (const stack of stacks) {
      for (const frame of [...stack.frames].reverse()) {
        const note = noteOf(frame);
        if (note === undefined) continue;
        this.#closeInlines(frame, note, undefined, frame.inline, RUNNING);
        if (note.base !== undefined) this.#out.end(note.base, undefined, note.base.open ? RUNNING : '');
      }
    }
    this.#out.flushAll();
    if (this.#outermost.size > 0) {
      this.#out.comment(`left out: ${[...this.#outermost].map(([name, times]) => `${name} x ${grouped(times)}`).join(', ')}`);
    }
    const exits = [...this.#exits].map(([name, times]) => `${name} ${grouped(times)}`);
    this.#out.comment(`${grouped(this.#calls)} calls${this.#lost === 0 ? '' : `, of which ${grouped(this.#lost)} were left without a return`}`);
    if (exits.length > 0) this.#out.comment(`VM exits: ${exits.join(', ')}`);
  }

  /** Each address of unknown code is a name of its own; only those with names are worth a way to them. */
  #novel(code: Code, stack: Stack, { world }: Frame): boolean {
    return isNew(code.seen, placeOf(stack, world)) && code.kind !== 'unknown';
  }

  // ---- nodes

  #show(stack: Stack, frame: Frame, parent: TextNode | undefined, label = labelOf(frame)): void {
    const { site, code } = frame;
    const node = new TextNode(parent, stack, frame.world, code, label, frameName(frame));
    if (site !== undefined) site.shown++;
    parent?.noteShown(site ?? code, code);
    frame.note = { base: node, inner: node, inlines: new Map() } satisfies FrameNote;
    this.#out.begin(node);
  }

  /** Shows the frame with this index, and before it what leads there and was left out. */
  #reveal(stack: Stack, index: number, label?: string): void {
    let parent: TextNode | undefined;
    const repeated = this.#repeating.get(stack.cpu);
    this.#repeating.delete(stack.cpu);
    for (let n = 0; n <= index; n++) {
      const frame = stack.frames[n]!;
      if (frame.note === undefined) {
        if (n < index && frame !== repeated) parent?.takeBack(frameName(frame));
        this.#show(stack, frame, parent, n === index ? label : undefined);
        frame.code.seen.add(placeOf(stack, frame.world));
        if (n < index) this.#inlineNodes(stack, frame);
      }
      parent = noteOf(frame)!.inner;
    }
  }

  #inlineNodes(stack: Stack, frame: Frame): void {
    const note = noteOf(frame)!;
    for (const call of chainOf(frame.inline)) {
      note.inner = new TextNode(note.inner, stack, frame.world, undefined, inlineLabel(call), call.name);
      note.inlines.set(call, note.inner);
    }
  }

  #enterWanted(stack: Stack, frame: Frame): void {
    const parent = this.#shownAround(stack, stack.frames.length - 2);
    if (this.#out.canRepeat(stack, parent, frame.code)) this.#repeating.set(stack.cpu, frame);
    else this.#show(stack, frame, parent);
  }

  #wantedNode(stack: Stack, frame: Frame, label: string): void {
    const note = noteOf(frame);
    if (note?.base === undefined) this.#show(stack, frame, this.#shownAround(stack, stack.frames.indexOf(frame) - 1), label);
    else this.#out.become(note.base, label, frame.code.name, frame.world);
  }

  #transparent(stack: Stack, frame: Frame): FrameNote {
    const note: FrameNote = { base: undefined, inner: this.#shownAround(stack, stack.frames.indexOf(frame) - 1), inlines: new Map() };
    frame.note = note;
    return note;
  }

  #shownAround(stack: Stack, index: number): TextNode | undefined {
    for (let n = index; n >= 0; n--) {
      const note = noteOf(stack.frames[n]);
      if (note !== undefined) return note.inner;
    }
    return undefined;
  }

  /** Closes the inlined calls that are not around `next`. */
  #closeInlines(frame: Frame, note: FrameNote, next: InlineCall | undefined, before = frame.inline, suffix = ''): void {
    const kept = new Set(chainOf(next));
    for (let call = before; call !== undefined && !kept.has(call); call = call.outer) {
      const node = note.inlines.get(call);
      if (node !== undefined) this.#out.end(node, undefined, node.open ? suffix : '');
    }
  }

  #vmLine(key: string): boolean {
    const times = (this.#vmShown.get(key) ?? 0) + 1;
    this.#vmShown.set(key, times);
    return times <= VM_LIMIT;
  }

  #leaf(stack: Stack, text: string): void {
    if (stack.top !== undefined && noteOf(stack.top) === undefined) this.#reveal(stack, stack.frames.length - 1);
    const node = new TextNode(noteOf(stack.top)?.inner, stack, 'vmm', undefined, text, text);
    this.#out.begin(node, true);
  }
}

const noteOf = (frame: Frame | undefined): FrameNote | undefined => frame?.note as FrameNote | undefined;

/** A CPU and a world as one number. */
const placeOf = (stack: Stack, world: World): number => stack.cpu * worlds.length + worlds.indexOf(world);

function isNew(seen: Set<number>, place: number): boolean {
  if (seen.has(place)) return false;
  seen.add(place);
  return true;
}

/** Outermost first. */
function chainOf(call: InlineCall | undefined): readonly InlineCall[] {
  const chain: InlineCall[] = [];
  for (; call !== undefined; call = call.outer) chain.unshift(call);
  return chain;
}

function forgetShown(frame: Frame): void {
  const note = noteOf(frame);
  note?.base?.forgetShown();
  for (const node of note?.inlines.values() ?? []) node.forgetShown();
}

function labelOf(frame: Frame): string {
  const { code, kind, event } = frame;
  if (kind === 'interrupt') return `${eventName(event!)}: ${codeLabel(code)}`;
  return kind === 'firmware' ? `${code.name}${firmwareDetail(frame)}` : codeLabel(code);
}
