import type { FloatEnvironment } from './environment.ts';
import { Exception } from './environment.ts';
import type { Format } from './format.ts';
import { isNan, noteDenormal, propagate1 } from './nan.ts';
import type { Real } from './real.ts';
import { bitLength, finite, Kind, zero } from './real.ts';
import { round, roundsUp } from './round.ts';

/** Conversions: SDM Vol. 1, 4.8.4.2, 4.9.1.1 and 8.5.1.2; Vol. 2, CVT... and FIST. */

/** Rounds a datum to a format. `denormals`: whether a denormal operand raises DE (a load does, a store does not). */
export function convert(f: Format, env: FloatEnvironment, a: Real, denormals = true): Real {
  env.roundedUp = false;
  if (isNan(a)) return propagate1(env, a);
  if (denormals) noteDenormal(env, a);
  return a.kind === Kind.finite ? round(f, env, a.sign, a.exponent, a.significand, 64) : a;
}

/**
 * A datum as an x87 store leaves it in memory, or undefined when an unmasked exception keeps it from being stored. A result that
 * overflows or underflows unmasked is not stored and so not inexact: SDM Vol. 1, 8.5.4 and 8.5.5.
 */
export function convertForStore(f: Format, env: FloatEnvironment, a: Real): Real | undefined {
  const stored = convert(f, env, a, false);
  if (env.stopped) return undefined;
  if ((env.flags & ~env.masks & (Exception.OE | Exception.UE)) === 0) return stored;
  env.flags &= ~Exception.PE;
  env.roundedUp = false;
  return undefined;
}

/** A whole number of at most 64 bits, rounded to a format. */
export function fromInteger(f: Format, env: FloatEnvironment, v: bigint): Real {
  env.roundedUp = false;
  if (v === 0n) return zero(0);
  const magnitude = v < 0n ? -v : v;
  const width = bitLength(magnitude);
  return round(f, env, v < 0n ? 1 : 0, width - 1, magnitude, width);
}

/** Rounds a finite number to a whole one by the environment's rounding; says nothing of exceptions but `inexact` and `roundedUp`. */
function wholeOf(env: FloatEnvironment, a: Real, rounding: number): { magnitude: bigint; inexact: boolean } {
  env.roundedUp = false;
  const drop = 63 - a.exponent;
  if (drop <= 0) return { magnitude: a.significand << BigInt(-drop), inexact: false };
  let magnitude = drop > 65 ? 0n : a.significand >> BigInt(drop);
  const rest = drop > 65 ? 1n : a.significand ^ (magnitude << BigInt(drop));
  const half = drop > 65 ? 2n : 1n << BigInt(drop - 1);
  if (roundsUp(rounding, a.sign, (magnitude & 1n) === 1n, rest, half)) {
    magnitude++;
    env.roundedUp = true;
  }
  return { magnitude, inexact: rest !== 0n };
}

/**
 * A datum as a whole number of `bits` bits; if it does not fit, IE and the integer indefinite: SDM Vol. 1, table 4-2 (unsigned: all ones).
 * @returns the number, negative ones as such
 */
export function toInteger(env: FloatEnvironment, a: Real, bits: number, signed = true, rounding = env.rounding): bigint {
  env.roundedUp = false;
  if (a.kind === Kind.zero) return 0n;
  if (a.kind === Kind.finite && a.exponent < 64) {
    const { magnitude, inexact } = wholeOf(env, a, rounding);
    const value = a.sign === 1 ? -magnitude : magnitude;
    const fits = signed ? BigInt.asIntN(bits, value) === value : BigInt.asUintN(bits, value) === value;
    if (fits) {
      if (inexact) env.flags |= Exception.PE;
      return value;
    }
  }
  env.roundedUp = false;
  env.flags |= Exception.IE;
  return signed ? -(1n << BigInt(bits - 1)) : (1n << BigInt(bits)) - 1n;
}

/**
 * Rounds to a whole number in the same format: FRNDINT, ROUNDSS.
 * @param inexact whether PE is raised; `denormals`: whether DE is
 */
export function roundToIntegral(env: FloatEnvironment, a: Real, rounding = env.rounding, inexact = true, denormals = false): Real {
  env.roundedUp = false;
  if (isNan(a)) return propagate1(env, a);
  if (denormals) noteDenormal(env, a);
  if (a.kind !== Kind.finite || a.exponent >= 63 || env.stopped) return a;
  const whole = wholeOf(env, a, rounding);
  if (whole.inexact && inexact) env.flags |= Exception.PE;
  if (whole.magnitude === 0n) return zero(a.sign);
  const width = bitLength(whole.magnitude);
  return finite(a.sign, width - 1, whole.magnitude << BigInt(64 - width));
}
