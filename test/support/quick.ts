import type { LinearMemory } from '../../src/machine/memory/linear-memory.ts';
import type { QuickFunctions } from '../../src/machine/cpu/quick/module.ts';
import { withQuick } from '../../src/machine/cpu/quick/module.ts';
import { imports } from '../../src/machine/cpu/tiers/emitter.ts';
import type { Imports } from '../../src/machine/cpu/tiers/interpreter.ts';

/** The quick ways on a memory, for tests without a runner: they call nothing in TypeScript. */
export function quickFunctions(linear: LinearMemory): QuickFunctions {
  const functions = imports.map(({ name }) => [name, () => { throw new Error(`${name} called`); }] as const); // prettier-ignore
  return withQuick(linear, Object.fromEntries(functions) as unknown as Imports).quick;
}
