import { SLOW_ADDRESS } from '../layout.ts';
import type { Emitter } from '../tiers/emitter.ts';
import { signExtend } from '../tiers/emitter.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

const RAX = 0;
const RDX = 16;

/** CF = OF = `overflow`; SF, ZF, PF, AF are undefined: here as for the low half. */
function flagsMul(m: Emitter, low: Value, overflow: Value): void {
  m.setFlags(low, w.i64(0), overflow);
}

/** High 64 bits of an unsigned 64 x 64 product. */
export function mulHighU(m: Emitter, a: Value, b: Value): Value {
  const lo = (v: Value): Value => w.and(v, w.i64(0xffff_ffffn));
  const hi = (v: Value): Value => w.shrU(v, w.i64(32));
  const t = m.let(w.mul(lo(a), lo(b)));
  const u = m.let(w.add(w.mul(hi(a), lo(b)), hi(t)));
  const v = m.let(w.add(w.mul(lo(a), hi(b)), lo(u)));
  return m.let(w.add(w.add(w.mul(hi(a), hi(b)), hi(u)), hi(v)));
}

function mulHighS(m: Emitter, a: Value, b: Value): Value {
  const u = mulHighU(m, a, b);
  const fix = (x: Value, y: Value): Value => w.and(w.shrS(x, w.i64(63)), y);
  return m.let(w.sub(w.sub(u, fix(a, b)), fix(b, a)));
}

/** One-operand MUL and IMUL: (R)DX:(R)AX, AX for bytes. */
function multiply(signed: boolean): Semantics {
  return (m) => {
    const { width } = m;
    const b = m.let(m.place(0, 'read').get());
    const a = m.let(m.register(RAX, width).get());
    if (width === 64) {
      const high = signed ? mulHighS(m, a, b) : mulHighU(m, a, b);
      const low = m.let(w.mul(a, b));
      m.register(RAX, 64).set(low);
      m.register(RDX, 64).set(high);
      flagsMul(m, low, signed ? w.ne(high, w.shrS(low, w.i64(63))) : w.ne(high, w.i64(0)));
      return;
    }
    const wide = (v: Value): Value => (signed ? signExtend(v, width) : w.unsigned64(v));
    const r = m.let(w.mul(wide(a), wide(b)));
    const low = w.wrap(r);
    if (width === 8) m.register(RAX, 16).set(low);
    else {
      m.register(RAX, width).set(low);
      m.register(RDX, width).set(w.wrap(w.shrU(r, w.i64(width))));
    }
    const lowSigned = m.let(signExtend(low, width));
    const overflow = signed ? w.ne(r, lowSigned) : w.ne(w.shrU(r, w.i64(width)), w.i64(0));
    flagsMul(m, lowSigned, overflow);
  };
}

/** Two and three-operand IMUL. */
const imul: Semantics = (m) => {
  const { width } = m;
  const three = m.operands.length === 3;
  const a = m.let(three ? m.place(1, 'read').get() : m.place(0, 'read').get());
  const b = m.let(m.value(three ? 2 : 1));
  if (width === 64) {
    const high = mulHighS(m, a, b);
    const low = m.let(w.mul(a, b));
    flagsMul(m, low, w.ne(high, w.shrS(low, w.i64(63))));
    m.place(0, 'write').set(low);
    return;
  }
  const r = m.let(w.mul(signExtend(a, width), signExtend(b, width)));
  const low = m.let(signExtend(w.wrap(r), width));
  flagsMul(m, low, w.ne(r, low));
  m.place(0, 'write').set(w.wrap(low));
};

/** DIV and IDIV: #DE on a zero divisor or a quotient that does not fit; flags are undefined, here unchanged. */
function divide(signed: boolean): Semantics {
  return (m) => {
    const { width } = m;
    const b = m.let(m.place(0, 'read').get());
    m.raiseIf(w.eqz(b), 0);
    if (width === 64) {
      const rax = m.register(RAX, 64);
      const rdx = m.register(RDX, 64);
      const low = m.let(rax.get());
      const high = m.let(rdx.get());
      const plain = signed ? w.and(w.eq(high, w.shrS(low, w.i64(63))), w.eqz(w.and(w.eq(b, w.i64(-1)), w.eq(low, w.i64(1n << 63n))))) : w.eqz(high);
      m.f.if(
        w.eqz(plain),
        () => {
          // 128 by 64 bits: in TypeScript, with the divisor in SLOW_ADDRESS. 0: the quotient does not fit.
          m.f.do(w.store64(m.c, b, SLOW_ADDRESS));
          m.raiseIf(w.eqz(m.call('divide')), 0);
        },
        () => {
          const q = m.let(signed ? w.divS(low, b) : w.divU(low, b));
          rdx.set(w.sub(low, w.mul(q, b)));
          rax.set(q);
        },
      );
      return;
    }
    const wideDivisor = m.let(signed ? signExtend(b, width) : w.unsigned64(b));
    const low = m.register(RAX, width === 8 ? 16 : width).get();
    const dividend = m.let(
      width === 8
        ? signed ? signExtend(low, 16) : w.unsigned64(low)
        : width === 16
          ? (signed ? w.signed64 : w.unsigned64)(w.or(w.shl(m.register(RDX, 16).get(), w.i32(16)), low))
          : w.or(w.shl(w.unsigned64(m.register(RDX, 32).get()), w.i64(32)), w.unsigned64(low)),
    ); // prettier-ignore
    if (signed) m.raiseIf(w.and(w.eq(dividend, w.i64(1n << 63n)), w.eq(wideDivisor, w.i64(-1))), 0);
    const q = m.let((signed ? w.divS : w.divU)(dividend, wideDivisor));
    const fits = signed ? w.eq(q, signExtend(w.wrap(q), width)) : w.eqz(w.shrU(q, w.i64(width)));
    m.raiseIf(w.eqz(fits), 0);
    const r = m.let(w.wrap((signed ? w.remS : w.remU)(dividend, wideDivisor)));
    if (width === 8) m.register(RAX, 16).set(w.or(w.and(w.wrap(q), w.i32(0xff)), w.shl(r, w.i32(8))));
    else {
      m.register(RAX, width).set(w.wrap(q));
      m.register(RDX, width).set(r);
    }
  };
}

export const muldiv: SemanticsTable = { mul: multiply(false), imul1: multiply(true), imul, div: divide(false), idiv: divide(true) };
