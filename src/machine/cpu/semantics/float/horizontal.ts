import type { Value } from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { lanesConst, shuffleLanes } from '../vector/simd.ts';
import { addition, subtraction } from './arithmetic.ts';
import type { Operation, Shape } from './elements.ts';
import { computeElement, elementCount, numbered, shapes } from './elements.ts';
import type { ExactCall } from './exact.ts';
import type { Elementwise } from './instruction.ts';
import { compute, writePacked } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { xor } from './lanes.ts';

/** ADDSUB, HADD and HSUB of SSE3: sums and differences across lanes. */

const instruction = (e: Elementwise): Semantics => (m) => {
  requireVectors(m);
  const b = lastSource(m);
  const a = firstSource(m);
  writePacked(m, vectorOperand(m, 0, 'write'), compute(m, e, [a, b]));
}; // prettier-ignore

/** Differences in even lanes, sums in odd ones. */
function alternating(s: Shape): Semantics {
  const { lanes: f, format } = s;
  const number = numbered((count) => (call) => {
    for (let n = 0; n < count; n++) {
      computeElement(call, format, n % 2 === 0 ? subtraction : addition, n, call.a, n, call.b, n);
    }
  });
  const signs = f.bytes === 4 ? lanesConst(32, [0x8000_0000, 0]) : lanesConst(64, [1n << 63n, 0n]);
  return instruction({
    lanes: f,
    packed: true,
    fast: (m, a, b) => addition.fast(m, f, a!, m.let(xor(b!, signs))),
    exact: (bytes) => number(elementCount(s, bytes)),
  });
}

/** Lanes of a, then of b: the even ones and, for `from` 1, the odd ones. */
const gathered = (f: Lanes, a: Value, b: Value, from: 0 | 1): Value =>
  shuffleLanes(
    a,
    b,
    f.bytes,
    Array.from({ length: f.count }, (_, n) => n * 2 + from),
  );

/** Neighbours added or subtracted: in each 16 bytes the first operand's pairs, then the second's. */
function horizontal(s: Shape, o: Operation): Semantics {
  const { lanes: f, format } = s;
  const half = f.count / 2;
  const number = numbered((count) => (call: ExactCall) => {
    for (let n = 0; n < count; n++) {
      const k = n % f.count;
      const source = k < half ? call.a : call.b;
      const at = n - k + (k % half) * 2;
      computeElement(call, format, o, n, source, at, source, at + 1);
    }
  });
  return instruction({
    lanes: f,
    packed: true,
    fast: (m, a, b) => o.fast(m, f, m.let(gathered(f, a!, b!, 0)), m.let(gathered(f, a!, b!, 1))),
    exact: (bytes) => number(elementCount(s, bytes)),
  });
}

const [ps, pd] = [shapes[0]!, shapes[1]!];

export const horizontals: SemanticsTable = {
  addsubps: alternating(ps),
  addsubpd: alternating(pd),
  haddps: horizontal(ps, addition),
  haddpd: horizontal(pd, addition),
  hsubps: horizontal(ps, subtraction),
  hsubpd: horizontal(pd, subtraction),
};
