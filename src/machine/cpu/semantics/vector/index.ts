import type { SemanticsTable } from '../semantics.ts';
import { aes } from './aes.ts';
import { carryless } from './carryless.ts';
import { vectorExtends } from './extend.ts';
import { vectorInteger } from './integer.ts';
import { vectorMasked } from './masked.ts';
import { mmx } from './mmx.ts';
import { vectorMoves } from './move.ts';
import { sha } from './sha.ts';
import { vectorShifts } from './shift.ts';
import { vectorShuffles } from './shuffle.ts';
import { vectorTests } from './test.ts';
import { vectorText } from './text.ts';

/** Vector instructions other than arithmetic in floating point; VEX rows find their meaning here by their name without `v`. */
export const vectors: SemanticsTable = {
  ...vectorMoves, ...vectorInteger, ...vectorShifts, ...vectorShuffles, ...vectorExtends, ...vectorTests, ...vectorMasked, ...vectorText,
  ...aes, ...carryless, ...sha, ...mmx,
}; // prettier-ignore
