import { describe, expect, it } from 'vitest';
import { disagreements } from '../host-cpu/check.ts';
import { Random } from '../host-cpu/random.ts';
import { extended, x87Case } from './cases.ts';

const BIAS = 16383;

/** Opcode, and the exponents of ST(0) and ST(1) where the function is defined and interesting; FYL2X wants a positive ST(0). */
const functions = {
  fsin: { opcode: 0xfe, st0: [-70, 63], st1: [0, 1], positive: false },
  fcos: { opcode: 0xff, st0: [-70, 63], st1: [0, 1], positive: false },
  fptan: { opcode: 0xf2, st0: [-70, 63], st1: [0, 1], positive: false },
  fsincos: { opcode: 0xfb, st0: [-70, 63], st1: [0, 1], positive: false },
  f2xm1: { opcode: 0xf0, st0: [-70, -1], st1: [0, 1], positive: false },
  fyl2x: { opcode: 0xf1, st0: [-4, 4], st1: [-20, 20], positive: true },
  fyl2xp1: { opcode: 0xf9, st0: [-70, -3], st1: [-20, 20], positive: false },
  fpatan: { opcode: 0xf3, st0: [-10, 10], st1: [-10, 10], positive: false },
} as const;

/** The comparison allows one unit in the last place (test/host-cpu/relaxations.ts). */
describe('transcendental functions are within 1 ulp of the host', () => {
  it.each(Object.entries(functions))('%s, in every rounding mode', (name, f) => {
    const random = new Random(BigInt(f.opcode));
    const number = ([low, high]: readonly [number, number], positive: boolean): bigint => {
      const sign = positive ? 0 : random.below(2) << 15;
      const significand = (1n << 63n) | (random.chance(8) ? 0n : random.u64());
      return extended(sign | (BIAS + low + random.below(high - low)), significand);
    };
    const cases = Array.from({ length: 1500 }, () =>
      x87Case(name, [0xd9, f.opcode], { fcw: 0x37f | (random.below(4) << 10), stack: [number(f.st0, f.positive), number(f.st1, false)] }),
    );
    expect(disagreements(cases).slice(0, 3)).toEqual([]);
  });

  it('leaves arguments of 2^63 and more alone, with C2', () => {
    const cases = ['fsin', 'fcos', 'fptan', 'fsincos'].flatMap((name) =>
      [63, 64, 16383].map((e) =>
        x87Case(name, [0xd9, functions[name as 'fsin'].opcode], { fsw: 0x4300, stack: [extended(BIAS + e, 0xc000_0000_0000_0000n)] }),
      ),
    );
    expect(disagreements(cases)).toEqual([]);
  });
});
