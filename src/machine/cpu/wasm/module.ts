import type { FunctionBuilder } from './function.ts';
import type { Code, Type } from './value.ts';
import { typeCode, uleb } from './value.ts';

export interface ImportedFunction {
  readonly name: string;
  readonly params: readonly Type[];
  readonly result?: Type;
}

/** Bytes as they are written. Sizes are filled in afterwards, in five bytes each (LEB128 may be longer than it must). */
class Sink {
  #bytes = new Uint8Array(1 << 16);
  #at = 0;

  write(code: Code): void {
    // An index loop: this runs for every byte that is emitted.
    for (let n = 0; n < code.length; n++) {
      const item = code[n]!;
      if (typeof item !== 'number') this.write(item);
      else {
        if (this.#at === this.#bytes.length) this.#grow();
        this.#bytes[this.#at++] = item;
      }
    }
  }

  /** What `body` writes, with its size before it. */
  sized(body: () => void): void {
    this.write([0, 0, 0, 0, 0]);
    const start = this.#at;
    body();
    let size = this.#at - start;
    for (let n = 5; n > 0; n--, size >>>= 7) this.#bytes[start - n] = (size & 0x7f) | (n > 1 ? 0x80 : 0);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

const text = (s: string): number[] => [...uleb(s.length), ...new TextEncoder().encode(s)];
const signature = (params: readonly Type[], result?: Type): number[] => [
  0x60, ...uleb(params.length), ...params.map((t) => typeCode[t]), ...(result ? [1, typeCode[result]] : [0]),
]; // prettier-ignore

/** A function type, for indirect calls. */
export interface Signature {
  readonly params: readonly Type[];
  readonly result?: Type;
}

/**
 * A module that imports `env.memory` (of any size) and the named functions (numbered first, in order) and exports the given ones.
 * With `indirect` it imports `env.table` too; these types are numbered first, for calls through it.
 * Core spec: WebAssembly 2.0, 5.5 (binary modules).
 */
export function buildModule(
  imports: readonly ImportedFunction[],
  exports: Readonly<Record<string, FunctionBuilder>>,
  indirect: readonly Signature[] = [],
): Uint8Array<ArrayBuffer> {
  const functions = Object.entries(exports);
  const types = [...indirect, ...imports, ...functions.map(([, f]) => f)].map((f) => signature(f.params, f.result));
  const sink = new Sink();
  sink.write([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, count: number, body: () => void): void => {
    sink.write([id]);
    sink.sized(() => {
      sink.write(uleb(count));
      body();
    });
  };
  section(1, types.length, () => sink.write(types));
  section(2, imports.length + 1 + (indirect.length > 0 ? 1 : 0), () => {
    sink.write([text('env'), text('memory'), 2, 1, 1, uleb(0x1_0000)]);
    if (indirect.length > 0) sink.write([text('env'), text('table'), 1, 0x70, 0, 0]);
    for (const [n, f] of imports.entries()) sink.write([text('env'), text(f.name), 0, uleb(indirect.length + n)]);
  });
  section(3, functions.length, () => {
    for (let n = 0; n < functions.length; n++) sink.write(uleb(indirect.length + imports.length + n));
  });
  section(7, functions.length, () => {
    for (const [n, [name]] of functions.entries()) sink.write([text(name), 0, uleb(imports.length + n)]);
  });
  section(10, functions.length, () => {
    for (const [, f] of functions)
      sink.sized(() => {
        sink.write(uleb(f.locals.length));
        for (const type of f.locals) sink.write([1, typeCode[type]]);
        sink.write(f.body);
        sink.write([0x0b]);
      });
  });
  return sink.done();
}
