import type { Case, Outcome } from './case.ts';
import { ENDLESS } from './case.ts';
import { describeCase, differences } from './compare.ts';
import { Emulator } from './emulator.ts';
import { runOnHost } from './host.ts';

let shared: Emulator | undefined;
const emulator = (): Emulator => (shared ??= new Emulator());

/** Pieces that a program is also run in: it must end in the same state after the same count. */
const PIECES = [1, 7, 70];

/** How the emulator disagrees with the host about one case; empty when it does not. */
export function disagreement(c: Case, host: Outcome, pieces: readonly number[] = []): string[] {
  const whole = emulator().run(c);
  const out = differences(c, host, whole);
  for (const piece of pieces) {
    const parts = emulator().run(c, piece);
    out.push(...differences(c, host, parts).map((d) => `in pieces of ${piece}: ${d}`));
    if (parts.count !== whole.count && host.vector !== ENDLESS) out.push(`in pieces of ${piece}: ${parts.count} ticks instead of ${whole.count}`);
  }
  return out;
}

/** Runs cases on both sides; a text for each that differs. */
export function disagreements(cases: readonly Case[], pieces: readonly number[] = []): string[] {
  const host = runOnHost(cases);
  return cases.flatMap((c, n) => {
    const found = disagreement(c, host[n]!, pieces);
    return found.length > 0 ? [`${describeCase(c)}\n    ${found.join('; ')}`] : [];
  });
}

export const programDisagreements = (programs: readonly Case[]): string[] => disagreements(programs, PIECES);
export { PIECES };
