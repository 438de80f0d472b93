import { describe, expect, it } from 'vitest';
import { MAX_CODE, setups } from '../host-cpu/case.ts';
import type { Mode } from '../host-cpu/case.ts';
import { Emulator } from '../host-cpu/emulator.ts';
import { randomProgram } from '../host-cpu/program.ts';
import { Random } from '../host-cpu/random.ts';

const SEED = 77_001n;
const modes = Object.keys(setups) as Mode[];

/** Random programs (loops, calls, strings, faults, code that changes itself) in tier 0 and in tier 1: registers, flags, memory, counts. */
describe.each(modes)('%s-bit programs are the same in both tiers', (mode) => {
  const random = new Random(SEED + BigInt(modes.indexOf(mode)));
  const count = Number(process.env['TWO_TIERS'] ?? 60);

  it('run at once, and in odd pieces', () => {
    const tiers = [new Emulator(0), new Emulator(1)] as const;
    for (let n = 0; n < count; n++) {
      const program = randomProgram(mode, random);
      if (program.code.length > MAX_CODE) continue;
      const piece = random.chance(2) ? undefined : 64 + random.below(400);
      const [interpreted, compiled] = tiers.map((t) => t.run(program, piece));
      expect(compiled, `program ${n}: ${Buffer.from(program.code).toString('hex')}`).toEqual(interpreted);
    }
  });
});
