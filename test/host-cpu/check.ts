import type { Case } from './case.ts';
import { describeCase, differences } from './compare.ts';
import { Emulator } from './emulator.ts';
import { runOnHost } from './host.ts';

let emulator: Emulator | undefined;

/** Runs cases on both sides; one line for each that differs. */
export function disagreements(cases: readonly Case[]): string[] {
  emulator ??= new Emulator();
  const host = runOnHost(cases);
  return cases.flatMap((c, n) => {
    const found = differences(c, host[n]!, emulator!.run(c));
    return found.length > 0 ? [`${describeCase(c)}\n    ${found.join('; ')}`] : [];
  });
}
