import type { FloatEnvironment } from './environment.ts';
import { Exception, Rounding } from './environment.ts';
import type { Format } from './format.ts';
import { invalid, isNan, noteDenormal, propagate, propagate1 } from './nan.ts';
import type { Real } from './real.ts';
import { bitLength, indefinite, infinity, Kind, quieted, withSign, zero } from './real.ts';
import { round } from './round.ts';

/**
 * Arithmetic, rounded once to a format: SDM Vol. 1, 4.8.4; operands of any format. Special cases come in the order of table 4-11:
 * NaNs, invalid operations, division by zero, denormal operands, the result.
 */

/** Operands further apart than this differ by a sticky bit only: more than any significand and its guard bits. */
const FAR = 67;

/** The sign of an exact zero sum of unlike signs: SDM Vol. 1, 4.8.3.1. */
const zeroSumSign = (env: FloatEnvironment): number => (env.rounding === Rounding.down ? 1 : 0);

export function add(f: Format, env: FloatEnvironment, a: Real, b: Real): Real {
  return sum(f, env, a, b, b.sign);
}

export function sub(f: Format, env: FloatEnvironment, a: Real, b: Real): Real {
  return sum(f, env, a, b, b.sign ^ 1);
}

/** a plus b with another sign; NaNs keep theirs. */
function sum(f: Format, env: FloatEnvironment, a: Real, b: Real, bSign: number): Real {
  env.roundedUp = false;
  if (isNan(a) || isNan(b)) return propagate(env, a, b);
  if (a.kind === Kind.infinity && b.kind === Kind.infinity) return a.sign === bSign ? a : invalid(env);
  noteDenormal(env, a, b);
  if (a.kind === Kind.infinity) return a;
  if (b.kind === Kind.infinity) return withSign(b, bSign);
  if (b.kind === Kind.zero) {
    if (a.kind === Kind.zero) return a.sign === bSign ? a : zero(zeroSumSign(env));
    return round(f, env, a.sign, a.exponent, a.significand, 64);
  }
  if (a.kind === Kind.zero) return round(f, env, bSign, b.exponent, b.significand, 64);
  return sumOf(f, env, a.sign, a.exponent - 63, a.significand, bSign, b.exponent - 63, b.significand);
}

/** Sum of two nonzero numbers significand * 2^exponent, of any length. */
function sumOf(f: Format, env: FloatEnvironment, aSign: number, aLow: number, aBits: bigint, bSign: number, bLow: number, bBits: bigint): Real {
  if (aLow < bLow) return sumOf(f, env, bSign, bLow, bBits, aSign, aLow, aBits);
  let low = bLow;
  let distance = aLow - bLow;
  let small = bBits;
  const limit = FAR + 2 * 64;
  if (distance > limit) {
    // b lies below all bits that count: any one bit there says the same.
    low = aLow - FAR;
    distance = FAR;
    small = 1n;
  }
  const big = aBits << BigInt(distance);
  if (aSign === bSign) return rounded(f, env, aSign, low, big + small);
  const difference = big - small;
  if (difference === 0n) return zero(zeroSumSign(env));
  return difference > 0n ? rounded(f, env, aSign, low, difference) : rounded(f, env, bSign, low, -difference);
}

function rounded(f: Format, env: FloatEnvironment, sign: number, low: number, significand: bigint): Real {
  const width = bitLength(significand);
  return round(f, env, sign, low + width - 1, significand, width);
}

export function mul(f: Format, env: FloatEnvironment, a: Real, b: Real): Real {
  env.roundedUp = false;
  if (isNan(a) || isNan(b)) return propagate(env, a, b);
  const sign = a.sign ^ b.sign;
  if (a.kind === Kind.infinity || b.kind === Kind.infinity) {
    if (a.kind === Kind.zero || b.kind === Kind.zero) return invalid(env);
    noteDenormal(env, a, b);
    return infinity(sign);
  }
  noteDenormal(env, a, b);
  if (a.kind === Kind.zero || b.kind === Kind.zero) return zero(sign);
  const product = a.significand * b.significand;
  const carry = Number(product >> 127n);
  return round(f, env, sign, a.exponent + b.exponent + carry, product, 127 + carry);
}

export function div(f: Format, env: FloatEnvironment, a: Real, b: Real): Real {
  env.roundedUp = false;
  if (isNan(a) || isNan(b)) return propagate(env, a, b);
  const sign = a.sign ^ b.sign;
  if (a.kind === Kind.infinity) {
    if (b.kind === Kind.infinity) return invalid(env);
    noteDenormal(env, b);
    return infinity(sign);
  }
  if (b.kind === Kind.zero) {
    if (a.kind === Kind.zero) return invalid(env);
    env.flags |= Exception.ZE;
    return infinity(sign);
  }
  noteDenormal(env, a, b);
  if (a.kind === Kind.zero || b.kind === Kind.infinity) return zero(sign);
  const numerator = a.significand << 67n;
  let quotient = numerator / b.significand;
  if (quotient * b.significand !== numerator) quotient |= 1n;
  // Of 67 bits or 68; the lowest is sticky.
  const carry = Number(quotient >> 67n);
  return round(f, env, sign, a.exponent - b.exponent - 1 + carry, quotient, 67 + carry);
}

export function sqrt(f: Format, env: FloatEnvironment, a: Real): Real {
  env.roundedUp = false;
  if (isNan(a)) return propagate1(env, a);
  if (a.kind === Kind.zero) return a;
  if (a.sign === 1) return invalid(env);
  noteDenormal(env, a);
  if (a.kind === Kind.infinity) return a;
  const odd = a.exponent & 1;
  const square = a.significand << BigInt(71 + odd);
  let root = integerSqrt(square);
  if (root * root !== square) root |= 1n;
  // 135 or 136 bits have a root of 68; here the lowest is sticky.
  return round(f, env, 0, (a.exponent - odd) / 2, root, 68);
}

/** Floor of the square root of a number between 2^100 and 2^200. */
function integerSqrt(n: bigint): bigint {
  const estimate = BigInt(Math.floor(Math.sqrt(Number(n))));
  let root = (estimate + n / estimate) >> 1n;
  while (root * root > n) root--;
  while ((root + 1n) * (root + 1n) <= n) root++;
  return root;
}

/** How a fused multiply-add takes its product and its addend: SDM Vol. 1, 14.5. */
export interface FusedSigns {
  readonly negateProduct: boolean;
  readonly negateAddend: boolean;
}
export const plain: FusedSigns = { negateProduct: false, negateAddend: false };

/**
 * (a * b) + c, rounded once. The first NaN of a, b, c is the result (SDM Vol. 1, 14.5.2); which operand of a VFMADD form is which, the caller
 * knows.
 */
export function fma(f: Format, env: FloatEnvironment, a: Real, b: Real, c: Real, signs: FusedSigns = plain): Real {
  env.roundedUp = false;
  const sign = a.sign ^ b.sign ^ Number(signs.negateProduct);
  const cSign = c.sign ^ Number(signs.negateAddend);
  if (isNan(a) || isNan(b) || isNan(c)) {
    for (const x of [a, b, c]) if (x.kind > Kind.quiet) env.flags |= Exception.IE;
    return quieted(isNan(a) ? a : isNan(b) ? b : c);
  }
  const infinite = a.kind === Kind.infinity || b.kind === Kind.infinity;
  const none = a.kind === Kind.zero || b.kind === Kind.zero;
  if (infinite && (none || (c.kind === Kind.infinity && sign !== cSign))) {
    env.flags |= Exception.IE;
    return indefinite;
  }
  noteDenormal(env, a, b);
  noteDenormal(env, c);
  if (infinite) return infinity(sign);
  if (c.kind === Kind.infinity) return withSign(c, cSign);
  if (none) {
    if (c.kind === Kind.zero) return zero(sign === cSign ? sign : zeroSumSign(env));
    return round(f, env, cSign, c.exponent, c.significand, 64);
  }
  const product = a.significand * b.significand;
  const low = a.exponent + b.exponent - 126;
  if (c.kind === Kind.zero) return rounded(f, env, sign, low, product);
  return sumOf(f, env, sign, low, product, cSign, c.exponent - 63, c.significand);
}
