import type { Emitter } from '../tiers/emitter.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** SIMD opcodes of the WebAssembly core specification (5.4.9), those used here. */
const V = {
  shuffle: 13, const: 12, and: 78, andnot: 79, or: 80, xor: 81, bitmask8: 100,
  eq8: 35, eq16: 45, eq32: 55, gtS8: 39, gtS16: 49, gtS32: 59,
  add8: 110, add16: 142, add32: 174, add64: 206, sub8: 113, sub16: 145, sub32: 177, sub64: 209,
  minU8: 119, maxU8: 121, minS16: 150, maxS16: 152,
} as const; // prettier-ignore

const shuffle = (a: Value, b: Value, lanes: readonly number[]): Value => ({
  type: 'v128',
  code: [a.code, b.code, 0xfd, ...w.uleb(V.shuffle), ...lanes],
});

/** Bytes a W operand has in memory, and whether it must be aligned: `W16a`. */
const size = (operand: string): number => Number(/\d+/.exec(operand)?.[0] ?? 16);
const aligned = (operand: string): boolean => operand.endsWith('a');

const at = (m: Emitter, n: number, use: 'read' | 'write') => m.vector(n, m.operands[n]![0] === 'V' ? 16 : size(m.operands[n]!), use, aligned(m.operands[n]!)); // prettier-ignore

/** dst = f(dst, src), both 16 bytes. */
const binary =
  (f: (a: Value, b: Value) => Value): Semantics =>
  (m) => {
    m.requireSse();
    const s = at(m, 1, 'read');
    const d = at(m, 0, 'write');
    m.f.do(d.setV128(f(d.v128(), s.v128())));
  };

const lanes = (op: number) => binary((a, b) => w.simd(op, 'v128', a, b));
const interleave = (bytes: number, high: boolean) => {
  const order: number[] = [];
  const base = high ? 8 : 0;
  for (let k = 0; k < 8; k += bytes) for (const from of [0, 16]) for (let b = 0; b < bytes; b++) order.push(from + base + k + b);
  return binary((a, b) => shuffle(a, b, order));
};

/** Moves `bytes` bytes from src+from to dst+to; `zero` clears the rest of a vector destination. */
function move(bytes: 4 | 8, from: number, to: number, zero: 'never' | 'always' | 'from-memory'): Semantics {
  return (m) => {
    m.requireSse();
    const s = at(m, 1, 'read');
    const d = at(m, 0, 'write');
    const start = s.memory ? 0 : from;
    const v = m.let(bytes === 4 ? s.i32(start) : s.i64(start));
    if (!d.memory && (zero === 'always' || (zero === 'from-memory' && s.memory))) {
      m.f.do(d.set64(w.i64(0), 0));
      m.f.do(d.set64(w.i64(0), 8));
    }
    const place = d.memory ? 0 : to;
    m.f.do(bytes === 4 ? d.set32(v, place) : d.set64(v, place));
    if (d.memory) m.commit(d.address);
  };
}

export const sse: SemanticsTable = {
  movu(m) {
    m.requireSse();
    const s = at(m, 1, 'read');
    const d = at(m, 0, 'write');
    m.f.do(d.setV128(s.v128()));
    if (d.memory) m.commit(d.address);
  },
  movss_load: move(4, 0, 0, 'from-memory'),
  movsd_load: move(8, 0, 0, 'from-memory'),
  movss_store: move(4, 0, 0, 'never'),
  movsd_store: move(8, 0, 0, 'never'),
  movsd_load_zero: move(8, 0, 0, 'always'),
  movq_store: move(8, 0, 0, 'always'),
  movl_load: move(8, 0, 0, 'never'),
  movl_store: move(8, 0, 0, 'never'),
  movh_load: move(8, 0, 8, 'never'),
  movh_store: move(8, 8, 0, 'never'),
  movhlps: move(8, 8, 0, 'never'),
  movlhps: move(8, 0, 8, 'never'),
  movd_load(m) {
    m.requireSse();
    const v = m.let(w.unsigned64(m.place(1, 'read').get()));
    const d = at(m, 0, 'write');
    m.f.do(d.set64(v, 0));
    m.f.do(d.set64(w.i64(0), 8));
  },
  movd_store(m) {
    m.requireSse();
    const s = at(m, 1, 'read');
    const v = m.let(m.width === 64 ? s.i64() : s.i32());
    m.place(0, 'write').set(v);
  },
  pmovmskb(m) {
    m.requireSse();
    const s = at(m, 1, 'read');
    m.register(m.registerField(0), 32).set(w.simd(V.bitmask8, 'i32', s.v128()));
  },
  pand: lanes(V.and),
  pandn: binary((a, b) => w.simd(V.andnot, 'v128', b, a)),
  por: lanes(V.or),
  pxor: lanes(V.xor),
  pcmpeqb: lanes(V.eq8), pcmpeqw: lanes(V.eq16), pcmpeqd: lanes(V.eq32),
  pcmpgtb: lanes(V.gtS8), pcmpgtw: lanes(V.gtS16), pcmpgtd: lanes(V.gtS32),
  paddb: lanes(V.add8), paddw: lanes(V.add16), paddd: lanes(V.add32), paddq: lanes(V.add64),
  psubb: lanes(V.sub8), psubw: lanes(V.sub16), psubd: lanes(V.sub32), psubq: lanes(V.sub64),
  pminub: lanes(V.minU8), pmaxub: lanes(V.maxU8), pminsw: lanes(V.minS16), pmaxsw: lanes(V.maxS16),
  punpcklbw: interleave(1, false), punpckhbw: interleave(1, true),
  punpcklwd: interleave(2, false), punpckhwd: interleave(2, true),
  unpcklps: interleave(4, false), unpckhps: interleave(4, true),
  punpcklqdq: interleave(8, false), punpckhqdq: interleave(8, true),
}; // prettier-ignore
