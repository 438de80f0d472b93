/**
 * Single and double precision by the host's own arithmetic, where that is known to be right: round to nearest, operands and result
 * normal and well inside the exponent range. The error of an operation is computed exactly (error-free transformations: Dekker 1971,
 * Knuth TAOCP 2, 4.2.2), so PE is too. Functions return NaN for "use the exact path"; `inexact` holds PE for the others.
 */

/** Of the last operation that was done here: 0, or 32 (`Exception.PE`). */
export let inexact = 0;
const PE = 32;

/** Doubles: between these, no step of an error-free transformation overflows or underflows. */
const LOW = 2 ** -480;
const HIGH = 2 ** 480;
const inside = (a: number): boolean => {
  const m = Math.abs(a);
  return m >= LOW && m <= HIGH;
};
const TO_EXACT = NaN;

/** The part of a product that rounding lost: Veltkamp's split and Dekker's product. */
function productError(a: number, b: number, product: number): number {
  const s = a * 134217729;
  const ah = s - (s - a);
  const al = a - ah;
  const t = b * 134217729;
  const bh = t - (t - b);
  const bl = b - bh;
  return al * bl - (product - ah * bh - al * bh - ah * bl);
}

/** The part of a sum that rounding lost: Knuth's two-sum. */
function sumError(a: number, b: number, sum: number): number {
  const bb = sum - a;
  return a - (sum - bb) + (b - bb);
}

export function add64(a: number, b: number): number {
  const sum = a + b;
  // An exact zero has a sign that depends on more; the exact path knows.
  if (!(inside(a) && inside(b) && inside(sum))) return TO_EXACT;
  inexact = sumError(a, b, sum) === 0 ? 0 : PE;
  return sum;
}

export function mul64(a: number, b: number): number {
  const product = a * b;
  if (!(inside(a) && inside(b) && inside(product))) return TO_EXACT;
  inexact = productError(a, b, product) === 0 ? 0 : PE;
  return product;
}

export function div64(a: number, b: number): number {
  const quotient = a / b;
  if (!(inside(a) && inside(b) && inside(quotient))) return TO_EXACT;
  const back = quotient * b;
  inexact = back === a && productError(quotient, b, back) === 0 ? 0 : PE;
  return quotient;
}

export function sqrt64(a: number): number {
  if (!(a >= LOW && a <= HIGH)) return TO_EXACT;
  const root = Math.sqrt(a);
  const back = root * root;
  inexact = back === a && productError(root, root, back) === 0 ? 0 : PE;
  return root;
}

/** Singles, computed in double precision: 53 bits are enough that rounding twice is rounding once (Figueroa 1995). */
const LOWEST_SINGLE = 2 ** -126;
const HIGHEST_SINGLE = 2 ** 127;
const insideSingle = (a: number): boolean => {
  const m = Math.abs(a);
  return m >= LOWEST_SINGLE && m < HIGHEST_SINGLE;
};

function single(wide: number, exact: boolean): number {
  const result = Math.fround(wide);
  // A tiny result may round up to the lowest normal one: the exact path decides.
  if (!(Math.abs(wide) >= LOWEST_SINGLE && insideSingle(result))) return TO_EXACT;
  inexact = exact && result === wide ? 0 : PE;
  return result;
}

export function add32(a: number, b: number): number {
  if (!(insideSingle(a) && insideSingle(b))) return TO_EXACT;
  const sum = a + b;
  return single(sum, sumError(a, b, sum) === 0);
}

export function mul32(a: number, b: number): number {
  return insideSingle(a) && insideSingle(b) ? single(a * b, true) : TO_EXACT;
}

export function div32(a: number, b: number): number {
  if (!(insideSingle(a) && insideSingle(b))) return TO_EXACT;
  const quotient = a / b;
  // A quotient that is a single times the divisor needs 48 bits: the product is exact.
  return single(quotient, Math.fround(quotient) * b === a);
}

export function sqrt32(a: number): number {
  if (!(a >= LOWEST_SINGLE && a < HIGHEST_SINGLE)) return TO_EXACT;
  const root = Math.sqrt(a);
  return single(root, Math.fround(root) ** 2 === a);
}
