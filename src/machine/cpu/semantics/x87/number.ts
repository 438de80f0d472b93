import type { Emitter } from '../../tiers/emitter.ts';
import type { Label, Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';

/**
 * Double extended numbers in WebAssembly, in the common case: normal operands and results, round to nearest, 64 bits. Everything else
 * branches to `slow`, where float/ computes it.
 */

/** Significand (i64), sign and exponent (i32, 16 bits). */
export interface Number80 {
  readonly significand: Value;
  readonly high: Value;
}

/** A result that was rounded: PE and C1 follow from the last two. */
export interface Rounded extends Number80 {
  readonly inexact: Value;
  readonly up: Value;
}

export const BIAS = 16383;
const TOP_BIT = w.i64(1n << 63n);
const LOW_HALF = w.i64(0xffff_ffffn);

const exponentOf = (a: Number80): Value => w.and(a.high, w.i32(0x7fff));
const signOf = (a: Number80): Value => w.and(a.high, w.i32(0x8000));

/** Declines what is no normal number. */
function requireNormal(m: Emitter, slow: Label, a: Number80): void {
  const integer = w.ltS(a.significand, w.i64(0));
  m.f.brIf(slow, w.or(w.eqz(integer), w.geU(w.sub(exponentOf(a), w.i32(1)), w.i32(0x7ffe))));
}

/** Rounds to the nearest even number; `rest` holds the bits after the significand, the last one sticky. */
function round(m: Emitter, slow: Label, sign: Value, exponent: Value, significand: Value, rest: Value): Rounded {
  const up = m.let(nearestUp(significand, rest));
  const sum = m.let(w.add(significand, w.unsigned64(up)));
  const carried = m.let(w.eqz(sum));
  const e = m.let(w.add(exponent, carried));
  m.f.brIf(slow, w.geU(w.sub(e, w.i32(1)), w.i32(0x7ffe)));
  return {
    significand: m.let(w.select(carried, TOP_BIT, sum)),
    high: m.let(w.or(sign, e)),
    inexact: m.let(w.ne(rest, w.i64(0))),
    up,
  };
}

/** Whether to round away from zero: more than half a unit, or half a unit and an odd number. */
function nearestUp(kept: Value, rest: Value): Value {
  const half = w.and(w.eq(rest, TOP_BIT), w.wrap(w.and(kept, w.i64(1))));
  return w.or(w.gtU(rest, TOP_BIT), half);
}

export function add(m: Emitter, slow: Label, a: Number80, b: Number80): Rounded {
  requireNormal(m, slow, a);
  requireNormal(m, slow, b);
  const [ea, eb] = [m.let(exponentOf(a)), m.let(exponentOf(b))];
  // x is the larger one, y the smaller.
  const aLarger = m.let(w.or(w.gtU(ea, eb), w.and(w.eq(ea, eb), w.geU(a.significand, b.significand))));
  const x = m.let(w.select(aLarger, a.significand, b.significand));
  const ex = m.let(w.select(aLarger, ea, eb));
  const distance = m.let(w.sub(ex, w.select(aLarger, eb, ea)));
  m.f.brIf(slow, w.gtU(distance, w.i32(63)));
  const by = w.unsigned64(distance);
  const y = m.let(w.select(aLarger, b.significand, a.significand));
  const rest = m.let(w.select(w.eqz(distance), w.i64(0), w.shl(y, w.sub(w.i64(64), by))));
  m.f.set(y, w.shrU(y, by));
  m.f.if(
    w.eq(signOf(a), signOf(b)),
    () => {
      const sum = m.let(w.add(x, y));
      m.f.if(w.ltU(sum, x), () => {
        m.f.set(rest, w.or(w.or(w.shl(sum, w.i64(63)), w.shrU(rest, w.i64(1))), w.and(rest, w.i64(1))));
        m.f.set(sum, w.or(w.shrU(sum, w.i64(1)), TOP_BIT));
        m.f.set(ex, w.add(ex, w.i32(1)));
      });
      m.f.set(x, sum);
    },
    () => {
      m.f.set(x, w.sub(w.sub(x, y), w.unsigned64(w.ne(rest, w.i64(0)))));
      m.f.set(rest, w.sub(w.i64(0), rest));
      m.f.brIf(slow, w.eqz(x));
      const shift = m.let(w.clz(x));
      m.f.if(w.ne(shift, w.i64(0)), () => {
        m.f.set(x, w.or(w.shl(x, shift), w.shrU(rest, w.sub(w.i64(64), shift))));
        m.f.set(rest, w.shl(rest, shift));
        m.f.set(ex, w.sub(ex, w.wrap(shift)));
      });
    },
  );
  return round(m, slow, m.let(w.select(aLarger, signOf(a), signOf(b))), ex, x, rest);
}

export const negated = (m: Emitter, a: Number80): Number80 => ({ significand: a.significand, high: m.let(w.xor(a.high, w.i32(0x8000))) });

export function multiply(m: Emitter, slow: Label, a: Number80, b: Number80): Rounded {
  requireNormal(m, slow, a);
  requireNormal(m, slow, b);
  const halves = (v: Value): [Local, Local] => [m.let(w.and(v, LOW_HALF)), m.let(w.shrU(v, w.i64(32)))];
  const [al, ah] = halves(a.significand);
  const [bl, bh] = halves(b.significand);
  const [p0, p1, p2] = [m.let(w.mul(al, bl)), m.let(w.mul(al, bh)), m.let(w.mul(ah, bl))];
  const middle = m.let(w.add(w.add(w.shrU(p0, w.i64(32)), w.and(p1, LOW_HALF)), w.and(p2, LOW_HALF)));
  const low = m.let(w.or(w.and(p0, LOW_HALF), w.shl(middle, w.i64(32))));
  const upper = w.add(w.add(w.shrU(p1, w.i64(32)), w.shrU(p2, w.i64(32))), w.shrU(middle, w.i64(32)));
  const high = m.let(w.add(w.mul(ah, bh), upper));
  const exponent = m.let(w.sub(w.add(exponentOf(a), exponentOf(b)), w.i32(BIAS - 1)));
  m.f.if(w.geS(high, w.i64(0)), () => {
    m.f.set(high, w.or(w.shl(high, w.i64(1)), w.shrU(low, w.i64(63))));
    m.f.set(low, w.shl(low, w.i64(1)));
    m.f.set(exponent, w.sub(exponent, w.i32(1)));
  });
  return round(m, slow, m.let(w.xor(signOf(a), signOf(b))), exponent, high, low);
}

/** Long division in two digits of 32 bits: Knuth, TAOCP 2, 4.3.1, algorithm D. */
export function divide(m: Emitter, slow: Label, a: Number80, b: Number80): Rounded {
  requireNormal(m, slow, a);
  requireNormal(m, slow, b);
  // The quotient of upper:lower, less than the divisor in its upper part, has its bit 63 set.
  const fits = m.let(w.ltU(a.significand, b.significand));
  const upper = m.let(w.select(fits, a.significand, w.shrU(a.significand, w.i64(1))));
  const lower = m.let(w.select(fits, w.i64(0), w.shl(a.significand, w.i64(63))));
  const [vh, vl] = [m.let(w.shrU(b.significand, w.i64(32))), m.let(w.and(b.significand, LOW_HALF))];
  /** One digit of (remainder * 2^32 + next) / b, and the remainder in place. */
  const digit = (remainder: Local, next: Value): Local => {
    const q = m.let(w.divU(remainder, vh));
    const r = m.let(w.sub(remainder, w.mul(q, vh)));
    const tooLarge = (): Value => w.or(w.gtU(q, LOW_HALF), w.gtU(w.mul(q, vl), w.or(w.shl(r, w.i64(32)), next)));
    // At most twice; once the rest has more than 32 bits the digit is right.
    for (let n = 0; n < 2; n++)
      m.f.if(w.and(w.leU(r, LOW_HALF), tooLarge()), () => {
        m.f.set(q, w.sub(q, w.i64(1)));
        m.f.set(r, w.add(r, vh));
      });
    m.f.set(remainder, w.sub(w.or(w.shl(remainder, w.i64(32)), next), w.mul(q, b.significand)));
    return q;
  };
  const first = digit(upper, m.let(w.shrU(lower, w.i64(32))));
  const second = digit(upper, m.let(w.and(lower, LOW_HALF)));
  const rest = m.let(w.sub(b.significand, upper));
  // The remainder as the bits after the quotient: less than half a unit, half, more.
  const tail = w.select(w.ltU(upper, rest), w.i64(1), w.select(w.eq(upper, rest), TOP_BIT, w.i64(-1)));
  const exponent = m.let(w.sub(w.sub(w.add(exponentOf(a), w.i32(BIAS)), exponentOf(b)), fits));
  const sign = m.let(w.xor(signOf(a), signOf(b)));
  const q = m.let(w.or(w.shl(first, w.i64(32)), second));
  return round(m, slow, sign, exponent, q, m.let(w.select(w.eqz(upper), w.i64(0), tail)));
}

/** A format in memory, by its widths. */
interface Narrow {
  readonly bits: 32 | 64;
  readonly fractionBits: number;
  readonly bias: number;
}
export const single: Narrow = { bits: 32, fractionBits: 23, bias: 127 };
export const double: Narrow = { bits: 64, fractionBits: 52, bias: 1023 };

/** A normal number or a zero from its bits (i64, zero-extended). */
export function widen(m: Emitter, slow: Label, f: Narrow, bits: Value): Number80 {
  const ones = 2 * f.bias + 1;
  const fraction = w.and(bits, w.i64((1n << BigInt(f.fractionBits)) - 1n));
  const top = m.let(w.wrap(w.shrU(bits, w.i64(f.fractionBits))));
  const exponent = m.let(w.and(top, w.i32(ones)));
  const zero = m.let(w.eqz(w.shl(bits, w.i64(65 - f.bits))));
  m.f.brIf(slow, w.and(w.geU(w.sub(exponent, w.i32(1)), w.i32(ones - 1)), w.eqz(zero)));
  const sign = w.shl(w.and(w.shrU(top, w.i32(f.bits - 1 - f.fractionBits)), w.i32(1)), w.i32(15));
  return {
    significand: m.let(w.select(zero, w.i64(0), w.or(TOP_BIT, w.shl(fraction, w.i64(63 - f.fractionBits))))),
    high: m.let(w.or(sign, w.select(zero, w.i32(0), w.add(exponent, w.i32(BIAS - f.bias))))),
  };
}

/** The bits (i64) of a normal number or a zero, rounded; and PE and C1. */
export function narrow(m: Emitter, slow: Label, f: Narrow, a: Number80): { readonly bits: Local; readonly inexact: Local; readonly up: Local } {
  const drop = 63 - f.fractionBits;
  const exponent = m.let(w.sub(exponentOf(a), w.i32(BIAS - f.bias)));
  const zero = m.let(w.and(w.eqz(exponentOf(a)), w.eqz(a.significand)));
  // The largest exponent is left out: rounding may leave the format's range.
  const normal = w.and(w.ltS(a.significand, w.i64(0)), w.ltU(w.sub(exponent, w.i32(1)), w.i32(2 * f.bias - 1)));
  m.f.brIf(slow, w.eqz(w.or(normal, zero)));
  const kept = m.let(w.shrU(a.significand, w.i64(drop)));
  const rest = m.let(w.shl(a.significand, w.i64(64 - drop)));
  const up = m.let(nearestUp(kept, rest));
  // The integer bit of the significand adds one to the exponent before it.
  const magnitude = w.add(w.shl(w.unsigned64(w.sub(exponent, w.i32(1))), w.i64(f.fractionBits)), w.add(kept, w.unsigned64(up)));
  const sign = w.shl(w.unsigned64(w.shrU(a.high, w.i32(15))), w.i64(f.bits - 1));
  return { bits: m.let(w.or(sign, w.select(zero, w.i64(0), magnitude))), inexact: m.let(w.ne(rest, w.i64(0))), up };
}

/** A whole number (i64, signed): exact. */
export function fromInteger(m: Emitter, v: Local): Number80 {
  const negative = m.let(w.ltS(v, w.i64(0)));
  const magnitude = m.let(w.select(negative, w.sub(w.i64(0), v), v));
  const shift = m.let(w.clz(magnitude));
  const exponent = w.or(w.shl(negative, w.i32(15)), w.sub(w.i32(BIAS + 63), w.wrap(shift)));
  return { significand: m.let(w.shl(magnitude, shift)), high: m.let(w.select(w.eqz(v), w.i32(0), exponent)) };
}

/** C0 and C3 (SDM Vol. 1, table 8-6) of two normal numbers or zeros. */
export function compare(m: Emitter, slow: Label, a: Number80, b: Number80): Value {
  for (const v of [a, b]) {
    const zero = w.and(w.eqz(exponentOf(v)), w.eqz(v.significand));
    const normal = w.and(w.ltS(v.significand, w.i64(0)), w.ltU(w.sub(exponentOf(v), w.i32(1)), w.i32(0x7ffe)));
    m.f.brIf(slow, w.eqz(w.or(zero, normal)));
  }
  const [ea, eb] = [m.let(exponentOf(a)), m.let(exponentOf(b))];
  const sameExponent = m.let(w.eq(ea, eb));
  const smaller = w.or(w.ltU(ea, eb), w.and(sameExponent, w.ltU(a.significand, b.significand)));
  const same = m.let(w.and(sameExponent, w.eq(a.significand, b.significand)));
  const bothZero = m.let(w.eqz(w.or(a.significand, b.significand)));
  const negative = m.let(w.shrU(a.high, w.i32(15)));
  const likeSigns = m.let(w.eq(signOf(a), signOf(b)));
  const larger = w.eqz(w.or(smaller, same));
  const less = w.select(likeSigns, w.select(negative, larger, smaller), negative);
  const equal = m.let(w.or(bothZero, w.and(likeSigns, same)));
  return m.let(w.select(equal, w.i32(0x4000), w.shl(less, w.i32(8))));
}
