/** A binary floating-point format as data: SDM Vol. 1, 4.2.2 and table 4-3. */
export interface Format {
  readonly name: 'f16' | 'f32' | 'f64' | 'f80';
  readonly exponentBits: number;
  /** Bits of the fraction, without the integer bit. */
  readonly fractionBits: number;
  /** The integer bit is stored: only in double extended precision. */
  readonly explicitInteger: boolean;
  /** Significant bits, integer bit included. */
  readonly precision: number;
  readonly bias: number;
  /** Exponents of the smallest and largest normal numbers. */
  readonly minExponent: number;
  readonly maxExponent: number;
}

function format(name: Format['name'], exponentBits: number, fractionBits: number, explicitInteger = false): Format {
  const bias = 2 ** (exponentBits - 1) - 1;
  return { name, exponentBits, fractionBits, explicitInteger, precision: fractionBits + 1, bias, minExponent: 1 - bias, maxExponent: bias };
}

export const f16 = format('f16', 5, 10);
export const f32 = format('f32', 8, 23);
export const f64 = format('f64', 11, 52);
export const f80 = format('f80', 15, 63, true);
