/**
 * What emitted code calls, in WebAssembly as far as that goes: a call out of WebAssembly and the work in TypeScript cost
 * some hundred nanoseconds. Each function here does the frequent case entirely, or nothing and calls the TypeScript
 * function of the same name. Both give the same state.
 */
import { LEAVE, OBSERVED } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import { Flag } from '../cpu.ts';
import * as L from '../layout.ts';
import { importNumber, imports } from '../tiers/emitter.ts';
import type { Imports } from '../tiers/interpreter.ts';
import { Exit, REC_A } from '../tiers/record.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import { buildModule } from '../wasm/module.ts';
import * as w from '../wasm/value.ts';
import { quickHelpers } from './helpers.ts';
import { Quick, QUICK_PARAMS } from './quick.ts';

/** `helper`: the quick way of the record's instruction, where it has one and nobody watches; else TypeScript. */
function helper(first: number): FunctionBuilder {
  const f = new FunctionBuilder(QUICK_PARAMS, 'i32');
  const q = new Quick(f);
  const number = f.let(w.load8u(q.record, REC_A));
  const usual = w.and(w.eqz(w.load32(w.i32(0), OBSERVED)), w.eq(q.u32(L.CODE_SIZE), w.i32(2)));
  const done = f.local('i32');
  f.if(w.and(w.ne(number, w.i32(0)), usual), () => {
    f.block((after) => {
      const call = (n: number) => () => {
        f.set(done, f.call(first + n, [q.c, q.record, q.left]));
        f.br(after);
      };
      f.switch(w.sub(number, w.i32(1)), [...Object.keys(quickHelpers).map((_, n) => call(n)), () => f.unreachable()]);
    });
  });
  f.if(done, () => {
    // As after every helper: the run loop looks at what is pending, and at what executes instructions one by one.
    const single = w.or(w.and(q.u32(L.SYSFLAGS), w.i32(Flag.TF | Flag.RF)), w.and(q.u32(L.INTERRUPTIBILITY), w.i32(3)));
    f.if(w.eqz(w.or(w.or(w.load32(w.i32(0), LEAVE), q.u32(L.PENDING)), single)), () => f.return(w.i32(0)));
    q.setU32(L.RECORD, q.record);
    q.setU32(L.LEFT, q.left);
    f.return(w.i32(Exit.stop));
  });
  f.return(f.call(importNumber('helper'), [q.c, q.record, q.left]));
  return f;
}

export function buildQuick(): Uint8Array<ArrayBuffer> {
  const functions: Record<string, FunctionBuilder> = {};
  for (const [name, emit] of Object.entries(quickHelpers)) {
    const f = new FunctionBuilder(QUICK_PARAMS, 'i32');
    emit(new Quick(f));
    f.unreachable();
    functions[`quick_${name}`] = f;
  }
  return buildModule(imports, { ...functions, helper: helper(imports.length) });
}

let compiled: WebAssembly.Module | undefined;

/** The functions that emitted code is to import: those given, with the quick ones in their places. */
export function withQuick(linear: LinearMemory, functions: Imports): Imports {
  compiled ??= new WebAssembly.Module(buildQuick());
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory: linear.memory, ...functions } });
  return { ...functions, ...(exports as unknown as Partial<Imports>) };
}
