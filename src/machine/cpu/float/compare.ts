import type { FloatEnvironment } from './environment.ts';
import { Exception } from './environment.ts';
import { checkSignaling, isNan, noteDenormal } from './nan.ts';
import type { Real } from './real.ts';
import { Kind } from './real.ts';

export type Relation = 'less' | 'equal' | 'greater' | 'unordered';

/**
 * Compares two data. `quiet`: a quiet NaN is no invalid operation (FUCOM, UCOMISS); otherwise it is one (FCOM, COMISS).
 */
export function compare(env: FloatEnvironment, a: Real, b: Real, quiet: boolean): Relation {
  if (isNan(a) || isNan(b)) {
    if (!quiet) env.flags |= Exception.IE;
    checkSignaling(env, a);
    checkSignaling(env, b);
    return 'unordered';
  }
  noteDenormal(env, a, b);
  return order(a, b);
}

/** The order of two data that are no NaNs. */
export function order(a: Real, b: Real): Exclude<Relation, 'unordered'> {
  if (a.kind === Kind.zero && b.kind === Kind.zero) return 'equal';
  if (a.kind === Kind.zero) return b.sign === 1 ? 'greater' : 'less';
  if (b.kind === Kind.zero || a.sign !== b.sign) return a.sign === 1 ? 'less' : 'greater';
  const magnitude = compareMagnitude(a, b);
  if (magnitude === 0) return 'equal';
  return magnitude > 0 === (a.sign === 0) ? 'greater' : 'less';
}

/** Sign of |a| - |b|, for nonzero ones. */
function compareMagnitude(a: Real, b: Real): number {
  if (a.kind === Kind.infinity || b.kind === Kind.infinity) return Number(a.kind === Kind.infinity) - Number(b.kind === Kind.infinity);
  if (a.exponent !== b.exponent) return a.exponent - b.exponent;
  return a.significand === b.significand ? 0 : a.significand > b.significand ? 1 : -1;
}
