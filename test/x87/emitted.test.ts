import { describe, expect, it } from 'vitest';
import { disagreements } from '../host-cpu/check.ts';
import { Random } from '../host-cpu/random.ts';
import { f80 } from '../../src/machine/cpu/float/format.ts';
import { partner } from '../float/operands.ts';
import { extended, x87Case } from './cases.ts';

const BIAS = 16383;

/** The state in which emitted code computes by itself: all masked, 64 bits, to nearest; and next to it. */
const words = [0x37f, 0x37f, 0x37f, 0x27f, 0x77f, 0x35f];

/** Normal numbers with near exponents: sums that cancel, carries, ties. */
function operands(random: Random): bigint[] {
  const significand = (): bigint => {
    const bits = random.u64() & ~(random.chance(2) ? (1n << BigInt(random.below(64))) - 1n : 0n);
    return (1n << 63n) | bits;
  };
  const a = extended((random.below(2) << 15) | (BIAS + random.below(8)), significand());
  const b = random.chance(3) ? partner(f80, random, a) : extended((random.below(2) << 15) | (BIAS + random.below(70) - 35), significand());
  return [a, b];
}

const registerForms = {
  fadd: [0xd8, 0xc1], fmul: [0xd8, 0xc9], fsub: [0xd8, 0xe1], fsubr: [0xd8, 0xe9], fdiv: [0xd8, 0xf1], fdivr: [0xd8, 0xf9], fcom: [0xd8, 0xd1],
  fadd_sti: [0xdc, 0xc1], fsub_sti: [0xdc, 0xe9], fdiv_sti: [0xdc, 0xf9], faddp: [0xde, 0xc1], fmulp: [0xde, 0xc9], fsubp: [0xde, 0xe9], fsubrp: [0xde, 0xe1],
  fdivp: [0xde, 0xf9], fdivrp: [0xde, 0xf1], fucompp: [0xda, 0xe9], fxch: [0xd9, 0xc9], fchs: [0xd9, 0xe0], fabs: [0xd9, 0xe1], fst_m32: [0xd9, 0x13],
  fst_m64: [0xdd, 0x13], fstp_m32: [0xd9, 0x1b], fstp_m64: [0xdd, 0x1b],
} as const; // prettier-ignore

describe('common x87 instructions on common operands agree with the host', () => {
  it.each(Object.entries(registerForms))('%s', (name, code) => {
    const random = new Random(BigInt(code[0] * 256 + code[1]));
    const cases = Array.from({ length: 600 }, () => x87Case(name, code, { fcw: random.pick(words), stack: operands(random) }));
    expect(disagreements(cases).slice(0, 3)).toEqual([]);
  });

  it('a chain of them, each on what the one before left', () => {
    const random = new Random(7n);
    const steps = [[0xd8, 0xc1], [0xd8, 0xc9], [0xd8, 0xf1], [0xd8, 0xe1], [0xd9, 0xc9], [0xdd, 0x13, 0xdc, 0x03], [0xd9, 0x13, 0xd8, 0x0b], [0xd9, 0xc0, 0xde, 0xc9]] as const; // prettier-ignore
    const cases = Array.from({ length: 400 }, () =>
      x87Case('fadd', Array.from({ length: 24 }, () => random.pick(steps)).flat(), { fcw: random.pick(words), stack: operands(random) }),
    );
    expect(disagreements(cases).slice(0, 3)).toEqual([]);
  });
});
