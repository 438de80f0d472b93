import { describe, expect, it } from 'vitest';
import type { Mode } from './case.ts';
import { disagreements } from './check.ts';
import { generate } from './generate.ts';
import { Random } from './random.ts';
import { byName, isOrderly, testedRows, touchesMemory } from './tested-rows.ts';

/** Cases for each opcode row; the seeds are fixed so that a failure repeats. `npm run fuzz:cpu` goes on from there. */
const modes: readonly (readonly [Mode, number, number])[] = [
  ['64', 220, 20],
  ['32', 40, 16],
  ['32 based', 30, 16],
  ['32 small stack', 10, 8],
  ['16', 40, 16],
  ['16 big stack', 10, 8],
];
const SEED = 20_260_522n;

let total = 0;

describe.each(modes)('%s-bit code agrees with the host CPU', (mode, perRow, atEdges) => {
  const random = new Random(SEED + BigInt(modes.findIndex(([m]) => m === mode)));

  it.each(byName(testedRows(mode)))('%s', (_name, rows) => {
    const cases = rows.flatMap((row) => Array.from({ length: perRow }, () => generate(row, random, mode)));
    total += cases.length;
    expect(disagreements(cases).slice(0, 5)).toEqual([]);
  });

  // Memory operands that cross into a read-only page, into nothing, or beyond a segment's limit.
  it.each(byName(testedRows(mode).filter((r) => isOrderly(r) && touchesMemory(r))))('%s at the edges of memory', (_name, rows) => {
    const cases = rows.flatMap((row) => Array.from({ length: atEdges }, () => generate(row, random, mode, 'edge')));
    expect(disagreements(cases).slice(0, 5)).toEqual([]);
  });
});

it('ran at least 100,000 cases', () => {
  expect(total).toBeGreaterThan(100_000);
});
