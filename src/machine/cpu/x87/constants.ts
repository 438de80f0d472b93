import { Rounding } from '../float/environment.ts';
import type { Real } from '../float/real.ts';
import { finite, zero } from '../float/real.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { computing, env, push } from './unit.ts';

/** The constants: SDM Vol. 1, 8.3.4, and Vol. 2, FLD1 and others: 66-bit values rounded by the rounding control, without PE. */

/** Exponent, and the significand with the next two bits and a sticky bit that tell how it rounds. */
const constant = (exponent: number, significand: bigint, roundsUpToNearest: boolean): Helper =>
  computing((cpu) => {
    const up = env.rounding === Rounding.up || (env.rounding === Rounding.nearest && roundsUpToNearest);
    push(cpu, finite(0, exponent, up ? significand + 1n : significand));
  });

const exact = (v: Real): Helper => computing((cpu) => push(cpu, v));

/** The significands are truncated to 64 bits; the bits after them say whether the nearest is one more. */
export const constants: HelperTable = {
  fld1: exact(finite(0, 0, 1n << 63n)),
  fldz: exact(zero(0)),
  fldl2t: constant(1, 0xd49a_784b_cd1b_8afen, false),
  fldl2e: constant(0, 0xb8aa_3b29_5c17_f0bbn, true),
  fldpi: constant(1, 0xc90f_daa2_2168_c234n, true),
  fldlg2: constant(-2, 0x9a20_9a84_fbcf_f798n, true),
  fldln2: constant(-1, 0xb172_17f7_d1cf_79abn, true),
};
