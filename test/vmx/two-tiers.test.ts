import { describe, expect, it } from 'vitest';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { VmxFeatureName } from '../../src/machine/vmx/features.ts';
import { ExitReason } from '../../src/machine/vmx/reasons.ts';
import { Random } from '../host-cpu/random.ts';
import { bytes } from '../support/bytes.ts';
import { cpuState } from '../support/cpu-state.ts';
import { offeredControls } from './random-vm/controls.ts';
import { guestKinds } from './random-vm/kinds.ts';
import { randomSetup, TICKS, virtualMachine } from './random-vm/machine.ts';
import { Place } from './random-vm/places.ts';

const ram = ({ linear }: Machine): Buffer => Buffer.from(linear.u8.buffer, linear.u8.length - linear.ramSize, linear.ramSize);

/** Runs in one piece, or in several. */
function run(machine: Machine, length: number, pieces: number): string {
  let kind = 'quantum';
  for (let n = 0, left = length; n < pieces && kind === 'quantum'; n++) {
    const now = n === pieces - 1 ? left : Math.floor(left / 2);
    if (now > 0) kind = machine.run(now).kind;
    left -= now;
  }
  return kind;
}

/** How many: VMX_TWO_TIERS=n runs n. */
const PROGRAMS = Number(process.env['VMX_TWO_TIERS'] ?? 40);
const FIRST = Number(process.env['VMX_TWO_TIERS_FIRST'] ?? 0);

const E = ExitReason;
/** Exits that come from events rather than instructions. */
const EVENTS: readonly number[] = [
  ...[E.exceptionOrNmi, E.externalInterrupt, E.init, E.interruptWindow, E.nmiWindow, E.monitorTrapFlag, E.preemptionTimer, E.eptViolation, E.pmlFull],
  ...[E.apicAccess, E.apicWrite, E.virtualizedEoi, E.tprBelowThreshold],
];

describe('virtual machines are the same in both tiers', () => {
  it('with random controls, random guest code and random events', () => {
    const reasons = new Set<number>();
    const controls = new Set<string>();
    const kinds = new Set<string>();
    let entered = 0;
    let compiledInstructions = 0;
    for (let n = FIRST; n < FIRST + PROGRAMS; n++) {
      const setup = randomSetup(n);
      const random = new Random(BigInt(n));
      const [interpreted, compiled] = [virtualMachine(setup, { mode: 'interp' }), virtualMachine(setup, { mode: 'jit', threshold: 1 })];
      const name = `program ${n} on ${setup.model}, ${setup.controls.kind.name}, ${[...setup.controls.features].join(' ')}`;
      for (let done = 0, piece = 0; done < TICKS; piece++) {
        const length = random.chance(4) ? 1 + random.below(70) : 1 + random.below(1500);
        // However a run is divided, and whatever is forgotten on the way.
        if (random.chance(30)) interpreted.machine.restore(interpreted.machine.snapshot());
        const ends = [run(interpreted.machine, length, 1), run(compiled.machine, length, 1 + random.below(3))];
        expect(ends[1], `${name}, piece ${piece}`).toBe(ends[0]);
        expect(cpuState(compiled.machine, 0, true), `${name}, piece ${piece}`).toEqual(cpuState(interpreted.machine, 0, true));
        expect(compiled.exits, `${name}, piece ${piece}`).toEqual(interpreted.exits);
        if (ends[0] !== 'quantum' && !(ends[0] === 'idle' && interpreted.machine.clock.nextDeadline() < Infinity)) break;
        done += length;
      }
      expect(Buffer.compare(ram(compiled.machine), ram(interpreted.machine)), `${name}: memory`).toBe(0);
      expect(compiled.failures).toEqual(interpreted.failures);
      for (const { reason } of interpreted.exits) reasons.add(reason);
      if (interpreted.exits.length > 3) entered++;
      for (const c of interpreted.controls) controls.add(c);
      if (interpreted.controls.size > 0) kinds.add(setup.controls.kind.name);
      compiledInstructions += compiled.machine.runner.regions.instructions;
      expect(interpreted.machine.runner.regions.instructions).toBe(0);
    }
    // The comparison says something only if guests ran, in regions, and left for many reasons.
    expect(entered).toBeGreaterThan(PROGRAMS / 3);
    expect(compiledInstructions).toBeGreaterThan(PROGRAMS * 1000);
    expect([...kinds].sort()).toEqual(guestKinds.map((k) => k.name).sort());
    // Every control that is offered was on, and each kind of event had its exit.
    expect([...controls].sort()).toEqual(offeredControls(cpuModel('max')!).sort());
    expect(EVENTS.filter((reason) => !reasons.has(reason))).toEqual([]);
    expect(reasons.size).toBeGreaterThan(30);
  }, 600_000);

  it('with EPT and a hot loop, whose every thousandth pass exits', () => {
    // mov rbx, 0x600800; 1: mov ecx, 1000; 2: add [rbx], rcx; imul rdx, rcx, 7; xor rax, rdx; dec ecx; jnz 2b; vmcall; jmp 1b
    const code = bytes('48c7c300086000 b9e8030000 48010b 486bd107 4831d0 ffc9 75f2 0f01c1 ebe8');
    const features = new Set<VmxFeatureName>(['secondary-controls', 'ept']);
    const controls = { features, kind: guestKinds[0]!, seed: 1n, permissions: 0x407, timer: 0 };
    const setup = { model: 'skylake', code, controls, arrivals: [] };
    const both = [virtualMachine(setup, { mode: 'interp' }), virtualMachine(setup, { mode: 'jit', threshold: 1 })] as const;
    const random = new Random(9n);
    for (let left = 1_000_000; left > 0;) {
      const length = Math.min(left, 1 + random.below(40_000));
      for (const { machine } of both) expect(machine.run(length).kind).toBe('quantum');
      expect(cpuState(both[1].machine)).toEqual(cpuState(both[0].machine));
      left -= length;
    }
    const [interpreted, compiled] = both;
    expect(compiled.exits).toEqual(interpreted.exits);
    expect(new Set(compiled.exits.map((e) => e.reason))).toEqual(new Set([ExitReason.vmcall]));
    const period = compiled.exits[2]!.retired - compiled.exits[1]!.retired;
    // 5000 instructions of the inner loop, mov, vmcall, jmp; the rest is the hypervisor.
    expect(period).toBeGreaterThan(5003);
    const first = compiled.exits[0]!.retired;
    expect(compiled.exits.length).toBe(1 + Math.floor((Number(compiled.machine.cpus[0]!.retired) - first) / period));
    expect(compiled.machine.memory.read(Place.counts + ExitReason.vmcall * 4, 4)).toBe(compiled.exits.length);
    expect(compiled.machine.runner.regions.instructions).toBeGreaterThan(900_000);
    expect(Buffer.compare(ram(compiled.machine), ram(interpreted.machine))).toBe(0);
  }, 60_000);
});
