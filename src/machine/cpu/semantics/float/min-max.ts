import type { FloatEnvironment } from '../../float/environment.ts';
import { compare } from '../../float/compare.ts';
import type { Real } from '../../float/real.ts';
import type { Value } from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { noDenormal, ordered, ordinary } from './domain.ts';
import type { Operation } from './elements.ts';
import { binaryInstruction, family } from './elements.ts';
import type { Fast } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { all, and } from './lanes.ts';

/** MIN, MAX: a if it is less (greater), else b: also when both are zero or one is a NaN, quiet or not (SDM Vol. 2, MINPS). */

const chosen =
  (which: 'less' | 'greater') =>
  (_f: unknown, env: FloatEnvironment, a: Real, b: Real): Real =>
    compare(env, a, b, false) === which ? a : b;

/** Which of the two it is can be seen at once, unless one is a NaN or a denormal. */
const masks = (f: Lanes, a: Value, b: Value): Pick<Fast, 'likely' | 'good'> => ({
  likely: and(ordinary(f, a), ordinary(f, b)),
  good: all(noDenormal(f, a), noDenormal(f, b), ordered(f, a), ordered(f, b)),
});

export const minimum: Operation = { fast: (_m, f, a, b) => ({ result: f.pmin(b, a), ...masks(f, a, b) }), exact: chosen('less') };
export const maximum: Operation = { fast: (_m, f, a, b) => ({ result: f.pmax(b, a), ...masks(f, a, b) }), exact: chosen('greater') };

export const minMax: SemanticsTable = {
  ...family('min', (s) => binaryInstruction(s, minimum)),
  ...family('max', (s) => binaryInstruction(s, maximum)),
};
