import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { littleEndian } from './addressing.ts';
import { segmentBase } from './case.ts';
import type { Draft } from './draft.ts';
import { effectiveSegment, RSP, setLow } from './draft.ts';
import type { VectorState } from './random-state.ts';

/** What a row asks of vector registers: gathers take their index from one, and it must lead into the data pages. */
export interface VectorDemands {
  /** SIB byte and displacement of a gather whose elements lie around a linear address. */
  readonly sib?: (target: number) => number[];
  readonly fix: (state: VectorState) => VectorState;
}

export const NO_DEMANDS: VectorDemands = { fix: (state) => state };

/** SDM Vol. 2, 2.3.12: base + index lane * scale + displacement. */
export function gatherDemands(row: Row, d: Draft, rex: number): VectorDemands {
  const { random } = d;
  const scale = random.below(4);
  const index = random.below(8);
  let base = random.below(8);
  if (base === 5) base = 3;
  if ((base | ((rex & 1) << 3)) === RSP) base = 6;
  const wide = row.name.startsWith('vgatherq'); // 64-bit indices
  return {
    sib: (target) => {
      const disp = random.below(256) - 128;
      const segment = effectiveSegment(d, 'ds');
      setLow(d, base | ((rex & 1) << 3), d.address, target - disp - (segment === 'cs' ? d.setup.codeBase : segmentBase(d.mode, segment)));
      return [(scale << 6) | (index << 3) | base, ...littleEndian(disp, 4)];
    },
    fix: (state) => {
      const n = index | ((rex & 2) << 2);
      const lane = (): bigint => {
        const small = (): bigint => BigInt(random.below(64) - 32);
        return wide ? BigInt.asUintN(64, small()) : (BigInt.asUintN(32, small()) << 32n) | BigInt.asUintN(32, small());
      };
      return {
        ...state,
        xmm: state.xmm.with(n * 2, lane()).with(n * 2 + 1, lane()),
        ymmHigh: state.ymmHigh!.with(n * 2, lane()).with(n * 2 + 1, lane()),
      };
    },
  };
}
