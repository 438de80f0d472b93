import { describe, expect, it } from 'vitest';
import { DEFAULT1 } from '../../src/machine/vmx/controls.ts';
import { entryContext, type CheckRow } from '../../src/machine/vmx/checks/check.ts';
import { controlChecks, guestChecks, hostChecks } from '../../src/machine/vmx/checks/index.ts';
import { lastFailure } from '../../src/machine/vmx/failure.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { checkCases, type CheckCase } from './check-cases.ts';
import { Rig, type Outcome } from './rig.ts';

const groups: readonly (readonly [rows: readonly CheckRow[], outcome: Outcome])[] = [
  [controlChecks, 'VMfail 7'],
  [hostChecks, 'VMfail 8'],
  [guestChecks, 'entry failure 33'],
];
const rows = groups.flatMap(([group]) => group);

function violated(rig: Rig): string[] {
  const c = entryContext(rig.cpu, rig.vmcs);
  return rows.filter((row) => (!row.when || row.when(c)) && !row.holds(c)).map((row) => row.id);
}

function prepare(id: string, mutate: 'bad' | 'good'): { rig: Rig; c: CheckCase } {
  const c = checkCases[id];
  if (!c) throw new Error(`row ${id} has no case`);
  const rig = new Rig(c.model, c.mode).ready();
  c.setup?.(rig);
  c[mutate](rig);
  return { rig, c };
}

// Rows that can hold in no reachable case by themselves: the word has no bits that must be 1.
const VACUOUS: ReadonlySet<string> = new Set(DEFAULT1.secondary === 0 ? ['control.secondary-must-be-1'] : []);
/** Violated only together with an earlier row, which is then the one reported. */
const SHADOWED: ReadonlyMap<string, string> = new Map([['host.size-0-guest', 'host.long-host']]);

describe.each(groups)('VM-entry checks, group %#', (group, outcome) => {
  describe.each(group.filter((row) => !VACUOUS.has(row.id)).map((row) => [row.id, row] as const))('%s', (id, row) => {
    it('is the rule named when it is violated', () => {
      const { rig, c } = prepare(id, 'bad');
      const reported = SHADOWED.get(id) ?? id;
      expect(violated(rig).sort()).toEqual([id, ...(c.also ?? [])].sort());
      const rip = rig.cpu.rip;
      expect(rig.launch()).toBe(outcome);
      const failure = lastFailure(rig.cpu)!;
      expect(failure.rule).toBe(reported);
      expect(failure.section).toBe(row.section);
      expect(failure.detail).not.toBe('');
      expect(rig.machine.messages.at(-1)).toContain(reported);
      expect(rig.vmcs.launchState).toBe(0);
      if (outcome === 'entry failure 33') {
        expect(rig.get(F.exitReason)).toBe(0x8000_0021n);
        expect(rig.get(F.exitQualification)).toBe(BigInt(row.qualification ?? 0));
        expect(rig.cpu.rip).toBe(rig.get(F.hostRip));
      } else {
        expect(rig.cpu.rip).toBe(rip + 3n);
      }
    });

    it('holds at its boundary', () => {
      const { rig } = prepare(id, 'good');
      expect(violated(rig)).toEqual([]);
      expect(rig.launch()).toBe('ok');
    });
  });
});

it('has no case without a row', () => {
  const ids = new Set(rows.map((row) => row.id));
  expect(Object.keys(checkCases).filter((id) => !ids.has(id))).toEqual([]);
  expect(ids.size).toBe(rows.length);
});
