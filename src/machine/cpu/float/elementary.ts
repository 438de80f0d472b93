import type { FloatEnvironment } from './environment.ts';
import { f80 } from './format.ts';
import type { Real } from './real.ts';
import { bitLength } from './real.ts';
import { round } from './round.ts';

/**
 * Elementary functions of finite numbers by series in integers, to about 120 significant bits: far more than double extended precision
 * has, so that the rounded result is the nearest but for one case in 2^50.
 */

/** bits * 2^exponent, with a sign; not normalized. */
export interface Wide {
  readonly bits: bigint;
  readonly exponent: number;
}

/** Fraction bits of the series' fixed point. */
const F = 160;
const ONE = 1n << BigInt(F);
/** More than any of these numbers has bits. */
const FAR = 512;
const FB = BigInt(F);

/** pi * 2^190 and ln 2 * 2^192, truncated. */
const PI = 0xc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74n;
const PI_EXPONENT = -190;
const LN2 = 0xb17217f7d1cf79abc9e3b39803f2f6af40f343267298b62dn;
const LN2_EXPONENT = -192;

export const wideOf = (a: Real): Wide => ({ bits: a.sign === 1 ? -a.significand : a.significand, exponent: a.exponent - 63 });
export const pi = (quarters: number): Wide => ({ bits: PI * BigInt(quarters), exponent: PI_EXPONENT - 2 });

const magnitude = (v: bigint): bigint => (v < 0n ? -v : v);
const multiply = (a: Wide, b: Wide): Wide => ({ bits: a.bits * b.bits, exponent: a.exponent + b.exponent });

export function product(a: Wide, b: Wide): Wide {
  return multiply(a, b);
}

export function sum(a: Wide, b: Wide): Wide {
  const low = Math.min(a.exponent, b.exponent);
  // What lies further below is below notice.
  if (a.exponent - low > FAR) return a;
  if (b.exponent - low > FAR) return b;
  return { bits: (a.bits << BigInt(a.exponent - low)) + (b.bits << BigInt(b.exponent - low)), exponent: low };
}

export const negative = (a: Wide): Wide => ({ bits: -a.bits, exponent: a.exponent });

/** To about 192 significant bits. */
export function quotient(a: Wide, b: Wide): Wide {
  const shift = Math.max(0, 192 + bitLength(magnitude(b.bits)) - bitLength(magnitude(a.bits)));
  return { bits: (a.bits << BigInt(shift)) / b.bits, exponent: a.exponent - b.exponent - shift };
}

/** As fixed point; what is tiny becomes zero. */
function fixed(a: Wide): bigint {
  const shift = a.exponent + F;
  if (shift >= 0) return a.bits << BigInt(shift);
  return shift < -100_000 ? 0n : a.bits >> BigInt(-shift);
}

const square = (v: bigint): bigint => (v * v) >> FB;

/** 1 + t * c1 + t^2 * c1 * c2 ...: each term is the one before times t over `divisor(n)`. */
function series(t: bigint, divisor: (n: bigint) => bigint): bigint {
  let term = ONE;
  let total = ONE;
  for (let n = 1n; ; n++) {
    term = (term * t) / (divisor(n) << FB);
    if (term === 0n) return total;
    total += term;
  }
}

/** 1 + t/3 + t^2/5 ...: arctangents of both kinds. */
function oddSeries(t: bigint): bigint {
  let power = ONE;
  let total = ONE;
  for (let n = 3n; ; n += 2n) {
    power = (power * t) >> FB;
    if (power === 0n || power === -1n) return total;
    total += power / n;
  }
}

/** 2^x - 1 for |x| <= 1. */
export function exp2m1(x: Wide): Wide {
  const y = multiply(x, { bits: LN2, exponent: LN2_EXPONENT });
  // (e^y - 1) / y = 1 + y/2 + y^2/6 ...
  return multiply(y, { bits: series(fixed(y), (n) => n + 1n), exponent: -F });
}

/** log2(1 + d / (1 - d) * 2 ...): twice the hyperbolic arctangent of z, over ln 2. */
function log2Of(z: Wide): Wide {
  const t = { bits: oddSeries(square(fixed(z))), exponent: -F + 1 };
  return quotient(multiply(z, t), { bits: LN2, exponent: LN2_EXPONENT });
}

const UNITY: Wide = { bits: 1n, exponent: 0 };
/** sqrt(2) * 2^63. */
const SQRT2 = 0xb504_f333_f9de_6484n;

/** log2(x) for a positive x that is not 1. */
export function log2(x: Wide): Wide {
  // 1/sqrt(2) < m < sqrt(2): next to 1 nothing is added to the series, whose relative error is small.
  const width = bitLength(x.bits);
  const leading = width > 64 ? x.bits >> BigInt(width - 64) : x.bits << BigInt(64 - width);
  const scale = leading > SQRT2 ? width : width - 1;
  const whole = x.exponent + scale;
  const m: Wide = { bits: x.bits, exponent: -scale };
  const difference = sum(m, negative(UNITY));
  const fraction = difference.bits === 0n ? difference : log2Of(quotient(difference, sum(m, UNITY)));
  return whole === 0 ? fraction : sum({ bits: BigInt(whole), exponent: 0 }, fraction);
}

/** log2(1 + x) for x > -1 other than 0. */
export function log2p1(x: Wide): Wide {
  const small = x.exponent + bitLength(magnitude(x.bits)) < -1;
  return small ? log2Of(quotient(x, sum(x, { bits: 2n, exponent: 0 }))) : log2(sum(x, UNITY));
}

/** pi/2 as the processor has it: 66 bits (SDM Vol. 1, 8.3.8). */
const HALF_PI_66 = 0xc90f_daa2_2168_c234_cn;
const HALF_PI_66_EXPONENT = -67;

/** x - n * pi/2, |result| <= pi/4, exact for the processor's pi; and n modulo 4. */
export function reduce(a: Real): { readonly rest: Wide; readonly quadrant: number } {
  const shift = a.exponent - 63 - HALF_PI_66_EXPONENT;
  if (shift < 0) return { rest: wideOf(a), quadrant: 0 };
  const x = a.significand << BigInt(shift);
  const n = (2n * x + HALF_PI_66) / (2n * HALF_PI_66);
  const rest = x - n * HALF_PI_66;
  const turns = Number(n & 3n);
  return { rest: { bits: a.sign === 1 ? -rest : rest, exponent: HALF_PI_66_EXPONENT }, quadrant: a.sign === 1 ? (4 - turns) & 3 : turns };
}

/** Sine and cosine of |x| <= pi/4. */
function sine(x: Wide): Wide {
  return multiply(x, { bits: series(-square(fixed(x)), (n) => 2n * n * (2n * n + 1n)) - 1n, exponent: -F });
}
function cosine(x: Wide): Wide {
  return { bits: series(-square(fixed(x)), (n) => 2n * n * (2n * n - 1n)) - 1n, exponent: -F };
}

/** sin(x + quadrant * pi/2). */
export function sin(x: Wide, quadrant: number): Wide {
  const v = (quadrant & 1) === 0 ? sine(x) : cosine(x);
  return (quadrant & 2) === 0 ? v : negative(v);
}
export const cos = (x: Wide, quadrant: number): Wide => sin(x, quadrant + 1);

export function tan(x: Wide, quadrant: number): Wide {
  return (quadrant & 1) === 0 ? quotient(sine(x), cosine(x)) : quotient(negative(cosine(x)), sine(x));
}

const STEPS = 16;
let table: readonly bigint[] | undefined;

/** atan(n / STEPS) in fixed point, from sums of small angles: atan(a) - atan(b) = atan((a - b) / (1 + ab)). */
function arctangents(): readonly bigint[] {
  if (table === undefined) {
    const angles = [0n];
    for (let n = 1; n <= STEPS; n++) {
      const a = quotient({ bits: BigInt(STEPS), exponent: 0 }, { bits: BigInt(STEPS * STEPS + n * (n - 1)), exponent: 0 });
      angles.push(angles[n - 1]! + fixed(smallAtan(a)));
    }
    table = angles;
  }
  return table;
}

const smallAtan = (u: Wide): Wide => multiply(u, { bits: oddSeries(-square(fixed(u))), exponent: -F });

/** atan(y / x) for positive x and y with y <= x. */
export function atan(y: Wide, x: Wide): Wide {
  const t = quotient(y, x);
  const n = Number((fixed(t) * BigInt(STEPS) + ONE / 2n) >> FB);
  if (n === 0) return smallAtan(t);
  // (t - c) / (1 + tc) with c = n / STEPS
  const c: Wide = { bits: BigInt(n), exponent: -4 };
  const u = quotient(sum(t, negative(c)), sum({ bits: 1n, exponent: 0 }, multiply(t, c)));
  return sum({ bits: arctangents()[n]!, exponent: -F }, u.bits === 0n ? u : smallAtan(u));
}

/** Rounds a value that is never exact in the format, or `exact` ones. */
export function roundWide(env: FloatEnvironment, v: Wide, exact = false): Real {
  const significand = exact ? magnitude(v.bits) : (magnitude(v.bits) << 1n) | 1n;
  const width = bitLength(significand);
  return round(f80, env, v.bits < 0n ? 1 : 0, v.exponent - (exact ? 0 : 1) + width - 1, significand, width, 64);
}
