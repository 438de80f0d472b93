import type { Code, Type, Value } from './value.ts';
import { uleb } from './value.ts';

/** A branch target: remembers at which nesting depth it was opened. */
export interface Label {
  readonly depth: number;
}

export interface Local extends Value {
  readonly index: number;
}

/** A place in a fragment's code that is filled in later, and how deep in the fragment it lies. */
export interface Hole {
  readonly code: (number | Code)[];
  readonly depth: number;
}

/** The body of one function: statements in order, structured control flow, and locals that can be given back. */
export class FunctionBuilder {
  readonly params: readonly Type[];
  readonly result: Type | undefined;
  readonly locals: Type[] = [];
  #free: Local[] = [];
  #scope: Local[] = [];
  #body: (number | Code)[] = [];
  #depth = 0;

  constructor(params: readonly Type[], result?: Type) {
    this.params = params;
    this.result = result;
  }

  get body(): Code {
    return this.#body;
  }

  param(n: number): Local {
    return { type: this.params[n]!, index: n, code: [0x20, ...uleb(n)] };
  }

  /** A local that lives for the whole function. */
  local(type: Type): Local {
    const index = this.params.length + this.locals.push(type) - 1;
    return { type, index, code: [0x20, ...uleb(index)] };
  }

  /** A local that is given back when the current `scope` ends. */
  temp(type: Type): Local {
    const n = this.#free.findIndex((l) => l.type === type);
    const local = n >= 0 ? this.#free.splice(n, 1)[0]! : this.local(type);
    this.#scope.push(local);
    return local;
  }

  scope(body: () => void): void {
    const outer = this.#scope;
    this.#scope = [];
    body();
    this.#free.push(...this.#scope);
    this.#scope = outer;
  }

  do(code: Code): void {
    this.#body.push(code);
  }

  set(local: Local, value: Value): void {
    if (local.type !== value.type) throw new Error(`wasm: ${value.type} into a local of type ${local.type}`);
    this.do([value.code, 0x21, ...uleb(local.index)]);
  }

  /** Evaluates once, now. */
  let(value: Value): Local {
    const local = this.temp(value.type);
    this.set(local, value);
    return local;
  }

  block(body: (label: Label) => void): void {
    this.#nest([0x02, 0x40], body);
  }

  loop(body: (label: Label) => void): void {
    this.#nest([0x03, 0x40], body);
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.do(condition.code);
    this.#nest([0x04, 0x40], () => {
      then();
      if (!otherwise) return;
      this.do([0x05]);
      otherwise();
    });
  }

  br(label: Label): void {
    this.do([0x0c, ...uleb(this.#depth - label.depth)]);
  }

  brIf(label: Label, condition: Value): void {
    this.do([condition.code, 0x0d, ...uleb(this.#depth - label.depth)]);
  }

  /** Opens `n` nested blocks, branches by table to the end of block `selector`, and emits each case after its block. */
  switch(selector: Value, cases: readonly (() => void)[]): void {
    const n = cases.length;
    for (let k = 0; k < n; k++) this.do([0x02, 0x40]);
    this.#depth += n;
    const targets = Array.from({ length: n }, (_, k) => uleb(k));
    this.do([selector.code, 0x0e, ...uleb(n - 1), ...targets.flat()]);
    for (const emit of cases) {
      this.do([0x0b]);
      this.#depth--;
      this.scope(emit);
    }
  }

  return(value: Value): void {
    this.do([value.code, 0x0f]);
  }

  unreachable(): void {
    this.do([0x00]);
  }

  call(index: number, args: readonly Value[], result: Type = 'i32'): Value {
    return { type: result, code: [...args.map((a) => a.code), 0x10, ...uleb(index)] };
  }

  /** Calls a function of table 0, whose type has the number `type`. */
  callIndirect(type: number, index: Value, args: readonly Value[], result: Type = 'i32'): Value {
    return { type: result, code: [...args.map((a) => a.code), index.code, 0x11, ...uleb(type), 0] };
  }

  /** Emits a body apart from the function: whoever knows where it belongs places it (`Hole.depth` counts from there). */
  fragment(body: () => void): Code {
    const [outer, depth] = [this.#body, this.#depth];
    this.#body = [];
    this.#depth = 0;
    body();
    const code = this.#body;
    this.#body = outer;
    this.#depth = depth;
    return code;
  }

  /** A hole for code that transfers control. */
  hole(): Hole {
    const code: (number | Code)[] = [];
    this.do(code);
    return { code, depth: this.#depth };
  }

  #nest(open: Code, body: (label: Label) => void): void {
    this.do(open);
    this.#depth++;
    body({ depth: this.#depth });
    this.do([0x0b]);
    this.#depth--;
  }
}
