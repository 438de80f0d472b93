import { expect, it } from 'vitest';
import { Random } from './random.ts';
import { randomProgram } from './program.ts';
import { shrink } from './shrink.ts';

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
