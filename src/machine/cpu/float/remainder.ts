import type { FloatEnvironment } from './environment.ts';
import { f80 } from './format.ts';
import { invalid, isNan, noteDenormal, propagate } from './nan.ts';
import type { Real } from './real.ts';
import { bitLength, Kind, zero } from './real.ts';
import { round } from './round.ts';

/** Outcome of a step of FPREM or FPREM1: `partial`: not finished yet, the step must be repeated. */
export interface Remainder {
  readonly result: Real;
  /** The low three bits of the quotient. */
  readonly quotient: number;
  readonly partial: boolean;
}

const done = (result: Real, quotient = 0): Remainder => ({ result, quotient, partial: false });

/**
 * Remainder of a / b, exact; the quotient is truncated (FPREM) or the nearest even one (FPREM1, IEEE 754): SDM Vol. 2. Quotients of 2^64 and more take
 * several steps; how much one step does is the processor's own (32 to 63 bits).
 */
export function remainder(env: FloatEnvironment, a: Real, b: Real, nearest: boolean): Remainder {
  env.roundedUp = false;
  if (isNan(a) || isNan(b)) return done(propagate(env, a, b));
  if (a.kind === Kind.infinity || b.kind === Kind.zero) return done(invalid(env));
  noteDenormal(env, a, b);
  if (a.kind === Kind.zero || b.kind === Kind.infinity || env.stopped)
    return done(a.kind === Kind.finite ? exact(env, a.sign, a.exponent, a.significand) : a);

  const distance = a.exponent - b.exponent;
  if (distance < -1) return done(exact(env, a.sign, a.exponent, a.significand));
  if (distance >= 64) {
    const step = (distance & 31) | 32;
    const rest = (a.significand << BigInt(step)) % b.significand;
    const low = a.exponent - step - 63;
    return { result: rest === 0n ? zero(a.sign) : whole(env, a.sign, low, rest), quotient: 0, partial: true };
  }
  // Both in units of b's last bit, or half of it.
  const shift = distance < 0 ? 1n : 0n;
  const numerator = distance < 0 ? a.significand : a.significand << BigInt(distance);
  const denominator = b.significand << shift;
  let quotient = numerator / denominator;
  let rest = numerator - quotient * denominator;
  let { sign } = a;
  if (nearest) {
    const twice = rest * 2n;
    if (twice > denominator || (twice === denominator && (quotient & 1n) === 1n)) {
      quotient++;
      rest = denominator - rest;
      sign ^= 1;
    }
  }
  const low = (distance < 0 ? a.exponent : b.exponent) - 63;
  return done(rest === 0n ? zero(a.sign) : whole(env, sign, low, rest), Number(quotient & 7n));
}

function whole(env: FloatEnvironment, sign: number, low: number, bits: bigint): Real {
  const width = bitLength(bits);
  return round(f80, env, sign, low + width - 1, bits, width, 64);
}

/** A remainder that is the dividend itself: it may be tiny, which raises UE if that is not masked. */
function exact(env: FloatEnvironment, sign: number, exponent: number, significand: bigint): Real {
  return round(f80, env, sign, exponent, significand, 64, 64);
}
