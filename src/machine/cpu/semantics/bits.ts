import type { Emitter } from '../tiers/emitter.ts';
import { AccessKind, signExtend } from '../tiers/emitter.ts';
import type { Place, Width } from '../tiers/emitter.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** The place a bit string's bit lies in: with a register index, memory operands reach beyond the operand (SDM Vol. 1, 4.2.. BT). */
function bitPlace(m: Emitter, index: Value, use: 'read' | 'modify'): Place {
  if (!m.isMemory(0) || m.operands[1] === 'Ib') return m.place(0, use);
  const elements = w.shrS(signExtend(index, m.width), w.i64(m.width === 64 ? 6 : m.width === 32 ? 5 : 4));
  const ea = w.add(m.effectiveAddress(), w.mul(elements, w.i64(m.width / 8)));
  return m.memory(ea, m.width, use === 'read' ? AccessKind.read : AccessKind.modify);
}

function bitTest(change?: (a: Value, mask: Value) => Value): Semantics {
  return (m) => {
    const index = m.let(m.value(1));
    const d = bitPlace(m, index, change ? 'modify' : 'read');
    const a = m.let(d.get());
    const n = m.let(w.and(index, w.like(index, m.width - 1)));
    // OF, SF, AF, PF are undefined by the SDM, and stay here as on processors; ZF stays by the SDM.
    m.setCarry(w.and(w.wrap(w.shrU(a, n)), w.i32(1)));
    if (change) d.set(change(a, w.shl(w.like(a, 1), n)));
  };
}

/** BSF and BSR: the destination stays when the source is zero; only ZF is defined. */
function scan(reverse: boolean): Semantics {
  return (m) => {
    const s = m.let(m.value(1));
    m.setFlags(w.unsigned64(s), w.i64(0), w.i32(0));
    m.f.if(w.ne(s, w.like(s, 0)), () => {
      const r = reverse ? w.sub(w.like(s, s.type === 'i64' ? 63 : 31), w.clz(s)) : w.ctz(s);
      m.place(0, 'write').set(r);
    });
  };
}

/** The bytes of a value of 16, 32 or 64 bits in reverse. */
export function byteSwap(m: Emitter, a: Local, width: Width): Value {
  if (width === 16) return w.or(w.shrU(a, w.i32(8)), w.and(w.shl(a, w.i32(8)), w.i32(0xff00)));
  if (width === 32) return w.or(w.and(w.rotl(a, w.i32(8)), w.i32(0x00ff00ff)), w.and(w.rotr(a, w.i32(8)), w.i32(0xff00ff00)));
  const swap = (v: Value, n: number, k: bigint): Value => w.or(w.and(w.shrU(v, w.i64(n)), w.i64(k)), w.shl(w.and(v, w.i64(k)), w.i64(n)));
  const x = m.let(swap(a, 8, 0x00ff00ff00ff00ffn));
  const y = m.let(swap(x, 16, 0x0000ffff0000ffffn));
  return w.rotl(y, w.i64(32));
}

export const bits: SemanticsTable = {
  bt: bitTest(),
  bts: bitTest((a, bit) => w.or(a, bit)),
  btr: bitTest((a, bit) => w.and(a, w.not(bit))),
  btc: bitTest((a, bit) => w.xor(a, bit)),
  bsf: scan(false),
  bsr: scan(true),
  popcnt(m) {
    const r = m.let(w.popcnt(m.value(1)));
    // CF OF SF AF PF are cleared, ZF says that the source was zero: PF must read 0 even for an even result.
    m.setFlags(w.unsigned64(w.ne(r, w.like(r, 0))), w.i64(0), w.shl(w.eqz(r), w.i32(8)));
    m.place(0, 'write').set(r);
  },
  bswap(m) {
    const d = m.place(0, 'modify');
    // Of 16 bits it is undefined by the SDM; processors give zero.
    d.set(m.width === 16 ? w.i32(0) : byteSwap(m, m.let(d.get()), m.width));
  },
};
