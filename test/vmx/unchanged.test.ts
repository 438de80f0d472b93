import { describe, expect, it } from 'vitest';
import { entryContext } from '../../src/machine/vmx/checks/check.ts';
import { controlChecks, guestChecks, hostChecks } from '../../src/machine/vmx/checks/index.ts';
import { checkedBefore, controlChecksAgain, guestChecksAgain, rememberChecked } from '../../src/machine/vmx/checks/unchanged.ts';
import { DEFAULT1 } from '../../src/machine/vmx/controls.ts';
import { lastFailure } from '../../src/machine/vmx/failure.ts';
import { F, fields } from '../../src/machine/vmx/fields.ts';
import { checkCases } from './check-cases.ts';
import { Rig } from './rig.ts';

const rows = [...controlChecks, ...hostChecks, ...guestChecks];
const context = (rig: Rig) => entryContext(rig.cpu, rig.vmcs);
const unchanged = (rig: Rig): boolean => checkedBefore(rig.cpu, rig.vmcs) !== undefined;
const passes = (rig: Rig): boolean => {
  const c = context(rig);
  return rows.every((row) => (row.when && !row.when(c)) || row.holds(c));
};
const VACUOUS: ReadonlySet<string> = new Set(DEFAULT1.secondary === 0 ? ['control.secondary-must-be-1'] : []);

describe('a VMCS that passed all checks and then came to violate one', () => {
  it.each(rows.map((r) => r.id).filter((id) => !VACUOUS.has(id)))('%s is found', (id) => {
    const c = checkCases[id]!;
    const rig = new Rig(c.model, c.mode).ready();
    c.setup?.(rig);
    const before = fields.map((f) => rig.vmcs.read(f));
    if (!passes(rig)) c.good(rig);
    expect(passes(rig)).toBe(true);
    rememberChecked(context(rig));
    expect(unchanged(rig)).toBe(true);
    fields.forEach((f, n) => rig.vmcs.write(f, before[n]!));
    c.bad(rig);
    expect(passes(rig)).toBe(false);
    expect(rig.launch()).toMatch(/^(VMfail|entry failure)/);
    const fresh = new Rig(c.model, c.mode).ready();
    c.setup?.(fresh);
    c.bad(fresh);
    fresh.launch();
    expect(lastFailure(rig.cpu)).toEqual(lastFailure(fresh.cpu));
  });
});

describe('what counts as unchanged', () => {
  const checked = (): Rig => {
    const rig = new Rig().ready();
    rememberChecked(context(rig));
    return rig;
  };
  const free = new Set([F.guestRip, F.guestRsp].map((f) => f.name));
  it.each(fields.filter((f) => f.class !== 'exit').map((f) => [f.name, f] as const))('%s', (name, f) => {
    const rig = checked();
    rig.set(f, rig.get(f) ^ 2n);
    expect(unchanged(rig)).toBe(free.has(name));
  });
  it.each(fields.filter((f) => f.class === 'exit').map((f) => [f.name, f] as const))('%s is no matter of VM entry', (_, f) => {
    const rig = checked();
    rig.set(f, rig.get(f) ^ 2n);
    expect(unchanged(rig)).toBe(true);
  });
  it.each([
    [0xcd5n & ~0n, true],
    [1n << 9n, false], // IF
    [1n << 8n, false], // TF
    [1n << 17n, false], // VM
    [1n << 40n, false],
  ])('RFLAGS changed by %i: %s', (change, expected) => {
    const rig = checked();
    rig.set(F.guestRflags, rig.get(F.guestRflags) ^ change);
    expect(unchanged(rig)).toBe(expected);
  });
  it('another VMCS at another address was not checked', () => {
    const rig = new Rig().ready();
    expect(unchanged(rig)).toBe(false);
  });
  it.each([
    [F.guestRip, 0xffff_ffffn, true],
    [F.guestRip, 1n << 32n, false],
    [F.guestRip, 1n << 63n, false],
    [F.guestRsp, 0xffff_ffff_ffff_ffffn, true],
  ])('$name changed by %i: %s', (f, change, expected) => {
    const rig = checked();
    rig.set(f, rig.get(f) ^ change);
    expect(unchanged(rig)).toBe(expected);
  });
  it('the rows asked again are the ones about memory', () => {
    expect([...controlChecksAgain, ...guestChecksAgain].map((r) => r.id).sort()).toEqual(
      ['control.tpr-threshold-vtpr', 'guest.link-revision', 'guest.pdptes-memory'].sort(),
    );
  });
});
