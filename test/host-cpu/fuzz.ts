/**
 * Endless random cases on the host's CPU and on the emulator: `npm run fuzz:cpu -- [--seed N] [--seconds N]`. A difference is made as
 * small as possible and printed, and ends the run with status 1. A round is a function of its seed: `--seed` repeats it.
 */
import { parseArgs } from 'node:util';
import type { Case, Mode } from './case.ts';
import { MAX_CODE, setups } from './case.ts';
import { disagreement, disagreements, PIECES } from './check.ts';
import { describeCase } from './compare.ts';
import { farKinds, randomFar } from './far.ts';
import { generate } from './generate.ts';
import { runOnHost } from './host.ts';
import { randomProgram } from './program.ts';
import { Random } from './random.ts';
import { shrink } from './shrink.ts';
import { isOrderly, testedRows, touchesMemory } from './tested-rows.ts';
import { randomTransfer, transferKinds } from './transfer.ts';
import { randomTrap, trapKinds } from './trap.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' }, seconds: { type: 'string' } } });
const PER_ROUND = 1000;
const modes = Object.keys(setups) as Mode[];

function anyCase(random: Random): Case {
  const mode = random.pick(modes);
  switch (random.below(8)) {
    case 0:
    case 1:
      return generate(random.pick(testedRows(mode)), random, mode);
    case 2:
      return generate(random.pick(testedRows(mode).filter((r) => isOrderly(r) && touchesMemory(r))), random, mode, 'edge');
    case 3:
      return randomTransfer(mode, random.pick(transferKinds), random);
    case 4:
      return randomFar(mode, random.pick(farKinds(mode)), random);
    case 5:
      return randomTrap(mode, random.pick(trapKinds(mode)), random);
    default:
      return randomProgram(mode, random);
  }
}

const fails = (cases: readonly Case[]): boolean[] => {
  const host = runOnHost(cases);
  return cases.map((c, n) => disagreement(c, host[n]!, PIECES).length > 0);
};

const until = values.seconds === undefined ? Infinity : Date.now() + Number(values.seconds) * 1000;
let seed = values.seed === undefined ? BigInt(Date.now()) : BigInt(values.seed);
let total = 0;
do {
  const random = new Random(seed);
  const cases = Array.from({ length: PER_ROUND }, () => anyCase(random)).filter((c) => c.code.length <= MAX_CODE);
  const failing = fails(cases).indexOf(true);
  total += cases.length;
  if (failing >= 0) {
    const small = shrink(cases[failing]!, fails);
    console.log(
      `\nseed ${seed}: the host and the emulator differ:\n${describeCase(cases[failing]!)}\nmade small:\n${disagreements([small], PIECES).join('\n')}`,
    );
    process.exitCode = 1;
    break;
  }
  process.stdout.write(`\rseed ${seed}: ${total} cases agree `);
  seed++;
} while (Date.now() < until);
console.log();
