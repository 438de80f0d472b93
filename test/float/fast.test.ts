import { describe, expect, it } from 'vitest';
import { add, div, mul, sqrt } from '../../src/machine/cpu/float/arithmetic.ts';
import { FloatEnvironment } from '../../src/machine/cpu/float/environment.ts';
import * as fast from '../../src/machine/cpu/float/fast.ts';
import { f32, f64 } from '../../src/machine/cpu/float/format.ts';
import { pack, unpack } from '../../src/machine/cpu/float/real.ts';
import { Random } from '../host-cpu/random.ts';
import { datum, partner } from './operands.ts';

const view = new DataView(new ArrayBuffer(8));
const toNumber = {
  f32: (v: bigint): number => (view.setUint32(0, Number(v)), view.getFloat32(0)),
  f64: (v: bigint): number => (view.setBigUint64(0, v), view.getFloat64(0)),
};
const toBits = {
  f32: (v: number): bigint => (view.setFloat32(0, v), BigInt(view.getUint32(0))),
  f64: (v: number): bigint => (view.setFloat64(0, v), view.getBigUint64(0)),
};

describe.each([
  ['add64', f64, fast.add64, add],
  ['mul64', f64, fast.mul64, mul],
  ['div64', f64, fast.div64, div],
  ['sqrt64', f64, fast.sqrt64, sqrt],
  ['add32', f32, fast.add32, add],
  ['mul32', f32, fast.mul32, mul],
  ['div32', f32, fast.div32, div],
  ['sqrt32', f32, fast.sqrt32, sqrt],
] as const)('the fast path of %s', (_name, f, quick, exact) => {
  it('is the exact path in all rounding modes, result and PE, or declines', () => {
    const random = new Random(BigInt(f.precision));
    const env = new FloatEnvironment('sse');
    const name = f.name as 'f32' | 'f64';
    let done = 0;
    const wrong: string[] = [];
    for (let n = 0; n < 20_000; n++) {
      const a = datum(f, random);
      const b = partner(f, random, a);
      env.rounding = n % 4;
      const nearest = quick(toNumber[name](a), toNumber[name](b));
      const got = (name === 'f32' ? fast.directed32 : fast.directed64)(nearest, env.rounding);
      if (Number.isNaN(got)) continue;
      done++;
      env.flags = 0;
      const want = pack(f, exact(f, env, unpack(f, a), unpack(f, b)));
      if (toBits[name](got) !== want || fast.inexact !== env.flags)
        wrong.push(`${a.toString(16)} ${b.toString(16)} rounding ${env.rounding}: ${got} ${fast.inexact}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(done).toBeGreaterThan(2000);
  });
});
