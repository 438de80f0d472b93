import { describe, expect, it } from 'vitest';
import { vmxscope } from '../support/vmxscope.ts';
import { rowsWith } from './rows.ts';
import { walk, type Walk } from './walk.ts';

const counts = ({ stops }: Walk): string[] => stops.map((s) => `${s.symbol} ${s.retired.join('+')}`);
const total = (retired: readonly number[]): number => retired.reduce((a, b) => a + b, 0);

interface Report {
  readonly instructions: number;
  readonly cpus: readonly { readonly at: string }[];
}

async function report(args: readonly string[]): Promise<Report> {
  const { stdout, stderr, status } = await vmxscope(['run', '--serial', 'none', '--json', ...args]);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Report;
}

describe.each([1, 2])('%i CPU(s)', (cpus) => {
  const rows = rowsWith(cpus);
  const smp = ['--smp', `${cpus}`];

  it('two runs retire the same instructions up to every row', async () => {
    const [a, b] = await Promise.all([walk(smp, rows), walk(smp, rows)]);
    expect(a.stops).toHaveLength(rows.length);
    expect(counts(b)).toEqual(counts(a));
  });

  it('watching changes nothing: all breakpoints, one breakpoint, no debugger', async () => {
    const last = rows.at(-1)!;
    const [all, one, none] = await Promise.all([walk(smp, rows), walk(smp, [last]), report([...smp, '--until', last.symbol])]);
    expect(total(one.stops[0]!.retired)).toBe(total(all.stops.at(-1)!.retired));
    expect(none.instructions).toBe(total(all.stops.at(-1)!.retired));
  });

  it('stepping changes nothing either', async () => {
    const stepped = walk(smp, [{ symbol: 'uefi_init' }, { symbol: 'vmlaunch' }], { at: { uefi_init: ['stepi 200', 'step', 'next', 'next'] } });
    const [a, b] = await Promise.all([stepped, walk(smp, [{ symbol: 'vmlaunch' }])]);
    expect(total(a.stops[1]!.retired)).toBe(total(b.stops[0]!.retired));
  });

  it('two runs of the same length end at the same place', async () => {
    const args = [...smp, '--stop-after', '200000'];
    const [a, b] = await Promise.all([report(args), report(args)]);
    expect(a.instructions).toBe(200_000);
    expect(b.cpus).toEqual(a.cpus);
  });
});
