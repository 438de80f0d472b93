import type { Case, Outcome } from './case.ts';
import { ENDLESS } from './case.ts';
import { describeCase, differences } from './compare.ts';
import { Emulator } from './emulator.ts';
import { runOnHost } from './host.ts';

let shared: readonly Emulator[] | undefined;
const tiers = (): readonly Emulator[] => (shared ??= [new Emulator(0), new Emulator(1)]);

/** Pieces that a program is also run in: it must end in the same state after the same count. */
const PIECES = [1, 7, 70];

/** How the emulator, in either tier, disagrees with the host about one case; empty when it does not. */
export function disagreement(c: Case, host: Outcome, pieces: readonly number[] = []): string[] {
  const out: string[] = [];
  let count = -1;
  for (const [tier, emulator] of tiers().entries()) {
    const whole = emulator.run(c);
    if (tier === 0) ({ count } = whole);
    const found = differences(c, host, whole);
    if (whole.count !== count && host.vector !== ENDLESS) found.push(`${whole.count} ticks instead of ${count}`);
    for (const piece of pieces) {
      const parts = emulator.run(c, piece);
      found.push(...differences(c, host, parts).map((d) => `in pieces of ${piece}: ${d}`));
      if (parts.count !== count && host.vector !== ENDLESS) found.push(`in pieces of ${piece}: ${parts.count} ticks instead of ${count}`);
    }
    out.push(...found.map((d) => (tier === 0 ? d : `tier ${tier}: ${d}`)));
  }
  return out;
}

/** Runs cases on both sides; a text for each that differs. */
export const disagreements = (cases: readonly Case[], pieces: readonly number[] = []): string[] => disagreementsWith(cases, runOnHost(cases), pieces);

/** The same where the host has answered already. */
export function disagreementsWith(cases: readonly Case[], host: readonly Outcome[], pieces: readonly number[] = []): string[] {
  return cases.flatMap((c, n) => {
    const found = disagreement(c, host[n]!, pieces);
    return found.length > 0 ? [`${describeCase(c)}\n    ${found.join('; ')}`] : [];
  });
}

export const programDisagreements = (programs: readonly Case[]): string[] => disagreements(programs, PIECES);
export { PIECES };
