import type { Cpu } from '../cpu.ts';
import type { Wide } from '../float/elementary.ts';
import { atan, cos, exp2m1, log2, log2p1, negative, pi, product, reduce, roundWide, sin, sum, tan, wideOf } from '../float/elementary.ts';
import { order } from '../float/compare.ts';
import type { FloatEnvironment } from '../float/environment.ts';
import { Exception } from '../float/environment.ts';
import { invalid, isNan, noteDenormal, propagate, propagate1 } from '../float/nan.ts';
import type { Real } from '../float/real.ts';
import { finite, indefinite, infinity, Kind, withSign, zero } from '../float/real.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { unary } from './arithmetic.ts';
import * as L from '../layout.ts';
import { Status } from './state.ts';
import { cannotReplaceAndPush, clearC1, clearC2, computing, decrementTop, env, isStEmpty, pop, setSt, settle, st, stackFault } from './unit.ts';

/** Transcendental functions: SDM Vol. 1, 8.3.7 to 8.3.10; special operands by the tables of each instruction in Vol. 2. */

const ONE = finite(0, 0, 1n << 63n);
/** FSIN and the others take arguments below 2^63; others set C2 and stay. */
const LIMIT_EXPONENT = 63;

function f2xm1(e: FloatEnvironment, a: Real): Real {
  e.roundedUp = false;
  if (isNan(a)) return propagate1(e, a);
  if (a.kind === Kind.infinity) return a.sign === 1 ? withSign(ONE, 1) : a;
  noteDenormal(e, a);
  if (a.kind === Kind.zero) return a;
  if (a.exponent >= 0) {
    e.flags |= Exception.PE;
    // Outside of -1 to 1 the result is undefined: the operand, as on processors.
    return a.exponent === 0 && a.sign === 1 && a.significand === ONE.significand ? finite(1, -1, a.significand) : a;
  }
  return roundWide(e, exp2m1(wideOf(a)));
}

/** y * log2(x): SDM Vol. 2, table 3-60. */
function yl2x(e: FloatEnvironment, x: Real, y: Real): Real {
  e.roundedUp = false;
  if (isNan(x) || isNan(y)) return propagate(e, x, y);
  if (x.sign === 1 && x.kind !== Kind.zero) return invalid(e);
  const isOne = x.kind === Kind.finite && x.exponent === 0 && x.significand === ONE.significand;
  if (x.kind === Kind.zero) {
    if (y.kind === Kind.zero) return invalid(e);
    if (y.kind !== Kind.infinity) e.flags |= Exception.ZE;
    return infinity(y.sign ^ 1);
  }
  if (x.kind === Kind.infinity) {
    if (y.kind === Kind.zero) return invalid(e);
    noteDenormal(e, y);
    return infinity(y.sign);
  }
  const below = x.exponent < 0 ? 1 : 0;
  if (y.kind === Kind.infinity) {
    if (isOne) return invalid(e);
    noteDenormal(e, x);
    return infinity(y.sign ^ below);
  }
  noteDenormal(e, x, y);
  if (isOne) return zero(y.sign);
  if (y.kind === Kind.zero) return zero(y.sign ^ below);
  // Powers of two have an exact result, and yet it counts as inexact.
  const result = roundWide(e, product(log2(wideOf(x)), wideOf(y)), x.significand === ONE.significand);
  e.flags |= result.denormal ? Exception.PE | Exception.UE : Exception.PE;
  return result;
}

/** y * log2(x + 1): SDM Vol. 2, table 3-61. */
function yl2xp1(e: FloatEnvironment, x: Real, y: Real): Real {
  e.roundedUp = false;
  if (isNan(x) || isNan(y)) return propagate(e, x, y);
  const sign = x.sign ^ y.sign;
  if (x.kind === Kind.infinity) {
    if (x.sign === 1 || y.kind === Kind.zero) return invalid(e);
    noteDenormal(e, y);
    return infinity(y.sign);
  }
  if (y.kind === Kind.infinity) {
    if (x.kind === Kind.zero) return invalid(e);
    noteDenormal(e, x);
    return infinity(sign);
  }
  noteDenormal(e, x, y);
  if (x.kind === Kind.zero || y.kind === Kind.zero) return zero(sign);
  // From -1 on the result is undefined.
  if (x.sign === 1 && x.exponent >= 0) {
    e.flags |= Exception.PE;
    return x;
  }
  e.flags |= Exception.PE;
  return roundWide(e, product(log2p1(wideOf(x)), wideOf(y)));
}

/** atan(y / x), in the quadrant of the point (x, y): SDM Vol. 2, table 3-40. */
function patan(e: FloatEnvironment, x: Real, y: Real): Real {
  e.roundedUp = false;
  if (isNan(x) || isNan(y)) return propagate(e, x, y);
  noteDenormal(e, x, y);
  const angle = (quarters: number): Real => (quarters === 0 ? zero(y.sign) : withSign(roundWide(e, signed(pi(quarters), y.sign)), y.sign));
  if (x.kind === Kind.infinity) {
    if (y.kind === Kind.infinity) return angle(x.sign === 1 ? 3 : 1);
    return angle(x.sign === 1 ? 4 : 0);
  }
  if (y.kind === Kind.infinity) return angle(2);
  if (y.kind === Kind.zero) return angle(x.sign === 1 ? 4 : 0);
  if (x.kind === Kind.zero) return angle(2);
  return roundWide(e, signed(angleOf(wideOf(withSign(x, 0)), wideOf(withSign(y, 0)), x.sign === 1, x, y), y.sign));
}

const signed = (v: Wide, sign: number): Wide => (sign === 1 ? negative(v) : v);

/** The angle of a point with y > 0, given the magnitudes. */
function angleOf(x: Wide, y: Wide, left: boolean, xReal: Real, yReal: Real): Wide {
  const steep = order(withSign(yReal, 0), withSign(xReal, 0)) === 'greater';
  const small = steep ? atan(x, y) : atan(y, x);
  if (steep) return left ? sum(pi(2), small) : sum(pi(2), negative(small));
  return left ? sum(pi(4), negative(small)) : small;
}

/** FPATAN, FYL2X, FYL2XP1: ST(1) = f(ST(0), ST(1)), then a pop. */
const toSt1 = (f: (e: FloatEnvironment, x: Real, y: Real) => Real): Helper =>
  computing((cpu) => {
    if (isStEmpty(cpu, 0) || isStEmpty(cpu, 1)) {
      if (!stackFault(cpu, 'underflow')) return;
      setSt(cpu, 1, indefinite);
    } else {
      const result = f(env, st(cpu, 0), st(cpu, 1));
      if (!settle(cpu)) return;
      setSt(cpu, 1, result);
    }
    pop(cpu);
  });

/** An argument of FSIN and its like: undefined when it is out of range. */
const inRange = (a: Real): boolean => a.kind !== Kind.finite || a.exponent < LIMIT_EXPONENT;

/** A trigonometric function of a number, by what it is of zero. */
function trigonometric(e: FloatEnvironment, a: Real, ofZero: (a: Real) => Real, f: (rest: Wide, quadrant: number) => Wide): Real {
  e.roundedUp = false;
  if (isNan(a)) return propagate1(e, a);
  if (a.kind === Kind.infinity) return invalid(e);
  noteDenormal(e, a);
  if (a.kind === Kind.zero) return ofZero(a);
  const { rest, quadrant } = reduce(a);
  return roundWide(e, f(rest, quadrant));
}
const sineOf = (e: FloatEnvironment, a: Real): Real => trigonometric(e, a, (z) => z, sin);
const cosineOf = (e: FloatEnvironment, a: Real): Real => trigonometric(e, a, () => ONE, cos);
const tangentOf = (e: FloatEnvironment, a: Real): Real => trigonometric(e, a, (z) => z, tan);

/** C2 says that the argument was out of range, and nothing was done. */
function outOfRange(cpu: Cpu, a: Real): boolean {
  if (inRange(a)) return false;
  clearC1(cpu);
  cpu.setU32(L.FSW, cpu.u32(L.FSW) | Status.C2);
  return true;
}

/** FSIN and FCOS. */
const replacing = (f: (e: FloatEnvironment, a: Real) => Real): Helper =>
  computing((cpu) => {
    clearC2(cpu);
    if (isStEmpty(cpu, 0)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    const a = st(cpu, 0);
    if (outOfRange(cpu, a)) return;
    const result = f(env, a);
    if (settle(cpu)) setSt(cpu, 0, result);
  });

/** FPTAN and FSINCOS: a result in place of the argument, and another one pushed. A NaN stands for both. */
const replacingAndPushing = (f: (e: FloatEnvironment, a: Real) => Real, pushed: (e: FloatEnvironment, a: Real) => Real): Helper =>
  computing((cpu) => {
    clearC2(cpu);
    if (cannotReplaceAndPush(cpu)) return;
    const a = st(cpu, 0);
    if (outOfRange(cpu, a)) return;
    const first = f(env, a);
    const second = isNan(first) ? first : pushed(env, a);
    if (!settle(cpu)) return;
    setSt(cpu, 0, first);
    decrementTop(cpu);
    setSt(cpu, 0, second);
  });

export const transcendentals: HelperTable = {
  f2xm1: unary(f2xm1),
  fyl2x: toSt1(yl2x),
  fyl2xp1: toSt1(yl2xp1),
  fpatan: toSt1(patan),
  fsin: replacing(sineOf),
  fcos: replacing(cosineOf),
  fsincos: replacingAndPushing(sineOf, cosineOf),
  fptan: replacingAndPushing(tangentOf, () => ONE),
};
