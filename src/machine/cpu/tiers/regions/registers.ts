import * as L from '../../layout.ts';
import type { FunctionBuilder, Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Place, Width } from '../emitter.ts';

/** The general registers of a region: 64-bit locals, loaded on entry and stored on exit if the region uses and changes them. */
export class Registers {
  readonly #f: FunctionBuilder;
  readonly #locals: (Local | undefined)[] = [];
  readonly #written = new Set<number>();
  /** Linear address of the head's page. */
  readonly page: Local;
  #ea: Local | undefined;

  constructor(f: FunctionBuilder) {
    this.#f = f;
    this.page = f.local('i64');
  }

  #local(n: number): Local {
    return (this.#locals[n] ??= this.#f.local('i64'));
  }

  /** The register at an offset in the CPU block; `delta`: distance of the page being executed from the head's. */
  place(offset: number, width: Width, delta: number): Place {
    if (offset === L.SLOT_EA) {
      const ea = (this.#ea ??= this.#f.local('i64'));
      return { width, get: () => ea, set: (v) => this.#f.set(ea, v) };
    }
    if (offset === L.SLOT_ZERO) return { width, get: () => w.i64(0), set: () => {} };
    if (offset === L.SLOT_CODE_PAGE) return { width, get: () => w.add(this.page, w.i64(delta)), set: () => {} };
    const n = offset >> 3;
    const high = (offset & 7) !== 0;
    const local = this.#local(n);
    return { width, get: () => read(local, width, high), set: (v) => this.#write(n, local, v, width, high) };
  }

  #write(n: number, local: Local, v: Value, width: Width, high: boolean): void {
    this.#written.add(n);
    this.#f.set(local, merge(local, v, width, high));
  }

  load(cpu: Value): void {
    for (const [n, local] of this.#locals.entries()) if (local) this.#f.set(local, w.load64(cpu, L.GPR + n * 8));
  }

  store(cpu: Value): void {
    for (const [n, local] of this.#locals.entries()) if (local && this.#written.has(n)) this.#f.do(w.store64(cpu, local, L.GPR + n * 8));
  }
}

function read(local: Local, width: Width, high: boolean): Value {
  if (width === 64) return local;
  const low = w.wrap(local);
  if (width === 32) return low;
  if (width === 16) return w.and(low, w.i32(0xffff));
  return w.and(high ? w.shrU(low, w.i32(8)) : low, w.i32(0xff));
}

/** The register after a write of a width: 32 bits clear the upper half, fewer leave the rest. */
function merge(local: Local, v: Value, width: Width, high: boolean): Value {
  if (width === 64) return v;
  if (width === 32) return w.unsigned64(v);
  const bits = width === 16 ? 0xffff : 0xff;
  const part = w.unsigned64(w.and(v, w.i32(bits)));
  if (high) return w.or(w.and(local, w.i64(~0xff00)), w.shl(part, w.i64(8)));
  return w.or(w.and(local, w.i64(~bits)), part);
}
