import { describe, expect, it } from 'vitest';
import { fma } from '../../src/machine/cpu/float/arithmetic.ts';
import { Exception, FloatEnvironment } from '../../src/machine/cpu/float/environment.ts';
import type { Format } from '../../src/machine/cpu/float/format.ts';
import { f32, f64 } from '../../src/machine/cpu/float/format.ts';
import type { Real } from '../../src/machine/cpu/float/real.ts';
import { pack, unpack } from '../../src/machine/cpu/float/real.ts';
import { addition, division, multiplication, root, subtraction } from '../../src/machine/cpu/semantics/float/arithmetic.ts';
import { fusedDouble, fusedSingle } from '../../src/machine/cpu/semantics/float/fused.ts';
import type { Fast } from '../../src/machine/cpu/semantics/float/instruction.ts';
import type { Lanes } from '../../src/machine/cpu/semantics/float/lanes.ts';
import { F32, F64 } from '../../src/machine/cpu/semantics/float/lanes.ts';
import { maximum, minimum } from '../../src/machine/cpu/semantics/float/min-max.ts';
import { Emitter } from '../../src/machine/cpu/tiers/emitter.ts';
import { FunctionBuilder } from '../../src/machine/cpu/wasm/function.ts';
import { buildModule } from '../../src/machine/cpu/wasm/module.ts';
import type { Value } from '../../src/machine/cpu/wasm/value.ts';
import * as w from '../../src/machine/cpu/wasm/value.ts';
import { Random } from '../host-cpu/random.ts';

/** What emitted code computes by itself, lane by lane, against the exact core: right whenever it says so, and not too seldom. */

interface Operation {
  readonly name: string;
  readonly operands: 1 | 2 | 3;
  /** Of lanes drawn at random, so many in a hundred must be done without the exact core. */
  readonly atLeast: number;
  fast(m: Emitter, f: Lanes, a: Value, b: Value, c: Value): Fast;
  exact(f: Format, env: FloatEnvironment, a: Real, b: Real, c: Real): Real;
}

const operations: readonly Operation[] = [
  { name: 'add', operands: 2, atLeast: 50, fast: (m, f, a, b) => addition.fast(m, f, a, b), exact: addition.exact },
  { name: 'sub', operands: 2, atLeast: 50, fast: (m, f, a, b) => subtraction.fast(m, f, a, b), exact: subtraction.exact },
  { name: 'mul', operands: 2, atLeast: 40, fast: (m, f, a, b) => multiplication.fast(m, f, a, b), exact: multiplication.exact },
  { name: 'div', operands: 2, atLeast: 40, fast: (m, f, a, b) => division.fast(m, f, a, b), exact: division.exact },
  { name: 'sqrt', operands: 1, atLeast: 30, fast: (m, f, a) => root.fast(m, f, a), exact: (f, env, a) => root.exact(f, env, a, 0) },
  { name: 'min', operands: 2, atLeast: 60, fast: (m, f, a, b) => minimum.fast(m, f, a, b), exact: minimum.exact },
  { name: 'max', operands: 2, atLeast: 60, fast: (m, f, a, b) => maximum.fast(m, f, a, b), exact: maximum.exact },
  {
    name: 'fma',
    operands: 3,
    atLeast: 20,
    fast: (m, f, a, b, c) => (f === F32 ? fusedSingle(m, false, a, b, c) : fusedDouble(m, a, b, c)),
    exact: fma,
  },
];

const OUT = 64;
const VECTORS = 20_000;

/** A function that reads three vectors at 0 and leaves the result, and masks of what it says, at OUT. */
function build(o: Operation, f: Lanes): { readonly run: () => void; readonly memory: WebAssembly.Memory } {
  const body = new FunctionBuilder(['i32', 'i32', 'i32', 'i32']);
  const m = new Emitter(body);
  const [a, b, c] = [0, 16, 32].map((at) => m.let(w.loadV(w.i32(at))));
  const piece = o.fast(m, f, a!, b!, c!);
  const nothing = f.splat(0n);
  const good = m.let(piece.good);
  for (const [n, v] of [piece.result, piece.likely ?? nothing, good, piece.rounds?.exact?.() ?? nothing].entries())
    body.do(w.storeV(w.i32(OUT + n * 16), v));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(buildModule([], { run: body })), { env: { memory } });
  const run = exports['run'] as (c: number, pc: number, left: number, floor: number) => void;
  return { run: () => run(0, 0, 0, 0), memory };
}

/** Operands that come close to each other, to powers of two and to the ends of the range; the third one close to the product of the others. */
class Operands {
  readonly #random = new Random(20_260_524n);
  readonly #f: Lanes;
  constructor(f: Lanes) {
    this.#f = f;
  }

  draw(): bigint[] {
    const a = this.#one();
    const b = this.#random.chance(3) ? this.#near(a) : this.#one();
    const c = this.#random.chance(2) ? this.#near(this.#product(a, b)) : this.#one();
    return [a, b, c];
  }

  #one(): bigint {
    const random = this.#random;
    const { bytes, precision } = this.#f;
    const fractionBits = BigInt(precision - 1);
    const top = (1n << BigInt(bytes * 8 - precision)) - 1n;
    const bias = top >> 1n;
    const exponent =
      [
        (): bigint => BigInt(random.below(Number(top) + 1)),
        (): bigint => BigInt(random.below(4)),
        (): bigint => top - BigInt(random.below(3)),
        (): bigint => bias - fractionBits + BigInt(random.below(4)),
        (): bigint => (bias >> 1n) + BigInt(random.below(4)),
      ][random.below(14)] ?? ((): bigint => bias + BigInt(random.below(40) - 20));
    const fraction =
      [
        (): bigint => 0n,
        (): bigint => 1n,
        (): bigint => (1n << fractionBits) - 1n,
        (): bigint => (random.u64() >> BigInt(bytes * 8 - 10)) << (fractionBits - 12n),
      ][random.below(8)] ?? ((): bigint => random.u64());
    const sign = BigInt(random.below(2)) << BigInt(bytes * 8 - 1);
    return sign | (exponent() << fractionBits) | BigInt.asUintN(precision - 1, fraction());
  }

  /** A neighbour, or its negative. */
  #near(v: bigint): bigint {
    const bits = this.#f.bytes * 8;
    const moved = BigInt.asUintN(bits, v + BigInt(this.#random.below(7) - 3));
    return this.#random.chance(2) ? moved : moved ^ (1n << BigInt(bits - 1));
  }

  #product(a: bigint, b: bigint): bigint {
    const wide = new Float64Array(3);
    const bits = new BigUint64Array(wide.buffer);
    if (this.#f === F64) {
      bits.set([a, b]);
      wide[2] = wide[0]! * wide[1]!;
      return bits[2]!;
    }
    const narrow = new Float32Array(3);
    const words = new Uint32Array(narrow.buffer);
    words.set([Number(a), Number(b)]);
    narrow[2] = narrow[0]! * narrow[1]!;
    return BigInt(words[2]!);
  }
}

describe.each([
  [F32, f32],
  [F64, f64],
] as const)('%s fast paths', (lanes, format) => {
  const env = new FloatEnvironment('sse');

  it.each(operations.map((o) => [o.name, o] as const))(`${lanes.name} %s is exact where it claims to be`, (_name, o) => {
    const { run, memory } = build(o, lanes);
    const view = new DataView(memory.buffer);
    const { bytes, count } = lanes;
    const get = (at: number): bigint => (bytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
    const set = (at: number, v: bigint): void => (bytes === 8 ? view.setBigUint64(at, v, true) : view.setUint32(at, Number(v), true));
    const source = new Operands(lanes);
    const wrong: string[] = [];
    let done = 0;
    let quick = 0;
    let known = 0;
    for (let n = 0; n < VECTORS; n++) {
      // The masks of FMA are of f64 lanes, of which two f32 lanes share one: there all lanes are alike.
      const first = source.draw();
      const drawn = Array.from({ length: count }, () => (o.operands === 3 && lanes === F32 ? first : source.draw()));
      for (const [k, values] of drawn.entries()) for (const [x, v] of values.entries()) set(x * 16 + k * bytes, v);
      run();
      for (const [k, values] of drawn.entries()) {
        const [result, likely, good, exact] = [0, 1, 2, 3].map((x) => get(OUT + x * 16 + k * bytes)) as [bigint, bigint, bigint, bigint];
        const text = (): string => `${values.slice(0, o.operands).map((v) => v.toString(16)).join(' ')} gives ${result.toString(16)}`; // prettier-ignore
        if (likely !== 0n && good === 0n) wrong.push(`likely but not good: ${text()}`);
        if (good === 0n) continue;
        done++;
        if (likely !== 0n) quick++;
        env.useMxcsr(0x1f80);
        const [a, b, c] = values.map((v) => unpack(format, v));
        const expected = pack(format, o.exact(format, env, a!, b!, c!));
        if (expected !== result) wrong.push(`${text()} instead of ${expected.toString(16)}`);
        if ((env.flags & ~Exception.PE) !== 0) wrong.push(`${text()}, and exceptions ${env.flags}`);
        if (exact === 0n) continue;
        known++;
        if ((env.flags & Exception.PE) !== 0) wrong.push(`${text()}, which is not exact`);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect((done * 100) / (VECTORS * count)).toBeGreaterThan(o.atLeast);
    if (o.operands < 3 || lanes === F64) expect(quick).toBeGreaterThan(done / 3);
    if (!/min|max/.test(o.name)) expect(known).toBeGreaterThan(100);
  });
});
