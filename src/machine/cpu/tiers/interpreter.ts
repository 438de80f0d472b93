import type { LinearMemory } from '../../memory/linear-memory.ts';
import { CODE_TLB_ENTRIES, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../memory/layout.ts';
import * as L from '../layout.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import { buildModule } from '../wasm/module.ts';
import * as w from '../wasm/value.ts';
import type { ImportName } from './emitter.ts';
import { Emitter, imports } from './emitter.ts';
import { handlers, UNIT_FIRST } from './handlers.ts';
import { BUDGET_FLOOR, Exit } from './record.ts';
import type { Units } from './units.ts';
import { REGION_SIGNATURE, UNIT_SIGNATURE } from './units.ts';
import { enterRegion, REGION_OP } from './regions/entry.ts';

/**
 * Runs one CPU. `record` 0 starts at the linear address in SLOW_ADDRESS. Leaves when less than `floor` of the budget is
 * left at a block boundary, or for one of the reasons in `Exit`.
 */
export type RunFunction = (cpuBlock: number, record: number, budget: number, floor: number) => number;
export type Imports = Readonly<Record<ImportName, (...args: number[]) => number>>;

/** Emits tier 0: every handler a case of one function, dispatched by `br_table` over the records. */
export function buildInterpreter(): Uint8Array<ArrayBuffer> {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'], 'i32');
  const m = new Emitter(f);
  const op = f.local('i32');
  f.set(m.target, w.load64(m.c, L.SLOW_ADDRESS));
  f.loop((dispatch) => {
    m.dispatchLabel = dispatch;
    f.scope(() =>
      f.if(w.eqz(m.pc), () => {
        // The budget is looked at first: what lies at the target is not the business of the branch.
        f.if(w.ltS(m.left, m.floor), () => {
          f.do(w.store64(m.c, m.target, L.SLOW_ADDRESS));
          m.exit(w.i32(Exit.stop));
        });
        lookUp(m);
      }),
    );
    f.loop((enter) => {
      m.enterLabel = enter;
      f.if(w.ltS(m.left, m.floor), () => m.exit(w.i32(Exit.budget)));
      f.set(op, w.load16u(m.pc));
      f.loop((next) => {
        m.nextLabel = next;
        f.switch(op, [
          ...handlers.map((h) => () => {
            m.begin();
            h.configure(m);
            h.emit(m);
            if (m.ended) return;
            f.set(m.pc, w.add(m.pc, w.i32(16)));
            f.set(op, w.load16u(m.pc));
            f.br(next);
          }),
          // Any other number is that of a region's head or of a unit's function.
          () => {
            f.if(w.geU(op, w.i32(REGION_OP)), () => enterRegion(m, op));
            const index = w.sub(op, w.i32(UNIT_FIRST));
            const code = m.let(f.callIndirect(0, index, [m.c, m.pc, m.left]));
            f.if(code, () => f.return(code));
            f.set(m.pc, w.add(m.pc, w.i32(16)));
            f.set(op, w.load16u(m.pc));
            f.br(next);
          },
        ]);
      });
    });
  });
  f.unreachable();
  return buildModule(imports, { interpret: f, run: delivering() }, [UNIT_SIGNATURE, REGION_SIGNATURE]);
}

/** `run`: interprets, and goes on in the handlers of faults as far as `fault` can deliver them. */
function delivering(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'], 'i32');
  const [c, record, left, floor] = [f.param(0), f.param(1), f.param(2), f.param(3)];
  const fault = imports.findIndex((i) => i.name === 'fault');
  const code = f.local('i32');
  f.loop((again) => {
    f.set(code, f.call(imports.length, [c, record, left, floor]));
    f.if(w.eq(code, w.i32(Exit.fault)), () => {
      f.set(code, f.call(fault, [c, w.load32(c, L.RECORD), w.load32(c, L.LEFT)]));
      f.if(w.eqz(code), () => {
        f.set(record, w.i32(0));
        f.set(left, w.load32(c, L.LEFT));
        f.set(floor, w.i32(BUDGET_FLOOR)); // also after an exact block, which was one instruction after another
        f.br(again);
      });
    });
  });
  f.return(code);
  return f;
}

/** The record for `target`: through the code TLB and the page's table, else from TypeScript. */
function lookUp(m: Emitter): void {
  const { f } = m;
  const tag = m.let(w.and(m.target, w.i64(-4096)));
  const index = w.and(w.wrap(w.shrU(m.target, w.i64(8))), w.i32((CODE_TLB_ENTRIES - 1) << 4));
  const entry = m.let(w.add(w.load32(m.c, L.TLB), index));
  const at = TLB_ENTRIES * TLB_ENTRY_SIZE;
  const record = m.let(w.i32(0));
  f.if(w.eq(w.load64(entry, at), tag), () => {
    const offset = w.shl(w.and(w.wrap(m.target), w.i32(0xfff)), w.i32(2));
    f.set(record, w.load32(w.add(w.load32(entry, at + 8), offset)));
  });
  f.do(w.store64(m.c, tag, L.SLOT_CODE_PAGE));
  f.if(w.eqz(record), () => {
    f.do(w.store64(m.c, m.target, L.SLOW_ADDRESS));
    f.set(record, m.call('enter'));
    f.if(w.leS(record, w.i32(0)), () => f.return(w.sub(w.i32(0), record)));
  });
  f.set(m.pc, record);
}

let compiled: WebAssembly.Module | undefined;

/** Instantiates tier 0 on a memory. The module is the same for every machine: it is generated and compiled once. */
export function instantiateInterpreter(linear: LinearMemory, functions: Imports, units: Units): RunFunction {
  compiled ??= new WebAssembly.Module(buildInterpreter());
  const instance = new WebAssembly.Instance(compiled, { env: { memory: linear.memory, table: units.table, ...functions } });
  return instance.exports['run'] as unknown as RunFunction;
}
