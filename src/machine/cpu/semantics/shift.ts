import type { Emitter, Place } from '../tiers/emitter.ts';
import { mask, signExtend } from '../tiers/emitter.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** The count operand, masked to 5 bits (6 for 64-bit operands), as i32. */
function countOf(m: Emitter, n: number): Value {
  const kind = m.operands[n]!;
  const raw = kind === '1' ? w.i32(1) : kind[0] === 'C' ? m.register(8, 8).get() : m.imm32();
  return w.and(raw, w.i32(m.width === 64 ? 63 : 31));
}

/** Flags from a result plus explicit CF and OF. */
function flagsShift(m: Emitter, r: Value, cf: Value, of: Value): void {
  const carry = m.let(cf);
  const aux = w.shl(w.unsigned64(w.xor(carry, of)), w.i64(63));
  m.setFlags(signExtend(r, m.width), aux, carry);
}

/** Rotates change only CF and OF. */
function flagsRotate(m: Emitter, cf: Value, of: Value): void {
  m.setCarryAndOverflow(cf, of);
}

const bit = (v: Value, n: Value): Value => w.and(w.wrap(w.shrU(v, v.type === 'i64' ? w.unsigned64(n) : n)), w.i32(1));
const topBit = (m: Emitter, v: Value): Value => bit(v, w.i32(m.width - 1));
const wide = (v: Value, count: Value): Value => (v.type === 'i64' ? w.unsigned64(count) : count);

/** A count of zero changes nothing, flags included; a memory destination is still written (as it was). */
function shift(n: number, body: (m: Emitter, d: Place, a: Value, count: Value) => Value): Semantics {
  return (m) => {
    const d = m.place(0, 'modify');
    const a = m.let(d.get());
    const masked = countOf(m, n);
    // A count that is known stays known: then nothing depends on whether it is zero.
    const count = masked.constant === undefined ? m.let(masked) : masked;
    const result = m.f.temp(a.type);
    m.f.set(result, a);
    m.when(count, () => m.f.set(result, body(m, d, a, count)));
    d.set(result);
  };
}

const shl = shift(1, (m, _d, a, count) => {
  // In 64 bits for the narrow widths, so that the carry is bit `width` even for counts beyond it.
  const x = m.width === 64 ? a : w.unsigned64(a);
  const full = m.let(w.shl(x, w.unsigned64(count)));
  const r = m.let(m.width === 64 ? full : mask(w.wrap(full), m.width));
  const cf = m.let(m.width === 64 ? bit(a, w.sub(w.i32(64), count)) : bit(full, w.i32(m.width)));
  flagsShift(m, r, cf, w.xor(topBit(m, r), cf));
  return r;
});

const shr = shift(1, (m, _d, a, count) => {
  const r = m.let(m.width < 32 ? w.wrap(w.shrU(w.unsigned64(a), w.unsigned64(count))) : w.shrU(a, wide(a, count)));
  flagsShift(m, r, bit(a, w.sub(count, w.i32(1))), w.xor(topBit(m, a), w.i32(0)));
  return r;
});

const sar = shift(1, (m, _d, a, count) => {
  const x = m.let(m.width === 8 ? w.extend8(a) : m.width === 16 ? w.extend16(a) : a);
  const r = m.let(mask(w.shrS(x, wide(x, count)), m.width));
  flagsShift(m, r, w.and(w.wrap(w.shrS(x, wide(x, w.sub(count, w.i32(1))))), w.i32(1)), w.i32(0));
  return r;
});

function rotate(left: boolean): Semantics {
  return shift(1, (m, _d, a, count) => {
    const { width } = m;
    let r: Value;
    if (width >= 32) r = (left ? w.rotl : w.rotr)(a, wide(a, count));
    else {
      const n = m.let(w.and(count, w.i32(width - 1)));
      const other = w.sub(w.i32(width), n);
      r = mask(left ? w.or(w.shl(a, n), w.shrU(a, other)) : w.or(w.shrU(a, n), w.shl(a, other)), width);
    }
    const result = m.let(r);
    const top = m.let(topBit(m, result));
    if (left) {
      const cf = m.let(bit(result, w.i32(0)));
      flagsRotate(m, cf, w.xor(top, cf));
    } else flagsRotate(m, top, w.xor(top, bit(result, w.i32(width - 2))));
    return result;
  });
}

/** RCL and RCR, one bit at a time: rare, and counts above the width wrap at width + 1. */
function rotateCarry(left: boolean): Semantics {
  return shift(1, (m, _d, a, count) => {
    const r = m.let(a);
    const carry = m.let(m.cf());
    const n = m.let(m.width < 32 ? w.remU(count, w.i32(m.width + 1)) : count);
    m.f.block((done) => {
      m.f.loop((again) => {
        m.f.brIf(done, w.eqz(n));
        const one = w.like(r, 1);
        const c = r.type === 'i64' ? w.unsigned64(carry) : carry;
        if (left) {
          const out = m.let(topBit(m, r));
          m.f.set(r, mask(w.or(w.shl(r, one), c), m.width));
          m.f.set(carry, out);
        } else {
          const out = m.let(bit(r, w.i32(0)));
          m.f.set(r, w.or(w.shrU(r, one), w.shl(c, w.like(r, m.width - 1))));
          m.f.set(carry, out);
        }
        m.f.set(n, w.sub(n, w.i32(1)));
        m.f.br(again);
      });
    });
    const top = topBit(m, r);
    flagsRotate(m, carry, w.xor(top, left ? carry : bit(r, w.i32(m.width - 2))));
    return r;
  });
}

function double(left: boolean): Semantics {
  return shift(2, (m, d, a, count) => {
    const b = m.let(m.place(1, 'read').get());
    const { width } = m;
    let r: Value;
    let cf: Value;
    if (width === 16) {
      // 48 bits a:b:a, as the processors do for counts above 16 (undefined by the SDM).
      const [hi, lo] = left ? [a, b] : [b, a];
      const pair = m.let(w.or(w.shl(w.unsigned64(hi), w.i64(16)), w.unsigned64(lo)));
      if (left) {
        const triple = w.or(w.shl(pair, w.i64(16)), w.unsigned64(a));
        const shifted = m.let(w.shl(triple, w.unsigned64(count)));
        r = w.wrap(w.and(w.shrU(shifted, w.i64(32)), w.i64(0xffff)));
        cf = bit(shifted, w.i32(48));
      } else {
        const triple = m.let(w.or(pair, w.shl(w.unsigned64(a), w.i64(32))));
        r = w.wrap(w.and(w.shrU(triple, w.unsigned64(count)), w.i64(0xffff)));
        cf = bit(triple, w.sub(count, w.i32(1)));
      }
    } else {
      const n = wide(a, count);
      const back = w.sub(w.like(a, width), n);
      r = left ? w.or(w.shl(a, n), w.shrU(b, back)) : w.or(w.shrU(a, n), w.shl(b, back));
      cf = left ? bit(a, w.sub(w.i32(width), count)) : bit(a, w.sub(count, w.i32(1)));
    }
    const result = m.let(r);
    flagsShift(m, result, cf, w.xor(topBit(m, result), topBit(m, a)));
    return result;
  });
}

export const shifts: SemanticsTable = {
  shl, shr, sar,
  rol: rotate(true), ror: rotate(false),
  rcl: rotateCarry(true), rcr: rotateCarry(false),
  shld: double(true), shrd: double(false),
}; // prettier-ignore
