import type { Emitter } from '../tiers/emitter.ts';
import { signExtend } from '../tiers/emitter.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { byteSwap } from './bits.ts';
import { mulHighU } from './muldiv.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** ZF and SF by the result, OF clear, CF as given; AF and PF are undefined. */
function flags(m: Emitter, result: Value, carry: Value): void {
  const cf = m.let(carry);
  m.setFlags(signExtend(result, m.width), w.shl(w.unsigned64(cf), w.i64(63)), cf);
}

/** TZCNT and LZCNT: of an operand that is zero, its width, with CF set. */
function count(of: (v: Value) => Value): Semantics {
  return (m) => {
    const s = m.let(m.value(1));
    const r = m.let(of(s));
    const cf = m.let(w.eqz(s));
    // ZF by the result; SF, OF, PF and AF are undefined.
    m.setFlags(w.unsigned64(r), w.shl(w.unsigned64(cf), w.i64(63)), cf);
    m.place(0, 'write').set(r);
  };
}

const trailing = (m: Emitter, v: Value): Value => (m.width === 16 ? w.ctz(w.or(v, w.i32(0x1_0000))) : w.ctz(v));
const leading = (m: Emitter, v: Value): Value => (m.width === 16 ? w.sub(w.clz(v), w.i32(16)) : w.clz(v));

/** BLSR, BLSMSK and BLSI: the source and the source minus 1. */
function lowest(combine: (s: Value, less: Value) => Value, carry: (s: Value) => Value): Semantics {
  return (m) => {
    const s = m.let(m.value(1));
    const r = m.let(combine(s, w.sub(s, w.like(s, 1))));
    flags(m, r, carry(s));
    m.place(0, 'write').set(r);
  };
}

/** All ones below bit n, for n up to 255; a shift by the width or more takes its count modulo the width, hence the choice. */
const below = (like: Value, n: Local): Value => {
  const width = like.type === 'i64' ? 64 : 32;
  const shift = like.type === 'i64' ? w.unsigned64(n) : n;
  return w.select(w.ltU(n, w.i32(width)), w.sub(w.shl(w.like(like, 1), shift), w.like(like, 1)), w.like(like, -1));
};

/** SHLX, SHRX, SARX: no flags. */
function shift(f: (a: Value, n: Value) => Value): Semantics {
  return (m) => {
    const a = m.let(m.value(1));
    const r = m.let(f(a, m.value(2))); // WebAssembly masks the count as x86 does
    m.place(0, 'write').set(r);
  };
}

/** For each set bit of a mask, from the lowest: `body` gets the bit. */
function eachBit(m: Emitter, mask: Value, body: (bit: Local) => void): void {
  const rest = m.f.temp(mask.type);
  const bit = m.f.temp(mask.type);
  m.f.set(rest, mask);
  m.f.block((done) => {
    m.f.loop((again) => {
      m.f.brIf(done, w.eqz(rest));
      m.f.set(bit, w.and(rest, w.sub(w.like(rest, 0), rest)));
      body(bit);
      m.f.set(rest, w.xor(rest, bit));
      m.f.br(again);
    });
  });
}

/** ADCX and ADOX: a sum with one of CF and OF as carry in and out; no other flag changes. */
function addWith(flag: 'cf' | 'of'): Semantics {
  return (m) => {
    const b = m.let(m.value(1));
    const d = m.place(0, 'modify');
    const a = m.let(d.get());
    const carry = m.let(flag === 'cf' ? m.cf() : m.of());
    const sum = m.let(w.add(a, b));
    const r = m.let(w.add(sum, m.width === 64 ? w.unsigned64(carry) : carry));
    const out = m.let(w.or(w.ltU(sum, a), w.ltU(r, sum)));
    if (flag === 'cf') m.setCarryAndOverflow(out, m.let(m.of()));
    else m.setCarryAndOverflow(m.let(m.cf()), out);
    d.set(r);
  };
}

/** The polynomial 11EDC6F41H, bits reversed: SDM Vol. 2, CRC32. */
const CASTAGNOLI = 0x82f63b78;

export const bitManipulation: SemanticsTable = {
  tzcnt: (m) => count((v) => trailing(m, v))(m),
  lzcnt: (m) => count((v) => leading(m, v))(m),
  andn(m) {
    const a = m.let(m.value(1));
    const r = m.let(w.and(w.not(a), m.value(2)));
    flags(m, r, w.i32(0));
    m.place(0, 'write').set(r);
  },
  blsr: lowest(w.and, w.eqz),
  blsmsk: lowest(w.xor, w.eqz),
  blsi: lowest(
    (s, less) => w.and(s, w.not(less)),
    (s) => w.ne(s, w.like(s, 0)),
  ),
  bextr(m) {
    const a = m.let(m.value(1));
    const control = m.let(w.wrap(m.value(2)));
    const start = m.let(w.and(control, w.i32(0xff)));
    const length = m.let(w.and(w.shrU(control, w.i32(8)), w.i32(0xff)));
    const shifted = w.select(w.ltU(start, w.i32(m.width)), w.shrU(a, m.width === 64 ? w.unsigned64(start) : start), w.like(a, 0));
    const r = m.let(w.and(shifted, below(a, length)));
    flags(m, r, w.i32(0));
    m.place(0, 'write').set(r);
  },
  bzhi(m) {
    const a = m.let(m.value(1));
    const n = m.let(w.and(w.wrap(m.value(2)), w.i32(0xff)));
    const r = m.let(w.and(a, below(a, n)));
    flags(m, r, w.geU(n, w.i32(m.width)));
    m.place(0, 'write').set(r);
  },
  pext(m) {
    const a = m.let(m.value(1));
    const mask = m.let(m.value(2));
    const r = m.let(w.like(a, 0));
    const at = m.let(w.like(a, 1));
    eachBit(m, mask, (bit) => {
      m.f.set(r, w.or(r, w.select(w.eqz(w.and(a, bit)), w.like(a, 0), at)));
      m.f.set(at, w.shl(at, w.like(at, 1)));
    });
    m.place(0, 'write').set(r);
  },
  pdep(m) {
    const a = m.let(m.value(1));
    const mask = m.let(m.value(2));
    const r = m.let(w.like(a, 0));
    eachBit(m, mask, (bit) => {
      m.f.set(r, w.or(r, w.and(bit, w.sub(w.like(a, 0), w.and(a, w.like(a, 1))))));
      m.f.set(a, w.shrU(a, w.like(a, 1)));
    });
    m.place(0, 'write').set(r);
  },
  /** rDX times the source; where both destinations are one register, it gets the high half. */
  mulx(m) {
    const b = m.let(m.value(2));
    const a = m.let(m.register(2 * 8, m.width).get());
    if (m.width === 64) {
      const high = mulHighU(m, a, b);
      m.place(1, 'write').set(w.mul(a, b));
      m.place(0, 'write').set(high);
    } else {
      const product = m.let(w.mul(w.unsigned64(a), w.unsigned64(b)));
      m.place(1, 'write').set(w.wrap(product));
      m.place(0, 'write').set(w.wrap(w.shrU(product, w.i64(32))));
    }
  },
  shlx: shift(w.shl),
  shrx: shift(w.shrU),
  sarx: shift(w.shrS),
  rorx(m) {
    const a = m.let(m.value(1));
    const n = m.let(m.immByte());
    m.place(0, 'write').set(w.rotr(a, m.width === 64 ? w.unsigned64(n) : n));
  },
  adcx: addWith('cf'),
  adox: addWith('of'),
  movbe(m) {
    const r = m.let(byteSwap(m, m.let(m.value(1)), m.operandWidth(1)));
    m.place(0, 'write').set(r);
  },
  crc32(m) {
    const width = m.operandWidth(1);
    const s = m.let(w.unsigned64(m.value(1)));
    const d = m.place(0, 'modify');
    const r = m.let(w.xor(w.unsigned64(d.get()), s));
    const left = m.let(w.i32(width));
    m.f.loop((again) => {
      const bit = w.sub(w.i64(0), w.and(r, w.i64(1)));
      m.f.set(r, w.xor(w.shrU(r, w.i64(1)), w.and(bit, w.i64(CASTAGNOLI))));
      m.f.set(left, w.sub(left, w.i32(1)));
      m.f.brIf(again, left);
    });
    d.set(w.wrap(r));
  },
};
