/**
 * Features that mean nothing without others: taking one away takes those that need it along, and adding one whose needs are not met is a
 * mistake. SDM Vol. 1, 12 to 14 (how each extension is detected), and 13.2 for XSAVE's.
 */
export const dependencies: Readonly<Record<string, string>> = {
  sse: 'fxsr',
  sse2: 'sse',
  sse3: 'sse2',
  ssse3: 'sse3',
  'sse4.1': 'ssse3',
  'sse4.2': 'sse4.1',
  aes: 'sse2',
  pclmulqdq: 'sse2',
  sha: 'sse2',
  xsaveopt: 'xsave',
  xsavec: 'xsave',
  xgetbv1: 'xsave',
  xsaves: 'xsavec',
  avx: 'xsave',
  avx2: 'avx',
  fma: 'avx',
  f16c: 'avx',
  pku: 'xsave',
  mpx: 'xsave',
  x2apic: 'apic',
  'tsc-deadline': 'apic',
  pdcm: 'arch-perfmon',
  lahf64: 'lm',
  pdpe1gb: 'lm',
};

/** A set of features without those whose needs are not in it. */
export function consistent(features: ReadonlySet<string>): Set<string> {
  const kept = new Set(features);
  for (let changed = true; changed;) {
    changed = false;
    for (const feature of kept) {
      const need = dependencies[feature];
      if (need !== undefined && !kept.has(need)) changed = kept.delete(feature) || changed;
    }
  }
  return kept;
}
