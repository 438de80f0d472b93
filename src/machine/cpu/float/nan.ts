import type { FloatEnvironment } from './environment.ts';
import { Exception } from './environment.ts';
import type { Real } from './real.ts';
import { indefinite, Kind, quieted } from './real.ts';

export const isNan = (a: Real): boolean => a.kind >= Kind.quiet;

/** An invalid operation: its masked response. */
export function invalid(env: FloatEnvironment): Real {
  env.flags |= Exception.IE;
  return indefinite;
}

/** Raises IE for signaling NaNs and unsupported encodings. */
export function checkSignaling(env: FloatEnvironment, a: Real): void {
  if (a.kind > Kind.quiet) env.flags |= Exception.IE;
}

/** Raises DE for a denormal operand. */
export function noteDenormal(env: FloatEnvironment, a: Real, b?: Real): void {
  if (a.denormal || b?.denormal) env.flags |= Exception.DE;
}

/** The result of an operation on one NaN. */
export function propagate1(env: FloatEnvironment, a: Real): Real {
  checkSignaling(env, a);
  return a.kind === Kind.unsupported ? indefinite : quieted(a);
}

/** The result of an operation with at least one NaN among its operands: SDM Vol. 1, table 4-7. */
export function propagate(env: FloatEnvironment, a: Real, b: Real): Real {
  checkSignaling(env, a);
  checkSignaling(env, b);
  if (a.kind === Kind.unsupported || b.kind === Kind.unsupported) return indefinite;
  if (!isNan(b)) return quieted(a);
  if (!isNan(a)) return quieted(b);
  if (!env.x87) return quieted(a);
  // A quiet one is preferred to a signaling one; of two alike the one with the larger significand, then the positive one.
  if (a.kind !== b.kind) return a.kind === Kind.quiet ? a : b;
  if (a.significand !== b.significand) return quieted(a.significand > b.significand ? a : b);
  return quieted(a.sign <= b.sign ? a : b);
}
