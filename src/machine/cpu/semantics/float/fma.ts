import { fma } from '../../float/arithmetic.ts';
import type { Value } from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { requireVectors, vectorOperand } from '../vector/operands.ts';
import { lanesConst } from '../vector/simd.ts';
import type { Shape } from './elements.ts';
import { elementCount, numbered, shapes, write } from './elements.ts';
import { fusedDouble, fusedSingle } from './fused.ts';
import type { Elementwise } from './instruction.ts';
import { compute } from './instruction.ts';
import { xor } from './lanes.ts';

/** FMA3: SDM Vol. 1, 14.5, and Vol. 2, VFMADD132PS. */

/** How the terms enter: the product's sign, and the addend's in even and in odd lanes. */
interface Kind {
  readonly name: string;
  readonly product: boolean;
  readonly even: boolean;
  readonly odd: boolean;
}
const kind = (name: string, product: boolean, even: boolean, odd = even): Kind => ({ name, product, even, odd });
const kinds = [
  kind('fmadd', false, false), kind('fmsub', false, true), kind('fnmadd', true, false), kind('fnmsub', true, true),
  kind('fmaddsub', false, true, false), kind('fmsubadd', false, false, true),
]; // prettier-ignore

/** Which operands (1 is the destination) are the factors and the addend, in the order in which the first NaN is the result. */
const orders = [['132', [0, 2, 1]], ['213', [1, 0, 2]], ['231', [1, 2, 0]]] as const; // prettier-ignore

function instruction(k: Kind, order: readonly [number, number, number], s: Shape): Semantics {
  const { format, lanes: f, packed } = s;
  const number = numbered((count) => (call) => {
    for (let n = 0; n < count; n++) {
      const [a, b, c] = [call.a, call.b, call.x].map((at) => call.real(format, at, n));
      const signs = { negateProduct: k.product, negateAddend: n % 2 === 0 ? k.even : k.odd };
      call.set(format, n, fma(format, call.env, a!, b!, c!, signs));
    }
  });
  const signBit = 1n << BigInt(f.bytes * 8 - 1);
  const signsOf = (even: boolean, odd: boolean): Value => lanesConst(f.bytes === 4 ? 32 : 64, [even ? signBit : 0n, odd ? signBit : 0n]);
  const e: Elementwise = {
    lanes: f,
    packed,
    fast: (m, a, b, c) => {
      const x = k.product ? m.let(xor(a!, signsOf(true, true))) : a!;
      const z = k.even || k.odd ? m.let(xor(c!, signsOf(k.even, k.odd))) : c!;
      return f.bytes === 4 ? fusedSingle(m, !packed, x, b!, z) : fusedDouble(m, x, b!, z);
    },
    exact: (bytes) => number(elementCount(s, bytes)),
  };
  return (m) => {
    requireVectors(m);
    const operands = [2, 1, 0].map((n) => vectorOperand(m, n)).reverse();
    const d = vectorOperand(m, 0, 'write');
    write(m, s, d, compute(m, e, order.map((n) => operands[n]!)), d); // prettier-ignore
  };
}

export const fusedMultiplyAdds: SemanticsTable = Object.fromEntries(
  kinds.flatMap((k) =>
    orders.flatMap(([digits, order]) =>
      shapes.filter((s) => s.packed || k.even === k.odd).map((s) => [`${k.name}${digits}${s.suffix}`, instruction(k, order, s)]),
    ),
  ),
);
