// npm run fuzz:cpu [-- SEED]: random cases on the host's CPU and on the emulator, without end. Prints the seed, and on a
// difference a case as simple as it could be made; then it ends with status 1.
import { pathToFileURL } from 'node:url';
import type { Case, Mode } from './case.ts';
import { disagreements } from './check.ts';
import { generate } from './generate.ts';
import { Random } from './random.ts';
import { isOrderly, testedRows, touchesMemory } from './tested-rows.ts';

const modes: readonly Mode[] = ['64', '32', '32 based', '32 small stack', '16', '16 big stack'];
const BATCH = 2000;

/** One batch: half of the memory operands at the edges of memory. */
export function batch(seed: bigint, size = BATCH): Case[] {
  const random = new Random(seed);
  return Array.from({ length: size }, () => {
    const mode = random.pick(modes);
    const row = random.pick(testedRows(mode));
    return generate(row, random, mode, isOrderly(row) && touchesMemory(row) && random.chance(2) ? 'edge' : undefined);
  });
}

/** The same case with as many registers and flags zeroed as still differ. */
export function shrink(c: Case, differs: (c: Case) => boolean): Case {
  let best = c;
  const attempt = (candidate: Case): void => {
    if (differs(candidate)) best = candidate;
  };
  for (let n = 0; n < best.gpr.length; n++) if (best.gpr[n] !== 0n) attempt({ ...best, gpr: best.gpr.with(n, 0n) });
  for (let n = 0; n < best.xmm.length; n++) if (best.xmm[n] !== 0n) attempt({ ...best, xmm: best.xmm.with(n, 0n) });
  if (best.flags !== 0) attempt({ ...best, flags: 0 });
  return best;
}

function main(): void {
  let seed = BigInt(process.argv[2] ?? Date.now());
  for (let done = 0; ; seed++) {
    const cases = batch(seed);
    const failing = disagreements(cases).length > 0 ? cases.find((c) => disagreements([c]).length > 0) : undefined;
    if (failing) {
      const simple = shrink(failing, (c) => disagreements([c]).length > 0);
      process.stdout.write(`\nseed ${seed}: the emulator differs from the host's CPU\n${disagreements([simple]).join('\n')}\n`);
      process.exit(1);
    }
    done += cases.length;
    process.stdout.write(`\rseed ${seed}: ${done.toLocaleString('en')} cases agree `);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
