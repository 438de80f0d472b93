import { describe, expect, it } from 'vitest';
import type { Program } from './assembler.ts';
import { MAX_CODE, setups } from './case.ts';
import type { Mode } from './case.ts';
import { programDisagreements } from './check.ts';
import { randomProgram } from './program.ts';
import { Random } from './random.ts';
import { randomTransfer, transferKinds } from './transfer.ts';
import { farKinds, randomFar } from './far.ts';
import { randomTrap, trapKinds } from './trap.ts';

const SEED = 20_260_523n;
const modes = Object.keys(setups) as Mode[];

/** As many programs as asked for that fit into the harness's code buffer. */
function programs(count: number, make: () => Program): Program[] {
  const out: Program[] = [];
  while (out.length < count) {
    const p = make();
    if (p.code.length <= MAX_CODE) out.push(p);
  }
  return out;
}

describe.each(modes)('%s-bit programs end as on the host CPU, in blocks, in pieces and single-stepped', (mode) => {
  const random = new Random(SEED + BigInt(modes.indexOf(mode)));

  it('random programs', () => {
    expect(
      programDisagreements(
        programs(240, () => randomProgram(mode, random)),
        120,
      ).slice(0, 3),
    ).toEqual([]);
  });

  it.each(transferKinds)('near transfers: %s', (kind) => {
    expect(
      programDisagreements(
        programs(120, () => randomTransfer(mode, kind, random)),
        12,
      ).slice(0, 3),
    ).toEqual([]);
  });

  it.each(farKinds(mode))('segments: %s', (kind) => {
    expect(
      programDisagreements(
        programs(120, () => randomFar(mode, kind, random)),
        12,
      ).slice(0, 3),
    ).toEqual([]);
  });

  it.each(trapKinds(mode))('single-step traps: %s', (kind) => {
    expect(
      programDisagreements(
        programs(60, () => randomTrap(mode, kind, random)),
        12,
      ).slice(0, 3),
    ).toEqual([]);
  });
});
