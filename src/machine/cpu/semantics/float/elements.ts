import type { FloatEnvironment } from '../../float/environment.ts';
import type { Format } from '../../float/format.ts';
import { f32, f64 } from '../../float/format.ts';
import type { Real } from '../../float/real.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import type { Semantics } from '../semantics.ts';
import { firstSource, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import type { VectorPlace } from '../../tiers/vector-place.ts';
import { exactOperation, type Exact, type ExactCall } from './exact.ts';
import type { Elementwise, Fast } from './instruction.ts';
import { compute, writePacked, writeScalar } from './instruction.ts';
import type { Lanes } from './lanes.ts';
import { F32, F64 } from './lanes.ts';

/** The four forms of most instructions: PS, PD, SS, SD. */
export interface Shape {
  readonly suffix: 'ps' | 'pd' | 'ss' | 'sd';
  readonly lanes: Lanes;
  readonly format: Format;
  readonly packed: boolean;
}
export const shapes: readonly Shape[] = [
  { suffix: 'ps', lanes: F32, format: f32, packed: true },
  { suffix: 'pd', lanes: F64, format: f64, packed: true },
  { suffix: 'ss', lanes: F32, format: f32, packed: false },
  { suffix: 'sd', lanes: F64, format: f64, packed: false },
];

/** Elements that an instruction of a shape computes. */
export const elementCount = (s: Shape, vectorBytes: number): number => (s.packed ? vectorBytes / s.lanes.bytes : 1);

/** A number for each count of elements, given out on demand. */
export function numbered(make: (count: number) => Exact): (count: number) => number {
  const numbers = new Map<number, number>();
  return (count) => {
    const known = numbers.get(count);
    if (known !== undefined) return known;
    const n = exactOperation(make(count));
    numbers.set(count, n);
    return n;
  };
}

/** An operation on elements of one format: on two operands, and how the exact core does it. */
export interface Operation {
  fast(m: Emitter, f: Lanes, a: Value, b: Value): Fast;
  exact(f: Format, env: FloatEnvironment, a: Real, b: Real): Real;
  /** The host's arithmetic for numbers that are well inside the range, by format: float/fast.ts. */
  readonly quick?: Readonly<Record<Lanes['name'], (a: number, b: number) => number>>;
}

/** The same with one operand. */
export interface UnaryOperation {
  fast(m: Emitter, f: Lanes, a: Value): Fast;
  exact(f: Format, env: FloatEnvironment, a: Real, x: number): Real;
  readonly quick?: Readonly<Record<Lanes['name'], (a: number) => number>>;
}

/** Element n of the result from an element of each operand: quickly where that is possible. */
export function computeElement(call: ExactCall, f: Format, o: Operation, n: number, a: number, atA: number, b: number, atB: number): void {
  const { name } = f;
  const quick = name === 'f32' || name === 'f64' ? o.quick?.[name] : undefined;
  if (quick && call.setDirected(f, n, quick(call.number(f, a, atA), call.number(f, b, atB)))) return;
  call.set(f, n, o.exact(f, call.env, call.real(f, a, atA), call.real(f, b, atB)));
}

export function binaryElements(s: Shape, o: Operation): Elementwise {
  const { format, lanes, packed } = s;
  const number = numbered((count) => (call) => {
    for (let n = 0; n < count; n++) computeElement(call, format, o, n, call.a, n, call.b, n);
  });
  return { lanes, packed, fast: (m, a, b) => o.fast(m, lanes, a!, b!), exact: (bytes) => number(elementCount(s, bytes)) };
}

export function unaryElements(s: Shape, o: UnaryOperation): Elementwise {
  const { format, lanes, packed } = s;
  const number = numbered((count) => (call) => {
    for (let n = 0; n < count; n++) {
      if (o.quick && call.setDirected(format, n, o.quick[lanes.name](call.number(format, call.a, n)))) continue;
      call.set(format, n, o.exact(format, call.env, call.real(format, call.a, n), call.x));
    }
  });
  return { lanes, packed, fast: (m, a) => o.fast(m, lanes, a!), exact: (bytes) => number(elementCount(s, bytes)) };
}

/** dst = op(first, second): `ADDPS V W` and `VADDPS V H W`. */
export const binaryInstruction = (s: Shape, o: Operation): Semantics => {
  const e = binaryElements(s, o);
  return (m) => {
    requireVectors(m);
    const b = lastSource(m);
    const a = firstSource(m);
    const d = m.vex ? vectorOperand(m, 0, 'write') : a;
    write(m, s, d, compute(m, e, [a, b]), a);
  };
};

export function write(m: Emitter, s: Shape, d: VectorPlace, pieces: readonly Value[], upper: VectorPlace): void {
  if (s.packed) writePacked(m, d, pieces);
  else writeScalar(m, s.lanes.bytes, d, pieces[0]!, upper);
}

/** dst = op(source): `SQRTPS V W`, `VSQRTPS V W`, but `VSQRTSS V H W` with its upper lanes from the first source. */
export const unaryInstruction = (s: Shape, o: UnaryOperation): Semantics => {
  const e = unaryElements(s, o);
  return (m) => {
    requireVectors(m);
    const a = lastSource(m);
    const upper = firstSource(m);
    const d = vectorOperand(m, 0, 'write');
    write(m, s, d, compute(m, e, [a]), upper);
  };
};

/** A table entry for each shape: `add` gives addps, addpd, addss, addsd. */
export const family = (name: string, make: (s: Shape) => Semantics): Record<string, Semantics> =>
  Object.fromEntries(shapes.map((s) => [name + s.suffix, make(s)]));
