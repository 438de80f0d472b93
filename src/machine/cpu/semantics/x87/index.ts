import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Label } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { Status } from '../../x87/state.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import type { Number80, Rounded } from './number.ts';
import { add, BIAS, compare, divide, double, fromInteger, multiply, narrow, negated, single, widen } from './number.ts';
import * as s from './stack.ts';

/** The common x87 instructions: what is not in this table is a helper in every mode. */

type Format = typeof single;
const load = (m: Emitter, f: Format, at: Value): Value => (f.bits === 64 ? m.let(w.load64(at)) : m.let(w.load32u64(at)));

// ---- data transfer

const fld = (f: Format): Semantics =>
  s.computing((m, slow, operand) => {
    const n = s.push(m, slow);
    s.pushed(m, n, widen(m, slow, f, load(m, f, operand)));
  }, { bytes: f.bits === 64 ? 8 : 4, writes: false }); // prettier-ignore

const fild = (bytes: 2 | 4 | 8): Semantics =>
  s.computing((m, slow, operand) => {
    const n = s.push(m, slow);
    const v = bytes === 8 ? w.load64(operand) : bytes === 4 ? w.load32s64(operand) : w.extend16(w.unsigned64(w.load16u(operand)));
    s.pushed(m, n, fromInteger(m, m.let(v)));
  }, { bytes, writes: false }); // prettier-ignore

const fst = (f: Format, pops: boolean): Semantics =>
  s.computing((m, slow, operand) => {
    s.requireNearest(m, slow);
    const n = s.st0(m);
    s.requireFull(m, slow, n);
    const r = narrow(m, slow, f, s.read(m, n));
    m.f.do(f.bits === 64 ? w.store64(operand, r.bits) : w.store32(operand, w.wrap(r.bits)));
    s.noteRounding(m, r);
    if (pops) s.pop(m);
  }, { bytes: f.bits === 64 ? 8 : 4, writes: true }); // prettier-ignore

const fstRegister = (pops: boolean): Semantics =>
  s.computing((m, slow) => {
    const from = s.st0(m);
    s.requireFull(m, slow, from);
    const to = s.named(m);
    s.write(m, to, s.read(m, from));
    s.setFull(m, to);
    s.setStatus(m, Status.C1);
    if (pops) s.pop(m);
  });

const constant = (v: Number80): Semantics => s.computing((m, slow) => s.pushed(m, s.push(m, slow), v));

// ---- arithmetic

type Operation = (m: Emitter, slow: Label, a: Number80, b: Number80) => Rounded;
const operations: Readonly<Record<string, Operation>> = {
  add,
  sub: (m, slow, a, b) => add(m, slow, a, negated(m, b)),
  subr: (m, slow, a, b) => add(m, slow, b, negated(m, a)),
  mul: multiply,
  div: divide,
  divr: (m, slow, a, b) => divide(m, slow, b, a),
};

const registers = (op: Operation, toSti: boolean, pops: boolean): Semantics =>
  s.computing((m, slow) => {
    s.requireExtended(m, slow);
    const [top, other] = [s.st0(m), s.named(m)];
    s.requireFull(m, slow, top);
    s.requireFull(m, slow, other);
    const [to, from] = toSti ? [other, top] : [top, other];
    const r = op(m, slow, s.read(m, to), s.read(m, from));
    s.write(m, to, r);
    s.noteRounding(m, r);
    if (pops) s.pop(m);
  });

const memory = (op: Operation, operandOf: (m: Emitter, slow: Label, at: Value) => Number80, bytes: 2 | 4 | 8): Semantics =>
  s.computing((m, slow, operand) => {
    s.requireExtended(m, slow);
    const n = s.st0(m);
    s.requireFull(m, slow, n);
    const r = op(m, slow, s.read(m, n), operandOf(m, slow, operand));
    s.write(m, n, r);
    s.noteRounding(m, r);
  }, { bytes, writes: false }); // prettier-ignore

const m32 = (m: Emitter, slow: Label, at: Value): Number80 => widen(m, slow, single, load(m, single, at));
const m64 = (m: Emitter, slow: Label, at: Value): Number80 => widen(m, slow, double, load(m, double, at));

const changeSign = (f: (high: Value) => Value): Semantics =>
  s.computing((m, slow) => {
    const n = s.st0(m);
    s.requireFull(m, slow, n);
    const v = s.read(m, n);
    s.write(m, n, { significand: v.significand, high: m.let(f(v.high)) });
    s.setStatus(m, Status.C1);
  });

// ---- comparison

const comparing = (other: (m: Emitter, slow: Label, operand: Value) => Number80, pops: number, bytes?: 4 | 8): Semantics =>
  s.computing(
    (m, slow, operand) => {
      const n = s.st0(m);
      s.requireFull(m, slow, n);
      const codes = compare(m, slow, s.read(m, n), other(m, slow, operand));
      s.setStatus(m, Status.C0 | Status.C1 | Status.C2 | Status.C3, codes);
      s.pop(m, pops);
    },
    bytes && { bytes, writes: false },
  );
const sti = (m: Emitter, slow: Label): Number80 => {
  const n = s.named(m);
  s.requireFull(m, slow, n);
  return s.read(m, n);
};
const st1 = (m: Emitter, slow: Label): Number80 => {
  const n = s.physical(m, w.i32(1));
  s.requireFull(m, slow, n);
  return s.read(m, n);
};

export const x87: SemanticsTable = {
  ...Object.fromEntries(
    Object.entries(operations).flatMap(([name, op]) => [
      [`f${name}`, registers(op, false, false)],
      [`f${name}_sti`, registers(op, true, false)],
      [`f${name}p`, registers(op, true, true)],
      [`f${name}_m32`, memory(op, m32, 4)],
      [`f${name}_m64`, memory(op, m64, 8)],
    ]),
  ),
  fld_m32: fld(single),
  fld_m64: fld(double),
  fild_m16: fild(2),
  fild_m32: fild(4),
  fild_m64: fild(8),
  fst_m32: fst(single, false),
  fst_m64: fst(double, false),
  fstp_m32: fst(single, true),
  fstp_m64: fst(double, true),
  fst: fstRegister(false),
  fstp: fstRegister(true),
  fld: s.computing((m, slow) => {
    const from = s.named(m);
    s.requireFull(m, slow, from);
    const n = s.push(m, slow);
    s.pushed(m, n, s.read(m, from));
  }),
  fxch: s.computing((m, slow) => {
    const [a, b] = [s.st0(m), s.named(m)];
    s.requireFull(m, slow, a);
    s.requireFull(m, slow, b);
    const [x, y] = [s.read(m, a), s.read(m, b)];
    s.write(m, a, y);
    s.write(m, b, x);
    s.setStatus(m, Status.C1);
  }),
  fchs: changeSign((high) => w.xor(high, w.i32(0x8000))),
  fabs: changeSign((high) => w.and(high, w.i32(0x7fff))),
  fld1: constant({ significand: w.i64(1n << 63n), high: w.i32(BIAS) }),
  fldz: constant({ significand: w.i64(0), high: w.i32(0) }),
  fcom: comparing(sti, 0),
  fcomp: comparing(sti, 1),
  fcompp: comparing(st1, 2),
  fucom: comparing(sti, 0),
  fucomp: comparing(sti, 1),
  fucompp: comparing(st1, 2),
  fcom_m32: comparing(m32, 0, 4),
  fcomp_m32: comparing(m32, 1, 4),
  fcom_m64: comparing(m64, 0, 8),
  fcomp_m64: comparing(m64, 1, 8),
  fnstsw_ax(m) {
    s.requireX87(m);
    m.register(L.GPR, 16).set(m.let(w.load32(m.c, L.FSW)));
  },
};
