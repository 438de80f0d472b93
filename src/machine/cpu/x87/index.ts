import type { HelperTable } from '../helper.ts';
import { arithmetic } from './arithmetic.ts';
import { comparisons } from './compare.ts';
import { constants } from './constants.ts';
import { control } from './control.ts';
import { environment } from './environment.ts';
import { loadStore } from './load-store.ts';
import { mmxInstructions } from './mmx.ts';
import { scaling } from './scale.ts';
import { transcendentals } from './transcendental.ts';

/** All x87 instructions and EMMS, by `Insn.name`. */
export const x87Instructions: HelperTable = {
  ...loadStore,
  ...arithmetic,
  ...scaling,
  ...comparisons,
  ...constants,
  ...transcendentals,
  ...control,
  ...environment,
  ...mmxInstructions,
};
