import { expect, it } from 'vitest';
import { generate } from './generate.ts';
import { Random } from './random.ts';
import { randomProgram } from './program.ts';
import { shrink } from './shrink.ts';
import { testedRows } from './tested-rows.ts';

it('a failing program shrinks to the piece that fails, with registers at 0', () => {
  const random = new Random(4n);
  let program = randomProgram('64', random);
  // "Fails" by the CMP EAX, EDX that follows undefined flags; a program that has one.
  const bad = (code: Uint8Array): boolean => Buffer.from(code).includes(Buffer.from([0x39, 0xc2]));
  while (!bad(program.code)) program = randomProgram('64', random);
  const small = shrink(program, (candidates) => candidates.map((c) => bad(c.code)));
  expect(bad(small.code)).toBe(true);
  expect(small.code.length).toBeLessThan(12);
  expect(small.gpr.every((v) => v === 0n)).toBe(true);
});

it('a failing vector case shrinks to the lane that fails', () => {
  const random = new Random(5n);
  const row = testedRows('64').find((r) => r.encoding === 'NP 0F 58 /r')!; // ADDPS
  const c = generate(row, random);
  const lane = c.xmm.findIndex((v) => v !== 0n);
  const small = shrink(c, (candidates) => candidates.map((k) => k.xmm[lane] === c.xmm[lane]));
  expect(small.xmm.filter((v) => v !== 0n)).toEqual([c.xmm[lane]]);
  expect([small.mxcsr, small.flags, small.ymmHigh?.some((v) => v !== 0n)]).toEqual([0x1f80, 0, false]);
});
