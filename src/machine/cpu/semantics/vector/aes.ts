import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { immediate, lanewise, unary } from './operands.ts';
import { i8x16, lanesConst, shuffle, v128, v128Const, zero } from './simd.ts';

/** AES new instructions: SDM Vol. 1, 12.13; FIPS 197. */

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(a: number, b: number): number {
  let r = 0;
  for (let n = a, k = b; k !== 0; k >>= 1, n = (n << 1) ^ (n & 0x80 ? 0x11b : 0)) if (k & 1) r ^= n;
  return r & 0xff;
}

/** FIPS 197, 5.1.1: the inverse, then an affine map. */
function substitute(x: number): number {
  let inverse = x;
  for (let n = 0; n < 6; n++) inverse = multiply(multiply(inverse, inverse), x); // x^127
  inverse = multiply(inverse, inverse);
  let r = 0x63;
  for (let n = 0; n < 5; n++) r ^= ((inverse << n) | (inverse >> (8 - n))) & 0xff;
  return r;
}

const SBOX = Array.from({ length: 256 }, (_, x) => substitute(x));
const INVERSE_SBOX = Array.from({ length: 256 }, (_, x) => SBOX.indexOf(x));

/** A table of 256 bytes as sixteen swizzles: each gives zero for numbers outside its row. */
function lookUp(m: Emitter, table: readonly number[], a: Value): Value {
  let r: Value = i8x16.swizzle(v128Const(table.slice(0, 16)), a);
  for (let row = 1; row < 16; row++)
    r = v128.or(r, i8x16.swizzle(v128Const(table.slice(row * 16, row * 16 + 16)), i8x16.sub(a, lanesConst(8, [row * 16]))));
  return m.let(r);
}

/** Byte n of the state is row n % 4, column n / 4. Row r moves r columns to the left, or back. */
const rowsShifted = (direction: 1 | -1): number[] => Array.from({ length: 16 }, (_, n) => (n & 3) + 4 * (((n >> 2) + direction * (n & 3) + 4) & 3));
const SHIFT_ROWS = rowsShifted(1);
const INVERSE_SHIFT_ROWS = rowsShifted(-1);
const rotated = (a: Value, by: number): Value =>
  shuffle(
    a,
    a,
    Array.from({ length: 16 }, (_, n) => (n & 12) | ((n + by) & 3)),
  );

const double = (m: Emitter, a: Value): Value => m.let(v128.xor(i8x16.add(a, a), v128.and(i8x16.shrS(a, w.i32(7)), lanesConst(8, [0x1b]))));

/** FIPS 197, 5.1.3: 2, 3, 1, 1. */
function mixColumns(m: Emitter, a: Value): Value {
  const twice = double(m, a);
  const thrice = m.let(v128.xor(twice, a));
  return v128.xor(v128.xor(twice, rotated(thrice, 1)), v128.xor(rotated(a, 2), rotated(a, 3)));
}

/** FIPS 197, 5.3.3: 14, 11, 13, 9, as mixing after the factors 5, 0, 4, 0. */
function inverseMixColumns(m: Emitter, a: Value): Value {
  const fourTimes = double(m, double(m, a));
  return mixColumns(m, m.let(v128.xor(v128.xor(a, fourTimes), rotated(fourTimes, 2))));
}

const shiftRows = (m: Emitter, a: Value, bytes: readonly number[]): Value => m.let(shuffle(a, a, bytes));

export const aes: SemanticsTable = {
  aesenc: lanewise((m, a, key) => v128.xor(mixColumns(m, shiftRows(m, lookUp(m, SBOX, a), SHIFT_ROWS)), key)),
  aesenclast: lanewise((m, a, key) => v128.xor(shiftRows(m, lookUp(m, SBOX, a), SHIFT_ROWS), key)),
  aesdec: lanewise((m, a, key) => v128.xor(inverseMixColumns(m, shiftRows(m, lookUp(m, INVERSE_SBOX, a), INVERSE_SHIFT_ROWS)), key)),
  aesdeclast: lanewise((m, a, key) => v128.xor(shiftRows(m, lookUp(m, INVERSE_SBOX, a), INVERSE_SHIFT_ROWS), key)),
  aesimc: unary((m, a) => inverseMixColumns(m, a)),
  // Words 1 and 3: substituted, and substituted, rotated and changed by the round constant.
  aeskeygenassist: unary((m, a) => {
    const s = lookUp(m, SBOX, a);
    const words = shuffle(s, zero, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
    const constant = v128.and(i8x16.splat(immediate(m)), lanesConst(64, [0xff_0000_0000n]));
    return v128.xor(words, constant);
  }),
};
