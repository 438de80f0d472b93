import type { Probe } from './probe.ts';

type Methods = { [K in keyof Probe]-?: NonNullable<Probe[K]> };

/** One probe that tells all of them; null when there are none. A method exists only if one of them has it. */
export function mergeProbes(probes: readonly Probe[]): Probe | null {
  if (probes.length === 0) return null;
  if (probes.length === 1) return probes[0]!;
  const merged: Partial<Record<keyof Probe, (...args: never[]) => void>> = {};
  const names = new Set(probes.flatMap((p) => Object.keys(p) as (keyof Methods)[]));
  for (const name of names) {
    const listeners = probes.filter((p) => p[name] !== undefined);
    merged[name] = (...args: never[]) => {
      for (const p of listeners) (p[name] as (...a: never[]) => void).apply(p, args);
    };
  }
  return merged as Probe;
}
