/**
 * What emitted code calls, in WebAssembly as far as that goes: a call out of WebAssembly and the work in TypeScript cost
 * some hundred nanoseconds. Each function here does the frequent case entirely, or nothing and calls the TypeScript
 * function of the same name. Both give the same state.
 */
import { LEAVE, OBSERVED, RESUMED } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import { Flag, VmxMode } from '../cpu.ts';
import * as L from '../layout.ts';
import { imports } from '../tiers/emitter.ts';
import type { Imports } from '../tiers/interpreter.ts';
import { BUDGET_FLOOR, Exit, REC_A } from '../tiers/record.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import { buildModule } from '../wasm/module.ts';
import type { Type } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { CpuCode } from './cpu-code.ts';
import { deliver, DELIVER_PARAMS } from './deliver.ts';
import { fault, raise, RAISE_PARAMS } from './fault.ts';
import { quickHelpers } from './helpers.ts';
import { iret } from './iret.ts';
import { Quick, QUICK_PARAMS } from './quick.ts';
import { ignoresResumeFlag, recordAt } from './records.ts';
import { enter, slow } from './slow.ts';
import { noteBigPage, walk } from './walk.ts';

/** What TypeScript may call too: the quick ways of what is no instruction, or not only. 1: done; 0: nothing changed. */
export interface QuickFunctions {
  /** Delivers an event in the form of deliver.ts. */
  deliver(cpuBlock: number, event: number, errorCode: number): number;
  iret(cpuBlock: number): number;
}

/** The module's functions on the CPU block. */
const shared: Readonly<Record<keyof QuickFunctions, { readonly params: readonly Type[]; readonly emit: (q: CpuCode) => void }>> = {
  deliver: { params: DELIVER_PARAMS, emit: deliver },
  iret: { params: ['i32'], emit: iret },
};

/** Functions that emitted code imports and that are here altogether. */
type Own = 'raise' | 'fault';
const others = imports.filter(({ name }) => name !== 'raise' && name !== 'fault');

/** All functions by name, in the order of their numbers: those in TypeScript, then the module's own. */
const quickNames = Object.keys(quickHelpers).map((name) => `quick_${name}`);
const names = [...others.map((i) => `typescript ${i.name}`), ...Object.keys(shared), ...quickNames, 'noteBigPage', 'walk'];
const number = (name: string): number => names.indexOf(name);

/** `helper`: the quick way of the record's instruction, where it has one and nobody watches; else TypeScript. */
function helper(): FunctionBuilder {
  const f = new FunctionBuilder(QUICK_PARAMS, 'i32');
  const q = new Quick(f, number);
  const quickWay = f.let(w.load8u(q.record, REC_A));
  const usual = w.and(w.eqz(w.load32(w.i32(0), OBSERVED)), w.eq(q.u32(L.CODE_SIZE), w.i32(2)));
  const done = f.local('i32');
  f.if(w.and(w.ne(quickWay, w.i32(0)), usual), () => {
    f.block((after) => {
      const call = (name: string) => () => {
        f.set(done, q.run(`quick_${name}`, q.record, q.left));
        f.br(after);
      };
      f.switch(w.sub(quickWay, w.i32(1)), [...Object.keys(quickHelpers).map(call), () => f.unreachable()]);
    });
  });
  f.if(done, () => {
    // As after every helper: the run loop looks at what is pending, and at what executes instructions one by one.
    const asked = w.or(w.load32(w.i32(0), LEAVE), q.calls());
    const single = w.or(w.and(q.u32(L.SYSFLAGS), w.i32(Flag.TF)), w.and(q.u32(L.INTERRUPTIBILITY), w.i32(3)));
    f.if(w.eqz(w.or(asked, single)), () => {
      f.if(w.eqz(w.and(q.u32(L.SYSFLAGS), w.i32(Flag.RF))), () => f.return(w.i32(0)));
      resume(q);
    });
    q.setU32(L.RECORD, q.record);
    q.setU32(L.LEFT, q.left);
    f.return(w.i32(Exit.stop));
  });
  f.return(q.run('typescript helper', q.record, q.left));
  return f;
}

/**
 * IRET set RF. It matters to instruction breakpoints, of which there are none (they are for the run loop), and to who reads
 * RFLAGS before one instruction is completed. So it is cleared now and emitted code goes on, if the instruction is not one
 * that reads or keeps it; what ends in a fault sets it again (fault.ts). In a guest a VM exit could read it.
 */
function resume(q: Quick): void {
  const { f } = q;
  const room = w.and(w.geS(q.left, w.i32(BUDGET_FLOOR)), w.ne(q.u32(L.VMX_MODE), w.i32(VmxMode.nonRoot)));
  f.if(room, () => {
    const record = recordAt(q, q.let(q.u64(L.SLOW_ADDRESS)));
    f.if(record, () => {
      f.if(ignoresResumeFlag(q, record), () => {
        q.setU32(L.SYSFLAGS, w.and(q.u32(L.SYSFLAGS), w.i32(~Flag.RF)));
        f.do(w.store32(w.i32(0), q.left, RESUMED));
        f.return(w.i32(0));
      });
    });
  });
}

function build<Q>(params: readonly Type[], make: (f: FunctionBuilder) => Q, emit: (q: Q) => void): FunctionBuilder {
  const f = new FunctionBuilder(params, 'i32');
  emit(make(f));
  f.unreachable();
  return f;
}

export function buildQuick(): Uint8Array<ArrayBuffer> {
  const functions: Record<string, FunctionBuilder> = {};
  for (const [name, { params, emit }] of Object.entries(shared)) functions[name] = build(params, (f) => new CpuCode(f, number), emit);
  for (const [name, emit] of Object.entries(quickHelpers)) functions[`quick_${name}`] = build(QUICK_PARAMS, (f) => new Quick(f, number), emit);
  functions['noteBigPage'] = noteBigPage();
  functions['walk'] = walk(number('noteBigPage'));
  functions['slow'] = slow(number('walk'), number('typescript slow'), true);
  functions['ram'] = slow(number('walk'), number('typescript ram'), false);
  functions['enter'] = enter(number('walk'), number('typescript enter'));
  functions['helper'] = helper();
  functions['fault'] = build(QUICK_PARAMS, (f) => new Quick(f, number), fault);
  functions['raise'] = build(RAISE_PARAMS, (f) => new Quick(f, number), raise);
  return buildModule(others, functions);
}

let compiled: WebAssembly.Module | undefined;

/** The functions that emitted code is to import: those in TypeScript, with the quick ones in their places. And those for TypeScript. */
export function withQuick(linear: LinearMemory, functions: Omit<Imports, Own>): { functions: Imports; quick: QuickFunctions } {
  compiled ??= new WebAssembly.Module(buildQuick());
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory: linear.memory, ...functions } });
  const own = exports as unknown as Pick<Imports, Own | 'helper'>;
  return { functions: { ...functions, ...own }, quick: exports as unknown as QuickFunctions };
}
