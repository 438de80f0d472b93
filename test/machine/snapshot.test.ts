import { describe, expect, it } from 'vitest';
import { SnapshotError } from '../../src/machine/snapshot.ts';
import type { Snapshot } from '../../src/machine/snapshot.ts';
import { guestMachine, runTo } from '../support/guest-machine.ts';

/** Everything but caches: the TLB slots of the CPU block are left out. */
function comparable(s: Snapshot): unknown {
  return { clock: s.clock, scheduler: s.scheduler, devices: s.devices, firmware: s.firmware, pages: [...s.ram.keys()] };
}

function sameBytes(a: Snapshot, b: Snapshot): number[] {
  return [...a.ram].filter(([page, bytes]) => Buffer.compare(bytes, b.ram.get(page) ?? new Uint8Array()) !== 0).map(([page]) => page);
}

describe.each([
  { cpu: 'skylake', smp: 1, at: 20_000n, what: 'in the loader' },
  { cpu: 'skylake', smp: 1, at: 100_000n, what: 'in VMX root operation or before' },
  { cpu: 'skylake', smp: 1, at: 140_000n, what: 'as a VMX guest' },
  { cpu: 'penryn', smp: 1, at: 56_500n, what: 'as a VMX guest without EPT' },
  { cpu: 'nehalem', smp: 2, at: 150_000n, what: 'with two CPUs' },
])('snapshot of $cpu with $smp CPUs at $at, $what', ({ cpu, smp, at }) => {
  it('restored into another machine runs on to the same end', () => {
    const first = guestMachine({ cpu, smp });
    runTo(first.machine, at);
    const snapshot = first.machine.snapshot();
    const second = guestMachine({ cpu, smp });
    second.machine.restore(snapshot);
    const end = at + 60_000n;
    runTo(first.machine, end);
    runTo(second.machine, end);
    const [a, b] = [first.machine.snapshot(), second.machine.snapshot()];
    expect(comparable(b)).toEqual(comparable(a));
    expect(sameBytes(a, b)).toEqual([]);
    expect(second.machine.cpus.map((c) => c.rip)).toEqual(first.machine.cpus.map((c) => c.rip));
  });

  it('taken and restored in the middle, the same machine goes the same way twice', () => {
    const { machine } = guestMachine({ cpu, smp });
    runTo(machine, at);
    const snapshot = machine.snapshot();
    runTo(machine, at + 40_000n);
    const once = machine.snapshot();
    machine.restore(snapshot);
    runTo(machine, at + 40_000n);
    const again = machine.snapshot();
    expect(comparable(again)).toEqual(comparable(once));
    expect(sameBytes(once, again)).toEqual([]);
  });
});

it('a snapshot of another kind of machine is refused with the reason', () => {
  const snapshot = guestMachine().machine.snapshot();
  expect(() => guestMachine({ cpu: 'penryn' }).machine.restore(snapshot)).toThrow(SnapshotError);
  expect(() => guestMachine({ smp: 2 }).machine.restore(snapshot)).toThrow(/with CPUs 1; this one has 2/);
  expect(() => guestMachine({ ramSize: 256 << 20 }).machine.restore(snapshot)).toThrow(/RAM/);
});
