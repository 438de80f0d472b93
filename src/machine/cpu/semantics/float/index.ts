import type { SemanticsTable } from '../semantics.ts';
import { approximations } from './approximate.ts';
import { arithmetic } from './arithmetic.ts';
import { comparisons } from './compare.ts';
import { conversions } from './convert.ts';
import { generalConversions } from './convert-general.ts';
import { mmxConversions } from './convert-mmx.ts';
import { dots } from './dot.ts';
import { fusedMultiplyAdds } from './fma.ts';
import { halfConversions } from './half.ts';
import { horizontals } from './horizontal.ts';
import { minMax } from './min-max.ts';
import { roundings } from './round.ts';

/** Floating-point instructions on vector registers, by row name. */
export const float: SemanticsTable = {
  ...arithmetic,
  ...minMax,
  ...comparisons,
  ...conversions,
  ...generalConversions,
  ...mmxConversions,
  ...roundings,
  ...horizontals,
  ...dots,
  ...approximations,
  ...fusedMultiplyAdds,
  ...halfConversions,
};
