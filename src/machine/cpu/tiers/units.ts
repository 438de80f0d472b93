import type { LinearMemory } from '../../memory/linear-memory.ts';
import { writeImmTables } from '../semantics/vector/imm-table.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import { buildModule, type Signature } from '../wasm/module.ts';
import * as w from '../wasm/value.ts';
import { Emitter, imports } from './emitter.ts';
import { unitHandlerCount, unitHandlers } from './handlers.ts';
import type { Imports } from './interpreter.ts';

/** A unit's handler: (CPU block, record, budget left); 0 to go on with the next record, else an `Exit`. */
export const UNIT_SIGNATURE: Signature = { params: ['i32', 'i32', 'i32'], result: 'i32' };

/** A region: (CPU block, record, budget left, budget to leave at); the record to go on with, 0 for the address in SLOW_ADDRESS, or NOT_ENTERED. */
export const REGION_SIGNATURE: Signature = { params: ['i32', 'i32', 'i32', 'i32'], result: 'i32' };
export const MAX_REGIONS = 4096;
export const REGION_FIRST = unitHandlerCount;

/**
 * The interpreter is one function, and V8's optimising compiler needs the longer for it the more cases it has. So the vector
 * and floating-point instructions, a thousand handlers that most code never meets, are functions of their own. A unit is the
 * module of one instruction in all its forms, built when a block first contains it: some milliseconds, where a module of all
 * would take a second. The interpreter reaches the functions through a table.
 */
export class Units {
  /** Behind the units' functions: those of tier 1's regions. */
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: REGION_FIRST + MAX_REGIONS });
  readonly #linear: LinearMemory;
  readonly #functions: Imports;
  readonly #loaded = new Set<string>();

  constructor(linear: LinearMemory, functions: Imports) {
    this.#linear = linear;
    this.#functions = functions;
  }

  /** Makes sure that a unit's functions are in the table. */
  load(unit: string): void {
    if (this.#loaded.has(unit)) return;
    if (this.#loaded.size === 0) writeImmTables(this.#linear);
    this.#loaded.add(unit);
    const instance = new WebAssembly.Instance(compile(unit), { env: { memory: this.#linear.memory, ...this.#functions } });
    for (const { index } of unitHandlers(unit)) this.table.set(index, instance.exports[`h${index}`]);
  }
}

/** The code of one unit. */
export function buildUnit(unit: string): Uint8Array<ArrayBuffer> {
  const functions: Record<string, FunctionBuilder> = {};
  for (const { index, handler } of unitHandlers(unit)) {
    const f = new FunctionBuilder(UNIT_SIGNATURE.params, UNIT_SIGNATURE.result);
    const m = new Emitter(f);
    m.begin();
    handler.configure(m);
    handler.emit(m);
    f.return(w.i32(0));
    functions[`h${index}`] = f;
  }
  return buildModule(imports, functions);
}

/** Modules are the same for every machine. */
const modules = new Map<string, WebAssembly.Module>();

function compile(unit: string): WebAssembly.Module {
  let module = modules.get(unit);
  if (!module) modules.set(unit, (module = new WebAssembly.Module(buildUnit(unit))));
  return module;
}
