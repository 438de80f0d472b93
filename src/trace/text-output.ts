import { grouped } from './labels.ts';
import type { Code, World } from './code.ts';
import type { Stack } from './frame.ts';
import type { TextNode } from './text-node.ts';

/** The last line of a CPU, not yet written: it may still turn out to have calls below it, to end, or to be repeated. */
interface Pending {
  readonly node: TextNode;
  /** Undefined while it runs. */
  instructions: number | undefined;
  ended: boolean;
  times: number;
  /** Something else was left out after it: what comes now is no repetition. */
  sealed: boolean;
}

const MOST_NAMES = 6;

/** Writes lines of the tree: columns, indentation, braces; holds back one line for each CPU. */
export class TextOutput {
  readonly #write: (line: string) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #lastStack = new Map<number, number>();

  constructor(write: (line: string) => void) {
    this.#write = write;
    this.#write('# CPU WORLD      INSTRUCTIONS | CALLS');
  }

  /** A node's line is next. What holds it is opened first. */
  begin(node: TextNode, ended = false): void {
    this.openAround(node);
    this.flush(node.stack.cpu);
    this.#pending.set(node.stack.cpu, { node, instructions: undefined, ended, times: 1, sealed: false });
  }

  /** Opens the nodes around this one that are not open: inlined calls come and go. */
  openAround(node: TextNode): void {
    const { parent } = node;
    if (parent === undefined || parent.open) return;
    if (this.#pending.get(parent.stack.cpu)?.node === parent) this.#openPending(parent.stack.cpu);
    else {
      this.openAround(parent);
      this.flush(parent.stack.cpu);
      this.#open(parent);
    }
  }

  /** The line that waits, when it is a finished call of this code below this parent: a repetition of it needs no line. */
  canRepeat(stack: Stack, parent: TextNode | undefined, code: Code): boolean {
    const pending = this.#pending.get(stack.cpu);
    return (
      pending !== undefined &&
      pending.ended &&
      !pending.sealed &&
      pending.node.parent === parent &&
      pending.node.stack === stack &&
      pending.node.code === code
    );
  }

  /** A call below this node was left out. */
  leaveOut(node: TextNode, name: string): void {
    node.leaveOut(name);
    const pending = this.#pending.get(node.stack.cpu);
    if (pending?.node.parent === node) pending.sealed = true;
  }

  repeat(cpu: number, instructions: number): void {
    const pending = this.#pending.get(cpu)!;
    pending.times++;
    pending.instructions = (pending.instructions ?? 0) + instructions;
  }

  isPending(node: TextNode): boolean {
    return this.#pending.get(node.stack.cpu)?.node === node;
  }

  /** The node's call is over. `suffix` says how, when not by a return. */
  end(node: TextNode, instructions: number | undefined, suffix = ''): void {
    const pending = this.#pending.get(node.stack.cpu);
    if (pending?.node === node) {
      pending.instructions = instructions;
      pending.ended = true;
      node.label += `${suffix}${this.#restOf(node)}`;
      return;
    }
    if (!node.open) return;
    this.flush(node.stack.cpu);
    this.#rest(node);
    node.open = false;
    this.line(node, instructions, 0, `} ${node.name}${suffix}`);
  }

  /** The node's call goes on as another function. */
  become(node: TextNode, label: string, name: string, world: World): void {
    const { cpu } = node.stack;
    if (this.isPending(node)) {
      this.#pending.delete(cpu);
      this.line(node, undefined, 0, node.label);
      Object.assign(node, { label, name, world });
      this.#pending.set(cpu, { node, instructions: undefined, ended: false, times: 1, sealed: false });
      return;
    }
    Object.assign(node, { label, name, world });
    if (!node.open) return;
    this.flush(cpu);
    this.#rest(node);
    this.line(node, undefined, 0, `} ${label} {`);
  }

  flush(cpu: number): void {
    const pending = this.#pending.get(cpu);
    if (pending === undefined) return;
    if (!pending.ended) {
      this.#openPending(cpu);
      return;
    }
    this.#pending.delete(cpu);
    const { node, times, instructions } = pending;
    // A service of the firmware takes no instructions of the processor.
    this.line(node, instructions || undefined, 0, times > 1 ? `${node.name} x ${grouped(times)}` : node.label);
  }

  flushAll(): void {
    for (const cpu of [...this.#pending.keys()]) this.flush(cpu);
  }

  line(node: TextNode, instructions: number | undefined, deeper: number, text: string): void {
    const { cpu, id } = node.stack;
    const last = this.#lastStack.get(cpu);
    const prefix = `${String(cpu).padStart(5)} ${node.world.padEnd(8)} `;
    if (last !== id && (last !== undefined || id !== 1)) this.#write(`${prefix}${''.padStart(14)} |-- stack ${id}`);
    this.#lastStack.set(cpu, id);
    this.#write(`${prefix}${(instructions === undefined ? '' : grouped(instructions)).padStart(14)} | ${'  '.repeat(node.depth + deeper)}${text}`);
  }

  comment(text: string): void {
    this.#write(`# ${text}`);
  }

  #openPending(cpu: number): void {
    const { node } = this.#pending.get(cpu)!;
    this.#pending.delete(cpu);
    this.#open(node);
  }

  #open(node: TextNode): void {
    node.open = true;
    this.line(node, undefined, 0, `${node.label} {`);
  }

  #rest(node: TextNode): void {
    if (node.rest.size > 0) this.line(node, undefined, 1, `... ${this.#restNames(node)}`);
  }

  /** The same for a line without braces around others. */
  #restOf(node: TextNode): string {
    return node.rest.size > 0 ? `  { ... ${this.#restNames(node)} }` : '';
  }

  #restNames(node: TextNode): string {
    const most = [...node.rest].sort((a, b) => b[1] - a[1]);
    const names = most.slice(0, MOST_NAMES).map(([name, times]) => (times > 1 ? `${name} x ${grouped(times)}` : name));
    if (most.length > MOST_NAMES) names.push(`${most.length - MOST_NAMES} more`);
    node.rest.clear();
    return names.join(', ');
  }
}
