import { toInteger } from '../float/convert.ts';
import type { FloatEnvironment } from '../float/environment.ts';
import { Exception } from '../float/environment.ts';
import type { Real } from '../float/real.ts';
import { bitLength, finite, zero } from '../float/real.ts';

/** Packed BCD: 18 digits, and a sign in the top bit of the tenth byte: SDM Vol. 1, 4.7. */
const LIMIT = 10n ** 18n;
/** The packed BCD indefinite: SDM Vol. 1, table 4-4. */
const INDEFINITE = { low: 0xc000_0000_0000_0000n, high: 0xffff };

/** FBLD: digits above 9 count as they are. */
export function fromBcd(low: bigint, high: number): Real {
  const sign = (high >> 15) & 1;
  let value = 0n;
  for (const digits of [BigInt(high & 0xff), low])
    for (let shift = digits === low ? 60n : 4n; shift >= 0n; shift -= 4n) value = value * 10n + ((digits >> shift) & 15n);
  if (value === 0n) return zero(sign);
  const width = bitLength(value);
  return finite(sign, width - 1, value << BigInt(64 - width));
}

/** FBSTP: rounded to a whole number; IE when it has more than 18 digits. */
export function toBcd(env: FloatEnvironment, a: Real): { low: bigint; high: number } {
  const before = env.flags;
  const value = toInteger(env, a, 64);
  const magnitude = value < 0n ? -value : value;
  if ((env.flags & Exception.IE) !== 0 || magnitude >= LIMIT) {
    env.flags = before | Exception.IE;
    env.roundedUp = false;
    return INDEFINITE;
  }
  const text = BigInt(`0x${magnitude.toString()}`);
  return { low: BigInt.asUintN(64, text), high: Number(text >> 64n) | (a.sign << 15) };
}
