import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { differences, describeCase } from './compare.ts';
import { Emulator } from './emulator.ts';
import { generate, testedRows } from './generate.ts';
import { runOnHost } from './host.ts';
import { Random } from './random.ts';

/** Cases for each opcode row; the seed is fixed so that a failure repeats. `npm run fuzz:cpu` goes on from there. */
const PER_ROW = 300;
const SEED = 20_260_522n;

const byName = new Map<string, Row[]>();
for (const row of testedRows) byName.set(row.name, [...(byName.get(row.name) ?? []), row]);

describe('64-bit mode agrees with the host CPU', () => {
  const emulator = new Emulator();
  const random = new Random(SEED);
  let total = 0;

  it.each([...byName])('%s', (_name, rows) => {
    const cases = rows.flatMap((row) => Array.from({ length: PER_ROW }, () => generate(row, random)));
    const host = runOnHost(cases);
    const failures = cases.flatMap((c, n) => {
      const found = differences(c, host[n]!, emulator.run(c));
      return found.length > 0 ? [`${describeCase(c)}\n    ${found.join('; ')}`] : [];
    });
    total += cases.length;
    expect(failures.slice(0, 5)).toEqual([]);
  });

  it('ran at least 100,000 cases', () => {
    expect(total).toBeGreaterThan(100_000);
  });
});
