import type { FloatEnvironment } from './environment.ts';
import { Exception, Rounding } from './environment.ts';
import type { Format } from './format.ts';
import { f80 } from './format.ts';
import type { Real } from './real.ts';
import { bitLength, finite, infinity, Kind, zero } from './real.ts';

/** Added to or taken from the exponent of an x87 result whose underflow or overflow is not masked: SDM Vol. 1, 8.5.4 and 8.5.5. */
const WRAP = 24576;

/**
 * Whether to round away from zero, by the bits that are dropped: `rest` compared with `half`.
 * @param odd the last bit that is kept
 */
export function roundsUp(rounding: number, sign: number, odd: boolean, rest: bigint, half: bigint): boolean {
  if (rest === 0n) return false;
  switch (rounding) {
    case Rounding.nearest:
      return rest > half || (rest === half && odd);
    case Rounding.down:
      return sign === 1;
    case Rounding.up:
      return sign === 0;
    default:
      return false;
  }
}

const ones = (bits: number): bigint => ((1n << BigInt(bits)) - 1n) << BigInt(64 - bits);

/**
 * Rounds an exact result to a format once and raises what that calls for: SDM Vol. 1, 4.8.4 and 4.9.1.4 to 4.9.1.6. Whether a result
 * is tiny is decided after rounding, as SSE and x87 do.
 * @param exponent of the significand's highest bit
 * @param precision significant bits of the result: the precision control's for most x87 results
 * @param significand of exactly `width` bits; its lowest bit may stand for whatever lies below it (sticky), if that is below all bits kept
 */
export function round(
  f: Format,
  env: FloatEnvironment,
  sign: number,
  exponent: number,
  significand: bigint,
  width: number,
  precision = f.explicitInteger ? env.precision : f.precision,
): Real {
  env.roundedUp = false;
  if (env.stopped) return zero(sign);
  const { rounding, masks } = env;

  let kept = significand;
  let top = exponent;
  let inexact = false;
  let up = false;
  const drop = width - precision;
  if (drop > 0) {
    const shift = BigInt(drop);
    kept = significand >> shift;
    const rest = significand ^ (kept << shift);
    inexact = rest !== 0n;
    up = inexact && roundsUp(rounding, sign, (kept & 1n) === 1n, rest, 1n << (shift - 1n));
    if (up) {
      kept++;
      if (kept >> BigInt(precision) !== 0n) {
        kept >>= 1n;
        top++;
      }
    }
    kept <<= BigInt(64 - precision);
  } else kept = significand << BigInt(64 - width);

  if (top > f.maxExponent) return overflow(f, env, sign, top, kept, precision, inexact, up);
  if (top < f.minExponent) {
    if ((masks & Exception.UE) === 0) {
      env.flags |= Exception.UE | (inexact ? Exception.PE : 0);
      env.roundedUp = up;
      if (!env.x87) return finite(sign, top, kept);
      if (top + WRAP >= f80.minExponent) return finite(sign, top + WRAP, kept);
      // Far below, as FSCALE may come, even the adjusted exponent is out of range: SDM Vol. 2, FSCALE.
      env.flags |= Exception.PE;
      return zero(sign);
    }
    if (env.ftz) {
      env.flags |= Exception.UE | Exception.PE;
      return zero(sign);
    }
    return denormal(f, env, sign, exponent, significand, width, precision);
  }
  if (inexact) {
    env.flags |= Exception.PE;
    env.roundedUp = up;
  }
  return finite(sign, top, kept);
}

function overflow(f: Format, env: FloatEnvironment, sign: number, top: number, kept: bigint, precision: number, inexact: boolean, up: boolean): Real {
  if ((env.masks & Exception.OE) === 0) {
    env.flags |= Exception.OE | (inexact ? Exception.PE : 0);
    env.roundedUp = up;
    if (top - WRAP <= f80.maxExponent) return finite(sign, top - WRAP, kept);
  }
  env.flags |= Exception.OE | Exception.PE;
  const { rounding } = env;
  env.roundedUp = rounding === Rounding.nearest || rounding === (sign === 1 ? Rounding.down : Rounding.up);
  return env.roundedUp ? infinity(sign) : finite(sign, f.maxExponent, ones(precision));
}

/** A tiny result, underflow masked: its last bit is that of the smallest normal number. UE only if that loses something. */
function denormal(f: Format, env: FloatEnvironment, sign: number, exponent: number, significand: bigint, width: number, precision: number): Real {
  const shift = width - precision + (f.minExponent - exponent);
  let kept: bigint;
  let rest = 0n;
  if (shift > width + 1) {
    kept = 0n;
    rest = 1n;
  } else if (shift > 0) {
    kept = significand >> BigInt(shift);
    rest = significand ^ (kept << BigInt(shift));
  } else kept = significand << BigInt(-shift);
  if (rest !== 0n) {
    env.flags |= Exception.UE | Exception.PE;
    const half = shift > width + 1 ? 2n : 1n << BigInt(shift - 1);
    if (roundsUp(env.rounding, sign, (kept & 1n) === 1n, rest, half)) {
      kept++;
      env.roundedUp = true;
    }
  }
  if (kept === 0n) return zero(sign);
  const bits = bitLength(kept);
  const top = f.minExponent - precision + bits;
  return { kind: Kind.finite, sign, exponent: top, significand: kept << BigInt(64 - bits), denormal: top < f.minExponent };
}
