import type { Format } from '../../src/machine/cpu/float/format.ts';
import type { Random } from '../host-cpu/random.ts';

/** Operands that find mistakes: edges of all kinds, and pairs that nearly cancel or nearly tie. */
export function datum(f: Format, random: Random): bigint {
  const ones = 2 ** f.exponentBits - 1;
  const kind = random.below(24);
  const sign = random.below(2);
  const biased =
    kind < 3 ? 0 : kind < 5 ? ones : kind === 5 ? 1 : kind === 6 ? ones - 1 : kind < 14 ? f.bias + random.below(40) - 20 : random.below(ones + 1);
  return (BigInt(sign * (ones + 1) + biased) << BigInt(f.explicitInteger ? 64 : f.fractionBits)) | significand(f, random, biased);
}

function significand(f: Format, random: Random, biased: number): bigint {
  const mask = (1n << BigInt(f.fractionBits)) - 1n;
  let bits: bigint;
  switch (random.below(8)) {
    case 0:
      bits = 0n;
      break;
    case 1:
      bits = mask;
      break;
    case 2:
      bits = 1n << BigInt(random.below(f.fractionBits));
      break;
    case 3:
      bits = mask ^ (1n << BigInt(random.below(f.fractionBits)));
      break;
    case 4: // short: exact products, ties
      bits = random.u64() & mask & ~(mask >> BigInt(random.below(Math.min(f.fractionBits, 12)) + 1));
      break;
    default:
      bits = random.u64() & mask;
  }
  if (!f.explicitInteger) return bits;
  // Mostly as it belongs; else unnormal, pseudo-denormal, pseudo-NaN, pseudo-infinity.
  const integer = (biased !== 0) !== random.chance(12);
  return bits | (integer ? 1n << 63n : 0n);
}

/** A second operand that has something to do with the first. */
export function partner(f: Format, random: Random, a: bigint): bigint {
  if (!random.chance(4)) return datum(f, random);
  const place = BigInt(f.explicitInteger ? 64 : f.fractionBits);
  const ones = (1n << BigInt(f.exponentBits)) - 1n;
  const biased = Number((a >> place) & ones) + random.below(5) - 2;
  if (biased < 0 || biased > Number(ones)) return a;
  const sign = BigInt(random.below(2)) << BigInt(f.exponentBits);
  return ((sign | BigInt(biased)) << place) | (random.chance(2) ? BigInt.asUintN(Number(place), a) : significand(f, random, biased));
}
