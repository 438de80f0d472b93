import { readFileSync } from 'node:fs';
import { featuresOf } from '../../src/machine/cpu/isa/features.ts';
import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { CORE2_FEATURES } from '../../src/machine/cpu/models/base.ts';

/** Linux's names of features where they are not ours. */
const linuxNames: Readonly<Record<string, string>> = {
  sse3: 'pni',
  'sse4.1': 'sse4_1',
  'sse4.2': 'sse4_2',
  sha: 'sha_ni',
  lzcnt: 'abm',
  prefetchw: '3dnowprefetch',
  clflush: 'clflush',
};

const flags = new Set(/^flags\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' '));
const has = (feature: string): boolean => flags.has(linuxNames[feature] ?? feature);

/** Features of a row that the host's CPU does not have: it cannot say what the row does. */
export const missingFeatures = (row: Row): string[] => featuresOf(row).filter((f) => !has(f));

/** What any host must have, or the comparison is worth nothing. */
export const baseline: ReadonlySet<string> = new Set(CORE2_FEATURES);
