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
export function disagreement(c: Case, host: Outcome, pieces: readonly number[] = [], compiled = true): string[] {
  const out: string[] = [];
  let count = -1;
  for (const [tier, emulator] of tiers()
    .slice(0, compiled ? 2 : 1)
    .entries()) {
    const whole = emulator.run(c);
    if (tier === 0) ({ count } = whole);
    const found = differences(c, host, whole);
    if (whole.count !== count && host.vector !== ENDLESS) found.push(`${whole.count} ticks instead of ${count}`);
    // Tier 1 in pieces: test/cpu compares the tiers at random instruction counts.
    for (const piece of tier === 0 ? pieces : []) {
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

/** Programs run whole and in pieces; the first so many also in tier 1, where each costs the compilation of all its blocks. */
export function programDisagreements(programs: readonly Case[], compiled: number): string[] {
  const host = runOnHost(programs);
  return programs.flatMap((c, n) => {
    const found = disagreement(c, host[n]!, PIECES, n < compiled);
    return found.length > 0 ? [`${describeCase(c)}\n    ${found.join('; ')}`] : [];
  });
}

export { PIECES };
