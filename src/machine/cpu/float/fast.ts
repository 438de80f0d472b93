/**
 * Single and double precision by the host's own arithmetic, where that is known to be right: round to nearest, operands and result
 * normal and well inside the exponent range. The error of an operation is computed exactly (error-free transformations: Dekker 1971,
 * Knuth TAOCP 2, 4.2.2), so PE is too. Functions return NaN for "use the exact path"; `inexact` holds PE for the others.
 */

/** Of the last operation that was done here: 0, or 32 (`Exception.PE`). */
export let inexact = 0;
const PE = 32;
/** The sign of what its result lacks: of the exact value minus it. */
let lack = 0;

function note(difference: number): void {
  lack = difference;
  inexact = difference === 0 ? 0 : PE;
}

const asDouble = new Float64Array(1);
const doubleBits = new BigInt64Array(asDouble.buffer);
const asSingle = new Float32Array(1);
const singleBits = new Int32Array(asSingle.buffer);

/** Is the exact value beyond the last result, away from zero (1), toward zero (-1) or equal (0), and does the rounding mode go there? */
function step(result: number, rounding: number): number {
  if (lack === 0 || rounding === 0) return 0;
  const away = lack > 0 === result > 0;
  const upward = rounding === 3 ? result < 0 : rounding === 2;
  return lack > 0 === upward ? (away ? 1 : -1) : 0;
}

/** The last result of doubles, rounded in another mode (MXCSR.RC's encoding). Inside the range its neighbours are normal too. */
export function directed64(result: number, rounding: number): number {
  const move = step(result, rounding);
  if (move === 0) return result;
  asDouble[0] = result;
  doubleBits[0] = doubleBits[0]! + BigInt(move);
  return asDouble[0];
}

/** The same of singles: NaN where the neighbour is not normal. */
export function directed32(result: number, rounding: number): number {
  const move = step(result, rounding);
  if (move === 0) return result;
  asSingle[0] = result;
  singleBits[0] = singleBits[0]! + move;
  return insideSingle(asSingle[0]) ? asSingle[0] : TO_EXACT;
}

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
  note(sumError(a, b, sum));
  return sum;
}

export function mul64(a: number, b: number): number {
  const product = a * b;
  if (!(inside(a) && inside(b) && inside(product))) return TO_EXACT;
  note(productError(a, b, product));
  return product;
}

export function div64(a: number, b: number): number {
  const quotient = a / b;
  if (!(inside(a) && inside(b) && inside(quotient))) return TO_EXACT;
  const back = quotient * b;
  // The difference is a double, and larger than the product's error unless it is 0.
  note((a - back - productError(quotient, b, back)) * Math.sign(b));
  return quotient;
}

export function sqrt64(a: number): number {
  if (!(a >= LOW && a <= HIGH)) return TO_EXACT;
  const root = Math.sqrt(a);
  const back = root * root;
  note(a - back - productError(root, root, back));
  return root;
}

/** Singles, computed in double precision: 53 bits are enough that rounding twice is rounding once (Figueroa 1995). */
const LOWEST_SINGLE = 2 ** -126;
const HIGHEST_SINGLE = 2 ** 127;
const insideSingle = (a: number): boolean => {
  const m = Math.abs(a);
  return m >= LOWEST_SINGLE && m < HIGHEST_SINGLE;
};

/** @param rest sign of what `wide` lacks: less than the difference of a double from the next single */
function single(wide: number, rest: number): number {
  const result = Math.fround(wide);
  // A tiny result may round up to the lowest normal one: the exact path decides.
  if (!(Math.abs(wide) >= LOWEST_SINGLE && insideSingle(result))) return TO_EXACT;
  note(result === wide ? rest : wide - result);
  return result;
}

export function add32(a: number, b: number): number {
  if (!(insideSingle(a) && insideSingle(b))) return TO_EXACT;
  const sum = a + b;
  return single(sum, sumError(a, b, sum));
}

export function mul32(a: number, b: number): number {
  return insideSingle(a) && insideSingle(b) ? single(a * b, 0) : TO_EXACT;
}

export function div32(a: number, b: number): number {
  if (!(insideSingle(a) && insideSingle(b))) return TO_EXACT;
  const quotient = a / b;
  // A quotient that is a single times the divisor needs 48 bits: the product is exact.
  return single(quotient, (a - Math.fround(quotient) * b) * Math.sign(b));
}

export function sqrt32(a: number): number {
  if (!(a >= LOWEST_SINGLE && a < HIGHEST_SINGLE)) return TO_EXACT;
  const root = Math.sqrt(a);
  return single(root, a - Math.fround(root) ** 2);
}
