import type { FloatEnvironment } from '../float/environment.ts';
import { Exception, Rounding } from '../float/environment.ts';
import { toInteger } from '../float/convert.ts';
import { f80 } from '../float/format.ts';
import { invalid, isNan, noteDenormal, propagate, propagate1 } from '../float/nan.ts';
import type { Real } from '../float/real.ts';
import { bitLength, finite, infinity, Kind, zero } from '../float/real.ts';
import { remainder } from '../float/remainder.ts';
import { round } from '../float/round.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { indefinite } from '../float/real.ts';
import { Status } from './state.ts';
import { cannotReplaceAndPush, clearC2, computing, decrementTop, env, isStEmpty, setConditions, setSt, settle, st, stackFault } from './unit.ts';

/** FSCALE, FXTRACT, FPREM and FPREM1: SDM Vol. 2. */

/** Beyond this exponents are out of range whatever they are added to. */
const HUGE = 0x1_0000;

/** a * 2^trunc(b): SDM Vol. 2, FSCALE, table 3-28. */
function scale(e: FloatEnvironment, a: Real, b: Real): Real {
  e.roundedUp = false;
  if (isNan(a) || isNan(b)) return propagate(e, a, b);
  if (b.kind === Kind.infinity) {
    if (b.sign === 0 ? a.kind === Kind.zero : a.kind === Kind.infinity) return invalid(e);
    noteDenormal(e, a);
    return b.sign === 0 ? infinity(a.sign) : zero(a.sign);
  }
  noteDenormal(e, a, b);
  if (a.kind !== Kind.finite) return a;
  const flags = e.flags;
  const by =
    b.kind === Kind.zero || b.exponent < 0 ? 0 : b.exponent > 20 ? HUGE * (b.sign === 1 ? -1 : 1) : Number(toInteger(e, b, 64, true, Rounding.zero));
  e.flags = flags;
  return round(f80, e, a.sign, a.exponent + by, a.significand, 64, 64);
}

const binary = (f: (e: FloatEnvironment, a: Real, b: Real) => Real): Helper =>
  computing((cpu) => {
    if (isStEmpty(cpu, 0) || isStEmpty(cpu, 1)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    const result = f(env, st(cpu, 0), st(cpu, 1));
    if (settle(cpu)) setSt(cpu, 0, result);
  });

/** FPREM and FPREM1: C2 says that the reduction is not complete; else C0, C3, C1 are the quotient's bits 2, 1, 0. */
const partialRemainder = (nearest: boolean): Helper =>
  computing((cpu) => {
    clearC2(cpu);
    if (isStEmpty(cpu, 0) || isStEmpty(cpu, 1)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    const { result, quotient, partial } = remainder(env, st(cpu, 0), st(cpu, 1), nearest);
    env.roundedUp = (quotient & 1) !== 0;
    if (!settle(cpu)) return;
    setSt(cpu, 0, result);
    if (isNan(result)) return;
    setConditions(cpu, (partial ? Status.C2 : 0) | (quotient & 4 ? Status.C0 : 0) | (quotient & 2 ? Status.C3 : 0));
  });

/** FXTRACT: ST(0) = exponent, then the significand is pushed. */
const fxtract = computing((cpu) => {
  if (cannotReplaceAndPush(cpu)) return;
  const { exponent, significand } = extract(env, st(cpu, 0));
  if (!settle(cpu)) return;
  setSt(cpu, 0, exponent);
  decrementTop(cpu);
  setSt(cpu, 0, significand);
});

function extract(e: FloatEnvironment, a: Real): { exponent: Real; significand: Real } {
  if (isNan(a)) {
    const result = propagate1(e, a);
    return { exponent: result, significand: result };
  }
  if (a.kind === Kind.infinity) return { exponent: infinity(0), significand: a };
  if (a.kind === Kind.zero) {
    e.flags |= Exception.ZE;
    return { exponent: infinity(1), significand: a };
  }
  noteDenormal(e, a);
  const magnitude = BigInt(Math.abs(a.exponent));
  const width = magnitude === 0n ? 0 : bitLength(magnitude);
  const exponent = width === 0 ? zero(0) : finite(a.exponent < 0 ? 1 : 0, width - 1, magnitude << BigInt(64 - width));
  return { exponent, significand: finite(a.sign, 0, a.significand) };
}

export const scaling: HelperTable = {
  fscale: binary(scale),
  fprem: partialRemainder(false),
  fprem1: partialRemainder(true),
  fxtract,
};
