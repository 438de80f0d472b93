import type { FunctionBuilder } from './function.ts';
import type { Code, Type } from './value.ts';
import { typeCode, uleb } from './value.ts';

export interface ImportedFunction {
  readonly name: string;
  readonly params: readonly Type[];
  readonly result?: Type;
}

function flatten(code: Code, out: number[]): number[] {
  for (const item of code) {
    if (typeof item === 'number') out.push(item);
    else flatten(item, out);
  }
  return out;
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
  const sections: number[][] = [];
  const section = (id: number, count: number, bytes: readonly number[]): void => {
    const head = uleb(count);
    sections.push([id, ...uleb(head.length + bytes.length), ...head]);
    sections.push(bytes as number[]);
  };
  section(1, types.length, types.flat());
  const limits = [...text('env'), ...text('memory'), 2, 1, 1, ...uleb(0x1_0000)];
  const table = indirect.length > 0 ? [...text('env'), ...text('table'), 1, 0x70, 0, 0] : [];
  const functionImports = imports.flatMap((f, n) => [...text('env'), ...text(f.name), 0, ...uleb(indirect.length + n)]);
  section(2, imports.length + 1 + (table.length > 0 ? 1 : 0), [...limits, ...table, ...functionImports]);
  section(
    3,
    functions.length,
    functions.flatMap((_, n) => uleb(indirect.length + imports.length + n)),
  );
  section(
    7,
    functions.length,
    functions.flatMap(([name], n) => [...text(name), 0, ...uleb(imports.length + n)]),
  );
  const bodies: number[] = [];
  for (const [, f] of functions) {
    const locals = f.locals.flatMap((t) => [1, typeCode[t]]);
    const body = flatten([[...uleb(f.locals.length), ...locals], f.body, [0x0b]], []);
    for (const b of uleb(body.length)) bodies.push(b);
    for (const b of body) bodies.push(b);
  }
  section(10, functions.length, bodies);
  const size = sections.reduce((n, s) => n + s.length, 8);
  const out = new Uint8Array(size);
  out.set([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  let at = 8;
  for (const s of sections) {
    out.set(s, at);
    at += s.length;
  }
  return out;
}
