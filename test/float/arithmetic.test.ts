import { describe, expect, it } from 'vitest';
import { add, div, fma, mul, sqrt, sub } from '../../src/machine/cpu/float/arithmetic.ts';
import { compare } from '../../src/machine/cpu/float/compare.ts';
import { convert, convertForStore, fromInteger, roundToIntegral, toInteger } from '../../src/machine/cpu/float/convert.ts';
import { FloatEnvironment, Rounding } from '../../src/machine/cpu/float/environment.ts';
import type { Format } from '../../src/machine/cpu/float/format.ts';
import { f16, f32, f64, f80 } from '../../src/machine/cpu/float/format.ts';
import type { Real } from '../../src/machine/cpu/float/real.ts';
import { pack, unpack } from '../../src/machine/cpu/float/real.ts';
import { remainder } from '../../src/machine/cpu/float/remainder.ts';
import { Random } from '../host-cpu/random.ts';
import type { Request, SseOperation, X87Operation } from './host.ts';
import { askHost } from './host.ts';
import { datum, partner } from './operands.ts';

/** The result of one operation, as host.c reports it. */
type Compute = (f: Format, env: FloatEnvironment, a: Real, b: Real, c: Real, bits: bigint) => bigint;

const u = (bits: number, v: bigint): bigint => BigInt.asUintN(bits, v);
const other = (f: Format): Format => (f === f32 ? f64 : f32);
const flagsOf = { less: 1, equal: 0x40, greater: 0, unordered: 0x45 };
/** cvtt...: the low half of the result register. */
const integer = (bits: number, zero: boolean): Compute => (_f, env, a) => u(bits, toInteger(env, a, bits, true, zero ? Rounding.zero : env.rounding)); // prettier-ignore

const sse: Record<SseOperation, Compute> = {
  add: (f, env, a, b) => pack(f, add(f, env, a, b)),
  sub: (f, env, a, b) => pack(f, sub(f, env, a, b)),
  mul: (f, env, a, b) => pack(f, mul(f, env, a, b)),
  div: (f, env, a, b) => pack(f, div(f, env, a, b)),
  sqrt: (f, env, a) => pack(f, sqrt(f, env, a)),
  fma: (f, env, a, b, c) => pack(f, fma(f, env, b, a, c)),
  compare: (_f, env, a, b) => BigInt(flagsOf[compare(env, a, b, false)]),
  quietCompare: (_f, env, a, b) => BigInt(flagsOf[compare(env, a, b, true)]),
  toI32: integer(32, false),
  toI64: integer(64, false),
  toI32Zero: integer(32, true),
  toI64Zero: integer(64, true),
  fromI32: (f, env, _a, _b, _c, bits) => pack(f, fromInteger(f, env, BigInt.asIntN(32, bits))),
  fromI64: (f, env, _a, _b, _c, bits) => pack(f, fromInteger(f, env, BigInt.asIntN(64, bits))),
  toOther: (f, env, a) => pack(other(f), convert(other(f), env, a)),
  round: (f, env, a) => pack(f, roundToIntegral(env, a)),
  fromHalf: (_f, env, _a, _b, _c, bits) => pack(f32, convert(f32, env, unpack(f16, u(16, bits)), false)),
  toHalf: (_f, env, a) => pack(f16, convert(f16, env, a)),
};
const resultBits = (r: Request, f: Format): number => {
  if (r.operation === 'toHalf') return 16;
  if (/32/.test(r.operation) && r.operation.startsWith('to')) return 32;
  const format = r.operation === 'toOther' ? other(f) : r.operation === 'fromHalf' ? f32 : f;
  return /compare|toI64/.test(r.operation) ? 64 : format === f32 ? 32 : 64;
};

const DAZ = 0x40;
const FTZ = 0x8000;
const MASKED = 0x1f80;
const differs = (r: Request, got: bigint, flags: number, want: bigint, wanted: number): string =>
  `${r.operation} ${r.a.toString(16)} ${r.b.toString(16)} ${r.c.toString(16)} control ${r.control.toString(16)}: ${got.toString(16)} ${flags.toString(16)}, host ${want.toString(16)} ${wanted.toString(16)}`;

describe.each([
  ['single', f32],
  ['double', f64],
] as const)('%s precision agrees with the host', (name, f) => {
  it.each(Object.keys(sse) as SseOperation[])('%s', (operation) => {
    if (/Half/.test(operation) && f === f64) return;
    const random = new Random(BigInt(f.precision * 100 + operation.length));
    const requests = Array.from({ length: 6000 }, (): Request => {
      const a = operation.startsWith('fromI') ? random.value() : operation === 'fromHalf' ? datum(f16, random) : datum(f, random);
      const b = partner(f, random, a);
      const special = random.below(8);
      const control = MASKED | (random.below(4) << 13) | (special & 1 ? 0 : special & 2 ? DAZ : special & 4 ? FTZ : DAZ | FTZ);
      return { operation, wide: f === f64, control, a, b, c: random.chance(2) ? datum(f, random) : 0n };
    });
    const env = new FloatEnvironment('sse');
    const found = askHost(requests).flatMap((host, n) => {
      const r = requests[n]!;
      env.useMxcsr(r.control);
      // Conversions to half precision ignore FTZ; those from and to integers see denormals as they are.
      if (/Half/.test(operation)) env.ftz = false;
      const [a, b, c] = [r.a, r.b, r.c].map((v) => unpack(f, u(f === f32 ? 32 : 64, v), env.daz)) as [Real, Real, Real];
      const got = sse[operation](f, env, a, b, c, r.a);
      const want = u(resultBits(r, f), host.result);
      return got === want && env.flags === (host.status & 0x3f) ? [] : [differs(r, got, env.flags, want, host.status & 0x3f)];
    });
    expect(found.slice(0, 5), `${found.length} of ${requests.length} in ${name} precision`).toEqual([]);
  });
});

const condition = { less: 0x100, equal: 0x4000, greater: 0, unordered: 0x4500 };

/** An x87 operation: result and condition codes; undefined where nothing is stored. */
type X87Compute = (env: FloatEnvironment, a: Real, b: Real, bits: bigint) => { readonly result: bigint; readonly codes?: number };
const register = (f: (env: FloatEnvironment, a: Real, b: Real) => Real): X87Compute => (env, a, b) => ({ result: pack(f80, f(env, a, b)) }); // prettier-ignore
const store =
  (f: Format): X87Compute =>
  (env, a) => {
    const stored = convertForStore(f, env, a);
    return { result: stored ? pack(f, stored) : 0n };
  };
const fist = (bits: number, rounding?: number): X87Compute => (env, a) => ({ result: u(bits, toInteger(env, a, bits, true, rounding)) }); // prettier-ignore
const load = (f: Format): X87Compute => (env, _a, _b, bits) => {
  env.precision = 64;
  return { result: pack(f80, convert(f80, env, unpack(f, u(f === f32 ? 32 : 64, bits)))) };
}; // prettier-ignore
const fprem =
  (nearest: boolean): X87Compute =>
  (env, a, b) => {
    const { result, quotient, partial } = remainder(env, a, b, nearest);
    const codes = (partial ? 0x400 : 0) | (quotient & 4 ? 0x100 : 0) | (quotient & 2 ? 0x4000 : 0) | (quotient & 1 ? 0x200 : 0);
    return { result: pack(f80, result), codes };
  };

const x87: Record<X87Operation, X87Compute> = {
  fadd: register((env, a, b) => add(f80, env, a, b)),
  fsub: register((env, a, b) => sub(f80, env, a, b)),
  fmul: register((env, a, b) => mul(f80, env, a, b)),
  fdiv: register((env, a, b) => div(f80, env, a, b)),
  fsqrt: register((env, a) => sqrt(f80, env, a)),
  frndint: register((env, a) => roundToIntegral(env, a, env.rounding, true, true)),
  fcom: (env, a, b, bits) => ({ result: bits, codes: condition[compare(env, a, b, false)] }),
  fucom: (env, a, b, bits) => ({ result: bits, codes: condition[compare(env, a, b, true)] }),
  fist16: fist(16),
  fist32: fist(32),
  fist64: fist(64),
  fistt64: fist(64, Rounding.zero),
  fild64: (env, _a, _b, bits) => {
    env.precision = 64;
    return { result: pack(f80, fromInteger(f80, env, BigInt.asIntN(64, bits))) };
  },
  fst32: store(f32),
  fst64: store(f64),
  fld32: load(f32),
  fld64: load(f64),
  fprem: fprem(false),
  fprem1: fprem(true),
};
const isStore = (operation: string): boolean => /^f(ist|st)/.test(operation);

describe('double extended precision agrees with the host', () => {
  it.each(Object.keys(x87) as X87Operation[])('%s', (operation) => {
    const random = new Random(BigInt(8000 + operation.length));
    const env = new FloatEnvironment('x87');
    const requests = Array.from({ length: 8000 }, (): Request => {
      const source = operation === 'fld32' ? f32 : operation === 'fld64' ? f64 : f80;
      const a = operation === 'fild64' ? random.value() : datum(source, random);
      const b = partner(f80, random, a);
      // All masked in half of the cases.
      const masks = random.chance(2) ? 0x3f : random.below(64);
      const control = masks | 0x40 | (random.pick([0, 2, 3, 3]) << 8) | (random.below(4) << 10);
      return { operation, control, a, b, c: 0n };
    });
    const found = askHost(requests).flatMap((host, n) => {
      const r = requests[n]!;
      env.useControlWord(r.control);
      const outcome = x87[operation](env, unpack(f80, r.a), unpack(f80, r.b), r.a);
      // An unmasked exception before the computation: nothing is stored.
      const unstored = env.stopped;
      const nothing = isStore(operation) || /^f(ld|ild)/.test(operation) ? 0n : r.a;
      const got = unstored ? nothing : outcome.result;
      const flags = env.settled | (env.stopped ? 0 : (outcome.codes ?? 0)) | (env.roundedUp && !env.stopped ? 0x200 : 0);
      const mask = 0x3f | (env.stopped ? 0 : 0x4700);
      const status = host.status & mask;
      if (unstored && /^f(ld|ild)/.test(operation)) return (flags & mask) === status ? [] : [differs(r, got, flags & mask, host.result, status)];
      return got === host.result && (flags & mask) === status ? [] : [differs(r, got, flags & mask, host.result, status)];
    });
    expect(found.slice(0, 5), `${found.length} of ${requests.length}`).toEqual([]);
  });
});
