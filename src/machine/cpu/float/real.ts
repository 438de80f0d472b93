import type { Format } from './format.ts';
import { f80 } from './format.ts';

/** What a datum is: SDM Vol. 1, 4.8.3. Everything from `quiet` on is no number. */
export const Kind = { zero: 0, finite: 1, infinity: 2, quiet: 3, signaling: 4, unsupported: 5 } as const;

/**
 * An unpacked datum. Finite: (-1)^sign * significand * 2^(exponent - 63), the significand has its bit 63 set. NaN: the significand
 * is the payload as in double extended precision (bits 63 and 62 are the integer and the quiet bit).
 */
export interface Real {
  readonly kind: number;
  readonly sign: number;
  readonly exponent: number;
  readonly significand: bigint;
  /** It was encoded as a denormal (or pseudo-denormal) number: an operand like that raises DE. */
  readonly denormal: boolean;
}

export const INTEGER_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;

export const finite = (sign: number, exponent: number, significand: bigint): Real => ({
  kind: Kind.finite,
  sign,
  exponent,
  significand,
  denormal: false,
});
export const zero = (sign: number): Real => ({ kind: Kind.zero, sign, exponent: 0, significand: 0n, denormal: false });
export const infinity = (sign: number): Real => ({ kind: Kind.infinity, sign, exponent: 0, significand: INTEGER_BIT, denormal: false });
const nan = (kind: number, sign: number, payload: bigint): Real => ({ kind, sign, exponent: 0, significand: payload, denormal: false });
/** The response to a masked invalid operation: SDM Vol. 1, 4.8.3.7. */
export const indefinite: Real = nan(Kind.quiet, 1, INTEGER_BIT | QUIET_BIT);
export const quieted = (a: Real): Real => nan(Kind.quiet, a.sign, a.significand | QUIET_BIT);
export const withSign = (a: Real, sign: number): Real => (a.sign === sign ? a : { ...a, sign });

const scratch = new DataView(new ArrayBuffer(8));

/** Bits of a positive number of at most 1,000 bits. */
export function bitLength(v: bigint): number {
  if (v < 0x1_0000_0000n) return 32 - Math.clz32(Number(v));
  // The conversion rounds: to the next power of two at most.
  scratch.setFloat64(0, Number(v));
  const n = (scratch.getUint16(0) >> 4) - 1022;
  return v >> BigInt(n - 1) === 0n ? n - 1 : n;
}

/** Makes bit 63 the highest of a positive number of at most 64 bits. */
function normalized(sign: number, exponent: number, significand: bigint): Real {
  const shift = 64 - bitLength(significand);
  return { kind: Kind.finite, sign, exponent: exponent - shift, significand: significand << BigInt(shift), denormal: true };
}

/** Double extended precision from its significand and its sign and exponent: SDM Vol. 1, table 8-3 says what is unsupported. */
export function unpack80(significand: bigint, signExponent: number): Real {
  const sign = (signExponent >> 15) & 1;
  const biased = signExponent & 0x7fff;
  const integer = significand >= INTEGER_BIT;
  if (biased === 0) return significand === 0n ? zero(sign) : normalized(sign, f80.minExponent, significand);
  if (!integer) return nan(Kind.unsupported, sign, significand);
  if (biased !== 0x7fff) return { kind: Kind.finite, sign, exponent: biased - f80.bias, significand, denormal: false };
  if (significand === INTEGER_BIT) return infinity(sign);
  return nan((significand & QUIET_BIT) !== 0n ? Kind.quiet : Kind.signaling, sign, significand);
}

/** A datum from its bits (80 of them for double extended precision). With `daz` denormal numbers are zeros. */
export function unpack(f: Format, bits: bigint, daz = false): Real {
  if (f.explicitInteger) return unpack80(BigInt.asUintN(64, bits), Number(bits >> 64n));
  const { fractionBits } = f;
  const fraction = BigInt.asUintN(fractionBits, bits) << BigInt(63 - fractionBits);
  const high = Number(bits >> BigInt(fractionBits));
  const ones = 2 ** f.exponentBits - 1;
  const biased = high & ones;
  const sign = high >> f.exponentBits;
  if (biased === 0) return fraction === 0n || daz ? zero(sign) : normalized(sign, f.minExponent, fraction);
  if (biased !== ones) return { kind: Kind.finite, sign, exponent: biased - f.bias, significand: fraction | INTEGER_BIT, denormal: false };
  if (fraction === 0n) return infinity(sign);
  return nan((fraction & QUIET_BIT) !== 0n ? Kind.quiet : Kind.signaling, sign, fraction | INTEGER_BIT);
}

/** The significand of a datum that fits double extended precision. */
export function significand80(a: Real): bigint {
  const below = f80.minExponent - a.exponent;
  return a.kind === Kind.finite && below > 0 ? a.significand >> BigInt(below) : a.significand;
}

/** Its sign and exponent. */
export function signExponent80(a: Real): number {
  const sign = a.sign << 15;
  if (a.kind === Kind.zero) return sign;
  if (a.kind !== Kind.finite) return sign | 0x7fff;
  return a.exponent < f80.minExponent ? sign : sign | (a.exponent + f80.bias);
}

/** The bits of a datum that fits the format (operations round to it). */
export function pack(f: Format, a: Real): bigint {
  if (f.explicitInteger) return (BigInt(signExponent80(a)) << 64n) | significand80(a);
  const { fractionBits } = f;
  const sign = a.sign << f.exponentBits;
  const ones = 2 ** f.exponentBits - 1;
  if (a.kind === Kind.zero) return BigInt(sign) << BigInt(fractionBits);
  if (a.kind !== Kind.finite)
    return (BigInt(sign | ones) << BigInt(fractionBits)) | ((a.significand & (INTEGER_BIT - 1n)) >> BigInt(63 - fractionBits));
  const below = f.minExponent - a.exponent;
  if (below > 0) return (BigInt(sign) << BigInt(fractionBits)) | (a.significand >> BigInt(63 - fractionBits + below));
  return (BigInt(sign | (a.exponent + f.bias)) << BigInt(fractionBits)) | ((a.significand & (INTEGER_BIT - 1n)) >> BigInt(63 - fractionBits));
}
