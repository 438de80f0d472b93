import type { Emitter, Width } from '../tiers/emitter.ts';
import { mask, signExtend } from '../tiers/emitter.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** Bit `width` of a sum or difference computed in a wider type: the carry or borrow of 8 and 16-bit operations. */
const carryOf = (r: Value, width: Width): Value => w.and(w.shrU(r, w.i32(width)), w.i32(1));

export function flagsAdd(m: Emitter, a: Value, b: Value, r: Value, width: Width): void {
  const cf = width >= 32 ? w.ltU(r, a) : carryOf(r, width);
  m.setFlags(signExtend(r, width), signExtend(w.xor(w.xor(a, b), r), width), cf, { kind: 'add', a, b, r, width });
}

export function flagsSub(m: Emitter, a: Value, b: Value, r: Value, width: Width): void {
  m.setFlags(signExtend(r, width), signExtend(w.xor(w.xor(a, b), r), width), w.ltU(a, b), { kind: 'sub', a, b, width });
}

/** CF = OF = 0; AF is undefined, here 0. */
export function flagsLogic(m: Emitter, r: Value, width: Width): void {
  m.setFlags(signExtend(r, width), w.i64(0), w.i32(0), { kind: 'logic', r, width });
}

/** Top bit of a value of its type. */
const top = (v: Value): Value => w.wrap(w.shrU(v, w.like(v, v.type === 'i32' ? 31 : 63)));

function flagsCarry(m: Emitter, a: Value, b: Value, r: Value, width: Width, subtract: boolean): void {
  // Carry out of the top bit: majority of the operand bits and the inverted result bit (SDM Vol. 1, 3.4.3.1).
  const x = subtract ? w.not(a) : a;
  const carry = width >= 32 ? top(w.or(w.and(x, b), w.and(w.or(x, b), subtract ? r : w.not(r)))) : carryOf(r, width);
  m.setFlags(signExtend(r, width), signExtend(w.xor(w.xor(a, b), r), width), carry);
}

type Compute = (m: Emitter, a: Value, b: Value) => Value;
type SetFlags = (m: Emitter, a: Value, b: Value, r: Value, width: Width) => void;

function binary(compute: Compute, flags: SetFlags, write: boolean): Semantics {
  return (m) => {
    const d = m.place(0, write ? 'modify' : 'read');
    const a = m.let(d.get());
    const b = m.let(m.value(1));
    const r = m.let(compute(m, a, b));
    flags(m, a, b, r, m.width);
    if (write) d.set(r);
  };
}

const carryIn = (m: Emitter): Value => (m.width === 64 ? w.unsigned64(m.cf()) : m.cf());

const incDec =
  (step: 1 | -1): Semantics =>
  (m) => {
    const d = m.place(0, 'modify');
    const a = m.let(d.get());
    const r = m.let(w.add(a, w.like(a, step)));
    const cf = m.let(m.cf());
    // CF stays; so the sign of AUX, from which OF follows as CF ^ sign, is corrected by the carry that was not taken.
    const narrow = m.let(mask(r, m.width));
    const carry = step === 1 ? w.eqz(narrow) : w.eqz(a);
    const aux = signExtend(w.xor(w.xor(a, w.like(a, 1)), r), m.width);
    const fix = w.shl(w.unsigned64(w.xor(carry, cf)), w.i64(63));
    m.setFlags(signExtend(r, m.width), w.xor(aux, fix), cf, { kind: step === 1 ? 'inc' : 'dec', r, cf, width: m.width });
    d.set(r);
  };

const flagsOf =
  (set: (m: Emitter) => Value): Semantics =>
  (m) => {
    m.setCarry(set(m));
  };

export const alu: SemanticsTable = {
  add: binary((_, a, b) => w.add(a, b), flagsAdd, true),
  sub: binary((_, a, b) => w.sub(a, b), flagsSub, true),
  cmp: binary((_, a, b) => w.sub(a, b), flagsSub, false),
  and: binary((_, a, b) => w.and(a, b), (m, _a, _b, r, width) => flagsLogic(m, r, width), true), // prettier-ignore
  or: binary((_, a, b) => w.or(a, b), (m, _a, _b, r, width) => flagsLogic(m, r, width), true), // prettier-ignore
  xor: binary((_, a, b) => w.xor(a, b), (m, _a, _b, r, width) => flagsLogic(m, r, width), true), // prettier-ignore
  test: binary((_, a, b) => w.and(a, b), (m, _a, _b, r, width) => flagsLogic(m, r, width), false), // prettier-ignore
  adc: binary((m, a, b) => w.add(w.add(a, b), carryIn(m)), (m, a, b, r, width) => flagsCarry(m, a, b, r, width, false), true), // prettier-ignore
  sbb: binary((m, a, b) => w.sub(w.sub(a, b), carryIn(m)), (m, a, b, r, width) => flagsCarry(m, a, b, r, width, true), true), // prettier-ignore
  inc: incDec(1),
  dec: incDec(-1),
  neg(m) {
    const d = m.place(0, 'modify');
    const a = m.let(d.get());
    const zero = w.like(a, 0);
    const r = m.let(w.sub(zero, a));
    flagsSub(m, zero, a, r, m.width);
    d.set(r);
  },
  not(m) {
    const d = m.place(0, 'modify');
    d.set(w.not(d.get()));
  },
  xadd(m) {
    const d = m.place(0, 'modify');
    const s = m.place(1, 'modify');
    const a = m.let(d.get());
    const b = m.let(s.get());
    const r = m.let(w.add(a, b));
    flagsAdd(m, a, b, r, m.width);
    s.set(a);
    d.set(r);
  },
  cmpxchg(m) {
    const d = m.place(0, 'modify');
    const s = m.place(1, 'read');
    const accumulator = m.register(0, m.width);
    const old = m.let(d.get());
    const expected = m.let(accumulator.get());
    const r = m.let(w.sub(expected, old));
    flagsSub(m, expected, old, r, m.width);
    const equal = m.let(w.eq(old, expected));
    const value = m.let(s.get());
    m.f.if(w.eqz(equal), () => accumulator.set(old));
    // Memory is written either way, as processors do; a register is not (its upper half would be cleared).
    if (m.isMemory(0)) d.set(w.select(equal, value, old));
    else m.f.if(equal, () => d.set(value));
  },
  clc: flagsOf(() => w.i32(0)),
  stc: flagsOf(() => w.i32(1)),
  cmc: flagsOf((m) => w.xor(m.cf(), w.i32(1))),
};
