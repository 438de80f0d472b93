import * as L from '../../layout.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import { VectorPlace } from '../../tiers/vector-place.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { clearUpper, immediate, requireVectors, vectorOperand, xmm } from './operands.ts';
import { i16x8, i8x16, lanesConst, v128, zero } from './simd.ts';
import { setFlagBits } from './test.ts';

/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: SDM Vol. 1, 12.11 and Vol. 2, 4.1. Sets of elements are bits of an i32. */

interface Elements {
  readonly bytes: 1 | 2;
  readonly count: 16 | 8;
  readonly all: number;
  splatAt(p: VectorPlace, n: Value): Value;
  bitmask(v: Value): Value;
  eq(a: Value, b: Value): Value;
  gtS(a: Value, b: Value): Value;
  /** Changes unsigned order into signed order. */
  readonly bias: Value;
}

const kinds: readonly [Elements, Elements] = [
  {
    bytes: 1, count: 16, all: 0xffff, bitmask: i8x16.bitmask, eq: i8x16.eq, gtS: i8x16.gtS, bias: lanesConst(8, [0x80]),
    splatAt: (p, n) => i8x16.splat(w.load8u(w.add(p.address, n), p.offset)),
  },
  {
    bytes: 2, count: 8, all: 0xff, bitmask: i16x8.bitmask, eq: i16x8.eq, gtS: i16x8.gtS, bias: lanesConst(16, [0x8000]),
    splatAt: (p, n) => i16x8.splat(w.load16u(w.add(p.address, w.shl(n, w.i32(1))), p.offset)),
  },
]; // prettier-ignore

/** One step for each number below `end`. */
function forEach(m: Emitter, end: Value, body: (n: Local) => void): void {
  const n = m.let(w.i32(0));
  m.f.block((done) =>
    m.f.loop((again) => {
      m.f.brIf(done, w.geU(n, end));
      body(n);
      m.f.set(n, w.add(n, w.i32(1)));
      m.f.br(again);
    }),
  );
}

interface Sources {
  readonly a: VectorPlace;
  readonly b: VectorPlace;
  readonly length1: Local;
  readonly length2: Local;
}

/** The first `n` elements as a set. */
const firstOf = (n: Value): Value => w.sub(w.shl(w.i32(1), n), w.i32(1));

/** IntRes1 by the aggregation operation in bits 3:2. */
function aggregate(m: Emitter, e: Elements, s: Sources, imm: Value): Local {
  const [a, b] = [m.let(s.a.v128()), m.let(s.b.v128())];
  const [valid1, valid2] = [m.let(firstOf(s.length1)), m.let(firstOf(s.length2))];
  const result = m.let(w.i32(0));
  const include = (n: Value, when: Value): void => m.f.set(result, w.or(result, w.shl(w.ne(when, w.i32(0)), n)));
  const equalAny = (): void => forEach(m, s.length2, (j) => include(j, w.and(e.bitmask(e.eq(a, e.splatAt(s.b, j))), valid1)));
  const ranges = (): void => {
    const bias = m.let(w.select(w.and(imm, w.i32(2)), zero, e.bias));
    const limits = m.let(v128.xor(a, bias));
    forEach(m, s.length2, (j) => {
      const x = m.let(v128.xor(e.splatAt(s.b, j), bias));
      // Bounds alternate: even elements from below, odd ones from above.
      const fromLow = w.xor(e.bitmask(e.gtS(limits, x)), w.i32(e.all));
      const toHigh = w.xor(e.bitmask(e.gtS(x, limits)), w.i32(e.all));
      const pairs = w.and(w.and(fromLow, valid1), w.and(w.shrU(w.and(toHigh, valid1), w.i32(1)), w.i32(0x5555)));
      include(j, pairs);
    });
  };
  const equalEach = (): void => {
    const same = w.and(e.bitmask(e.eq(a, b)), w.and(valid1, valid2));
    m.f.set(result, w.or(same, w.xor(w.or(valid1, valid2), w.i32(e.all))));
  };
  const equalOrdered = (): void => {
    m.f.set(result, w.i32(e.all));
    forEach(m, s.length1, (i) => {
      const matches = w.and(e.bitmask(e.eq(b, e.splatAt(s.a, i))), valid2);
      // Element i of the first at place i + j of the second; beyond its end nothing is compared.
      m.f.set(result, w.and(result, w.or(w.shrU(matches, i), w.xor(w.shrU(w.i32(e.all), i), w.i32(-1)))));
    });
  };
  const mode = m.let(w.and(w.shrU(imm, w.i32(2)), w.i32(3)));
  m.f.if(
    w.and(mode, w.i32(2)),
    () => m.f.if(w.and(mode, w.i32(1)), equalOrdered, equalEach),
    () => m.f.if(mode, ranges, equalAny),
  );
  // Polarity, bits 5:4: negated all, or where the second is valid.
  const negated = w.select(w.and(imm, w.i32(0x20)), valid2, w.i32(e.all));
  m.f.set(result, w.and(w.xor(result, w.select(w.and(imm, w.i32(0x10)), negated, w.i32(0))), w.i32(e.all)));
  return result;
}

/** |EAX| or |RAX|, at most the number of elements. */
function explicitLength(m: Emitter, register: number, count: number): Local {
  const v = m.let(m.register(L.GPR + register * 8, m.width === 64 ? 64 : 32).get());
  const absolute = m.let(w.select(w.ltS(v, w.like(v, 0)), w.sub(w.like(v, 0), v), v));
  return m.let(w.wrap(w.select(w.ltU(absolute, w.like(v, count)), absolute, w.like(v, count))));
}

const implicitLength = (m: Emitter, e: Elements, p: VectorPlace): Local => m.let(w.ctz(w.or(e.bitmask(e.eq(p.v128(), zero)), w.i32(e.all + 1))));

const compare =
  (lengths: 'explicit' | 'implicit', output: 'index' | 'mask'): Semantics =>
  (m) => {
    requireVectors(m);
    const b = vectorOperand(m, 1);
    const a = vectorOperand(m, 0);
    const imm = m.let(immediate(m));
    const withKind = (e: Elements): void => {
      const length = (p: VectorPlace, register: number): Local =>
        lengths === 'explicit' ? explicitLength(m, register, e.count) : implicitLength(m, e, p);
      const s: Sources = { a, b, length1: length(a, 0), length2: length(b, 2) };
      const result = aggregate(m, e, s, imm);
      m.f.set(found, result);
      m.f.set(short1, w.ltU(s.length1, w.i32(e.count)));
      m.f.set(short2, w.ltU(s.length2, w.i32(e.count)));
      if (output === 'index') {
        const lowest = w.ctz(w.or(result, w.i32(e.all + 1)));
        const highest = w.select(result, w.sub(w.i32(31), w.clz(result)), w.i32(e.count));
        m.f.set(index, w.select(w.and(imm, w.i32(0x40)), highest, lowest));
        return;
      }
      // Each element's bit, spread: a lane is set when its own bit is.
      const bits = lanesConst(e.bytes === 1 ? 8 : 16, e.bytes === 1 ? [1, 2, 4, 8, 16, 32, 64, 128] : [1, 2, 4, 8, 16, 32, 64, 128]);
      const copies = e.bytes === 1 ? i8x16.swizzle(i16x8.splat(result), lanesConst(64, [0, 0x0101_0101_0101_0101n])) : i16x8.splat(result);
      m.f.set(spread, e.eq(v128.and(copies, bits), bits));
    };
    const [found, short1, short2, index] = [0, 0, 0, 0].map((v) => m.let(w.i32(v))) as [Local, Local, Local, Local];
    const spread = m.let(zero);
    if (m.knownImmByte !== undefined) withKind(kinds[(m.knownImmByte & 1) as 0 | 1]);
    else
      m.f.if(
        w.and(imm, w.i32(1)),
        () => withKind(kinds[1]),
        () => withKind(kinds[0]),
      );
    if (output === 'index') m.register(L.GPR + 8, 32).set(index);
    else {
      const low = i16x8.replace(zero, 0, found);
      const d = xmm(m, 0);
      m.f.do(d.setV128(w.select(w.and(imm, w.i32(0x40)), spread, low)));
      if (m.vex) clearUpper(m, d);
    }
    setFlagBits(m, { cf: w.ne(found, w.i32(0)), zf: short2, sf: short1, of: w.and(found, w.i32(1)) });
  };

export const vectorText: SemanticsTable = {
  pcmpestri: compare('explicit', 'index'),
  pcmpestrm: compare('explicit', 'mask'),
  pcmpistri: compare('implicit', 'index'),
  pcmpistrm: compare('implicit', 'mask'),
};
