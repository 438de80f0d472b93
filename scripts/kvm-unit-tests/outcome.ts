/** What a test said, from its lines and the exit status of vmxscope: (code << 1) | 1 of the code that it gave the debug exit. */
export interface Outcome {
  readonly verdict: 'clean' | 'FAILS' | 'skipped' | 'timeout' | 'aborted';
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly string[];
}

const exitStatus = (code: number): number => ((code << 1) | 1) & 0xff;
/** report_summary gives 0, 1 with failures, and 38 ("skip") when everything was skipped; 4 is vmxscope's own timeout. */
const [PASSED, SKIPPED, TIMEOUT] = [exitStatus(0), exitStatus(38), 4];

export function outcomeOf(status: number | null, output: string): Outcome {
  const lines = output.split('\n');
  const starting = (word: string): string[] => lines.filter((l) => l.startsWith(`${word}:`));
  const failures = starting('FAIL').map((l) => l.slice(6));
  const counts = { passed: starting('PASS').length, failed: failures.length, skipped: starting('SKIP').length, failures };
  if (status === TIMEOUT) return { verdict: 'timeout', ...counts };
  if (failures.length > 0) return { verdict: 'FAILS', ...counts };
  if (status === SKIPPED) return { verdict: 'skipped', ...counts };
  return { verdict: status === PASSED ? 'clean' : 'aborted', ...counts };
}
