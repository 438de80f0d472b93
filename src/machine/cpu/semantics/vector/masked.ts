import type { Emitter } from '../../tiers/emitter.ts';
import { AccessKind } from '../../tiers/emitter.ts';
import { Exit } from '../../tiers/record.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { clearUpper, halves, loadHalves, requireVectors, setVector, vectorOperand } from './operands.ts';
import { i32x4, i64x2, zero } from './simd.ts';

/** Moves of the elements whose mask has its sign set; the others are not accessed and cannot fault: SDM Vol. 2, VMASKMOV. */

type Size = 4 | 8;
const lane = { 4: i32x4, 8: i64x2 } as const;
const load = (size: Size, address: Value): Value => (size === 4 ? w.load32(address) : w.load64(address));
const allSet = (m: Emitter, size: Size, masks: readonly Value[]): Value => {
  const bits = masks.map((v) => lane[size].bitmask(v)).reduce((a, b) => w.and(a, b));
  return w.eq(bits, w.i32((1 << (16 / size)) - 1));
};

/** Each element with whether it is selected and its place in the vector. */
function elements(m: Emitter, size: Size, masks: readonly Value[], body: (half: number, n: number, offset: number) => void): void {
  for (const [half, mask] of masks.entries())
    for (let n = 0; n < 16 / size; n++) {
      const selected = w.ltS(lane[size].extract(mask, n), size === 4 ? w.i32(0) : w.i64(0));
      m.f.if(selected, () => body(half, n, half * 16 + n * size));
    }
}

const maskedLoad =
  (size: Size): Semantics =>
  (m) => {
    requireVectors(m);
    const masks = loadHalves(m, vectorOperand(m, 1));
    const ea = m.let(m.effectiveAddress());
    const values = halves(m).map(() => m.let(zero));
    m.f.if(
      allSet(m, size, masks),
      () => {
        const from = m.translate(ea, m.vectorBytes, AccessKind.read);
        for (const [n, v] of values.entries()) m.f.set(v, w.loadV(from, n * 16));
      },
      () =>
        elements(m, size, masks, (half, n, offset) => {
          const from = m.translate(w.add(ea, w.i64(offset)), size, AccessKind.read);
          m.f.set(values[half]!, lane[size].replace(values[half]!, n, load(size, from)));
        }),
    );
    setVector(m, 0, values);
  };

const maskedStore =
  (size: Size): Semantics =>
  (m) => {
    requireVectors(m);
    const masks = loadHalves(m, vectorOperand(m, 1));
    const s = vectorOperand(m, 2);
    const ea = m.let(m.effectiveAddress());
    // Several writes: the instruction is left, if at all, after the last.
    const outer = m.endsBlock;
    m.endsBlock = true;
    m.f.set(m.asked, w.i32(0));
    m.f.if(
      allSet(m, size, masks),
      () => {
        const to = m.translate(ea, m.vectorBytes, AccessKind.write);
        for (const k of halves(m)) m.f.do(w.storeV(to, s.v128(k), k));
        m.commit(to);
      },
      () => {
        // All of them are translated before the first is written.
        elements(m, size, masks, (_half, _n, offset) => void m.translate(w.add(ea, w.i64(offset)), size, AccessKind.write));
        elements(m, size, masks, (_half, _n, offset) => {
          const to = m.translate(w.add(ea, w.i64(offset)), size, AccessKind.write);
          m.f.do(size === 4 ? w.store32(to, s.i32(offset)) : w.store64(to, s.i64(offset)));
          m.commit(to);
        });
      },
    );
    m.endsBlock = outer;
    m.f.if(m.asked, () => m.f.return(w.i32(Exit.after)));
  };

/**
 * Gathers: an element that was loaded is in the destination and its mask clear before the next one may fault, so that the
 * instruction goes on from there. SDM Vol. 2, VPGATHERDD. Only for flat 64-bit addresses; others are `instructions/gather.ts`.
 */
const gather =
  (indexBytes: Size, size: Size): Semantics =>
  (m) => {
    requireVectors(m);
    const d = vectorOperand(m, 0, 'write');
    const mask = vectorOperand(m, 2, 'modify');
    const { base, index, scale } = m.vsib();
    const from = m.let(base);
    const shift = m.let(scale);
    const count = m.vectorBytes / Math.max(indexBytes, size);
    for (let n = 0; n < count; n++) {
      m.f.if(w.ltS(mask.i32(n * size + size - 4), w.i32(0)), () => {
        const element = indexBytes === 4 ? w.signed64(index.i32(n * 4)) : index.i64(n * 8);
        const address = m.translate(w.add(from, w.shl(element, shift)), size, AccessKind.read);
        m.f.do(size === 4 ? d.set32(w.load32(address), n * 4) : d.set64(w.load64(address), n * 8));
      });
      m.f.do(size === 4 ? mask.set32(w.i32(0), n * 4) : mask.set64(w.i64(0), n * 8));
    }
    for (const p of [d, mask]) {
      if (count * size === 8) m.f.do(p.set64(w.i64(0), 8));
      if (count * size <= 16) clearUpper(m, p);
    }
    for (const k of halves(m)) m.f.do(mask.setV128(zero, k));
  };

export const vectorMasked: SemanticsTable = {
  maskload32: maskedLoad(4),
  maskload64: maskedLoad(8),
  maskstore32: maskedStore(4),
  maskstore64: maskedStore(8),
  gatherdd: gather(4, 4),
  gatherdq: gather(4, 8),
  gatherqd: gather(8, 4),
  gatherqq: gather(8, 8),
};
