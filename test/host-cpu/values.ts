import type { Random } from './random.ts';

/** What a lane of a vector or an x87 register holds, by which its random values are drawn. */
export type Kind = 'int' | 'f16' | 'f32' | 'f64';

/** Widths in bits of exponent and fraction: SDM Vol. 1, table 4-2 and 4.2.2. */
interface Format {
  readonly exponent: number;
  readonly fraction: number;
}
const formats = { f16: { exponent: 5, fraction: 10 }, f32: { exponent: 8, fraction: 23 }, f64: { exponent: 11, fraction: 52 } } as const;
const X87: Format = { exponent: 15, fraction: 63 };

/** An exponent that is often an edge: zero and denormal, infinity and NaN, the limits, around 1, and where integers of some width end. */
function exponent(f: Format, random: Random): number {
  const max = 2 ** f.exponent - 1;
  const bias = max >> 1;
  const clip = (v: number): number => Math.min(Math.max(v, 0), max);
  switch (random.below(12)) {
    case 0:
      return 0;
    case 1:
      return max;
    case 2:
      return random.pick([1, 2, max - 1, max - 2]);
    case 3:
      return clip(bias + random.pick([14, 15, 16, 30, 31, 32, 62, 63, 64]));
    case 4:
      return clip(bias + f.fraction + random.below(5) - 2);
    case 5:
      return clip(bias - f.fraction + random.below(5) - 2);
    case 6:
      return clip(f.fraction + random.below(5) - 2); // products and differences that become denormal
    case 7:
      return random.below(max + 1);
    default:
      return clip(bias + random.below(9) - 4);
  }
}

/** The high and low words of a fraction of up to 63 bits. */
function fraction(bits: number, random: Random): { readonly high: number; readonly low: number } {
  const highBits = Math.max(bits - 32, 0);
  const trim = (high: number, low: number): { high: number; low: number } => ({
    high: highBits === 0 ? 0 : (high & (2 ** highBits - 1)) >>> 0,
    low: bits >= 32 ? low >>> 0 : (low & (2 ** bits - 1)) >>> 0,
  });
  const single = (n: number): { high: number; low: number } => (n >= 32 ? trim(1 << (n - 32), 0) : trim(0, 1 << n));
  switch (random.below(8)) {
    case 0:
      return { high: 0, low: 0 };
    case 1:
      return trim(-1, -1 << random.below(3));
    case 2:
      return single(random.below(bits));
    case 3:
      return single(bits - 1);
    case 4:
      return trim(0, random.below(4));
    case 5: // few bits, so that results are exact
      return bits > 32 ? trim(random.u32() << (highBits > 4 ? highBits - 4 : 0), 0) : trim(0, random.u32() << (bits > 4 ? bits - 4 : 0));
    default:
      return trim(random.u32(), random.u32());
  }
}

function putFloat(view: DataView, at: number, kind: 'f16' | 'f32' | 'f64', random: Random): void {
  const f = formats[kind];
  const e = exponent(f, random);
  const { high, low } = fraction(f.fraction, random);
  const sign = random.below(2);
  if (kind === 'f16') view.setUint16(at, (sign << 15) | (e << 10) | low, true);
  else if (kind === 'f32') view.setUint32(at, ((sign << 31) | (e << 23) | low) >>> 0, true);
  else {
    view.setUint32(at, low, true);
    view.setUint32(at + 4, ((sign << 31) | (e << 20) | high) >>> 0, true);
  }
}

const BYTES = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x81] as const;
const WORDS = [0, 1, 0x7fff, 0x8000, 0xffff, 0x7f, 0x80, 0xff, 0x100, 0xff80] as const;
const DWORDS = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff, 0x8000, 0xffff, 0xffff_8000] as const;

/** Eight bytes of integers: at random, or lanes of some width at their edges. */
function putIntegers(view: DataView, at: number, random: Random): void {
  switch (random.below(7)) {
    case 0:
      for (let n = 0; n < 8; n++) view.setUint8(at + n, random.pick(BYTES));
      break;
    case 1:
      for (let n = 0; n < 8; n += 2) view.setUint16(at + n, random.pick(WORDS), true);
      break;
    case 2:
      for (let n = 0; n < 8; n += 4) view.setUint32(at + n, random.pick(DWORDS), true);
      break;
    case 3:
      view.setBigUint64(at, random.value(), true);
      break;
    default:
      view.setUint32(at, random.u32(), true);
      view.setUint32(at + 4, random.u32(), true);
  }
}

/** Fills `length` (a multiple of 8) bytes with lanes of a kind. One eight bytes in eight are something else altogether. */
export function fillLanes(bytes: Uint8Array, kind: Kind, random: Random): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const here = random.chance(8) ? random.pick(['int', 'f32', 'f64'] as const) : kind;
    if (here === 'int') putIntegers(view, at, random);
    else if (here === 'f64') putFloat(view, at, 'f64', random);
    else if (here === 'f32') for (let n = 0; n < 8; n += 4) putFloat(view, at + n, 'f32', random);
    else for (let n = 0; n < 8; n += 2) putFloat(view, at + n, 'f16', random);
  }
}

/** Ten bytes: mostly an ordinary number of the double extended format, now and then an encoding that it does not support (SDM Vol. 1, 8.2.2). */
export function putExtended(bytes: Uint8Array, at: number, random: Random): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const e = exponent(X87, random);
  const { high, low } = fraction(63, random);
  const integer = (e !== 0) !== random.chance(12) ? 0x8000_0000 : 0;
  view.setUint32(at, low, true);
  view.setUint32(at + 4, (high | integer) >>> 0, true);
  view.setUint16(at + 8, (random.below(2) << 15) | e, true);
}

/** MXCSR: mostly all masked, in any rounding mode, now and then with FTZ, DAZ and flags that are already set. SDM Vol. 1, 10.2.3. */
export function randomMxcsr(random: Random): number {
  const masks = random.chance(4) ? (random.u32() & 0x3f) << 7 : 0x1f80;
  const rounding = random.chance(2) ? random.below(4) << 13 : 0;
  return masks | rounding | (random.chance(6) ? 0x8000 : 0) | (random.chance(6) ? 0x40 : 0) | (random.chance(3) ? random.u32() & 0x3f : 0);
}

/** The x87 part of an FXSAVE image (SDM Vol. 1, 10.5.1): mostly with values in the registers that matter and all exceptions masked. `quiet`: none waits. */
export function randomX87(random: Random, mmx: boolean, quiet = false): Uint8Array {
  const image = new Uint8Array(160);
  const view = new DataView(image.buffer);
  const masks = random.chance(4) ? random.u32() & 0x3f : 0x3f;
  const precision = random.chance(3) ? random.pick([0, 2, 3]) : 3;
  view.setUint16(0, masks | 0x40 | (precision << 8) | (random.chance(2) ? random.below(4) << 10 : 0), true);
  // Flags that are set already; one that is not masked waits to be reported by the next waiting instruction.
  const flags = random.chance(3) ? random.u32() & 0x3f & (random.chance(4) && !quiet ? 0x3f : masks) : 0;
  const stackFault = random.chance(8) && (flags & 1) !== 0 ? 0x40 : 0;
  const pending = (flags & ~masks & 0x3f) !== 0 ? 0x8080 : 0;
  view.setUint16(2, flags | stackFault | pending | (random.u32() & 0x4700) | (random.below(8) << 11), true);
  image[4] = random.chance(3) ? random.u32() & 0xff : random.pick([0xff, 0xff, 0xff, 0, 0xf0]);
  for (let n = 0; n < 8; n++) {
    if (mmx) fillLanes(image.subarray(32 + n * 16, 40 + n * 16), 'int', random);
    if (mmx) view.setUint16(40 + n * 16, random.chance(2) ? 0xffff : random.u32() & 0xffff, true);
    else putExtended(image, 32 + n * 16, random);
  }
  return image;
}
