/**
 * The rows whose names match, compared with the host's CPU, and how each differs: while an instruction is being written.
 *
 *     npx tsx test/host-cpu/rows.ts '^v?addps$' [--mode 64] [--where data|edge] [--codes 20] [--states 8] [--tier 0|1] [--seed N] [--all]
 */
import { parseArgs } from 'node:util';
import type { Case, Mode } from './case.ts';
import { describeCase, differences } from './compare.ts';
import type { Where } from './draft.ts';
import { Emulator } from './emulator.ts';
import { generateSeveral } from './generate.ts';
import { runOnHost } from './host.ts';
import { Random } from './random.ts';
import { testedRows } from './tested-rows.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: 'string', default: '64' },
    where: { type: 'string', default: 'data' },
    codes: { type: 'string', default: '20' },
    states: { type: 'string', default: '8' },
    tier: { type: 'string', default: '01' },
    seed: { type: 'string', default: '1' },
    all: { type: 'boolean', default: false },
  },
});
const mode = values.mode as Mode;
const pattern = new RegExp(positionals[0] ?? '.');
const rows = testedRows(mode).filter((r) => pattern.test(r.name));
const random = new Random(BigInt(values.seed));
const cases = rows.flatMap((row) =>
  Array.from({ length: Number(values.codes) }, () => generateSeveral(row, random, mode, values.where as Where, Number(values.states))).flat(),
);
const host = runOnHost(cases);

for (const tier of [...values.tier].map(Number)) {
  const emulator = new Emulator(tier === 0 ? 0 : 1);
  const failures = new Map<string, string[]>();
  const start = performance.now();
  for (const [n, c] of cases.entries()) {
    const found = check(emulator, c, n);
    if (found.length > 0) failures.set(c.name, [...(failures.get(c.name) ?? []), `${describeCase(c)}\n      ${found.join('; ')}`]);
  }
  const count = [...failures.values()].reduce((sum, list) => sum + list.length, 0);
  const each = ((performance.now() - start) * 1000) / cases.length;
  console.log(`tier ${tier}: ${rows.length} rows, ${cases.length} cases, ${count} differ (${each.toFixed(0)} us a case)`);
  for (const [name, list] of failures) console.log(`  ${name}: ${list.length}\n    ${(values.all ? list : list.slice(0, 1)).join('\n    ')}`);
}

function check(emulator: Emulator, c: Case, n: number): string[] {
  try {
    return differences(c, host[n]!, emulator.run(c));
  } catch (error) {
    return [`the emulator failed: ${(error as Error).stack?.split('\n').slice(0, 3).join(' ')}`];
  }
}
