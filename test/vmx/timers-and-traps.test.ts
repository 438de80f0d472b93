import { describe, expect, it } from 'vitest';
import { Activity } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { readTsc } from '../../src/machine/cpu/msr.ts';
import { Exit, Pin, Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { PREEMPTION_TIMER_SHIFT } from '../../src/machine/vmx/features.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { handlerOf, insn, Rig } from './rig.ts';

const PERIOD = 1 << PREEMPTION_TIMER_SHIFT;
const P = L.Pending;

/** One instruction of the guest retires. */
const retire = ({ cpu }: Rig, n = 1n): void => cpu.setU64(L.RETIRED, cpu.retired + n);

describe('VMX-preemption timer (SDM Vol. 3, 26.5.1 and 27.7.4)', () => {
  const timed = (value: number, prepare: (rig: Rig) => void = () => {}): Rig =>
    new Rig().inGuest((rig) => {
      rig.bits(F.pinControls, Pin.preemptionTimer);
      rig.set(F.preemptionTimer, value);
      prepare(rig);
    });

  it.each([1, 2, 7, 100, 0xffff])('value %d: exits after that many changes of the TSC bit, not before', (value) => {
    const rig = timed(value);
    rig.machine.clock.advance(value * PERIOD - 1);
    expect(rig.boundary()).toBe('nothing');
    rig.machine.clock.advance(1);
    expect(rig.cpu.pending & P.window).not.toBe(0);
    expect(rig.boundary()).toBe('exit 52');
    expect(rig.get(F.exitQualification)).toBe(0n);
    expect(rig.get(F.exitInstructionLength)).toBe(0n);
  });

  it('value 0 exits before the first instruction', () => {
    const rig = timed(0);
    expect(rig.cpu.pending & P.window).not.toBe(0);
    expect(rig.boundary()).toBe('exit 52');
  });

  it('value 0 with an event injected exits before the first instruction of the handler', () => {
    const rig = timed(0, (r) => {
      r.set(F.guestRflags, 0x202);
      r.set(F.entryInterruptionInfo, 0x8000_0030);
    });
    expect(rig.boundary()).toBe('exit 52');
    expect(rig.get(F.guestRip)).toBe(handlerOf(0x30));
  });

  it.each([
    [Activity.hlt, 'exit 52'],
    [Activity.shutdown, 'exit 52'],
    [Activity.waitForSipi, 'nothing'],
  ] as const)('in activity state %d: %s', (activity, outcome) => {
    const rig = timed(5, (r) => r.set(F.guestActivity, activity));
    rig.machine.clock.advance(5 * PERIOD);
    expect(rig.boundary()).toBe(outcome);
    if (outcome !== 'nothing') expect(rig.get(F.guestActivity)).toBe(BigInt(activity));
  });

  it.each([
    [true, 100, 30, 70n],
    [true, 100, 100, 0n],
    [true, 100, 5000, 0n],
    [false, 100, 30, 100n],
  ])('saved on exit %s: %d after %d is %d', (save, value, passed, left) => {
    const rig = timed(value, (r) => r.bits(F.exitControls, save ? Exit.savePreemptionTimer : 0));
    rig.machine.clock.advance(passed * PERIOD);
    rig.run(insn('cpuid', { length: 2 }));
    expect(rig.get(F.preemptionTimer)).toBe(left);
    expect(rig.machine.clock.timers.every((t) => t.due === Infinity)).toBe(true);
  });

  it('does not run after the exit', () => {
    const rig = timed(10);
    rig.run(insn('cpuid', { length: 2 }));
    rig.machine.clock.advance(100 * PERIOD);
    rig.bits(F.pinControls, 0, Pin.preemptionTimer);
    expect(rig.run(insn('vmresume'))).toBe('ok');
    expect(rig.boundary()).toBe('nothing');
  });

  it.each([
    ['a debug trap comes first', P.debug, 0, 'nothing'],
    ['INIT comes first', P.init, 0, 'exit 3'],
    ['before an NMI window', 0, Primary.nmiWindowExiting, 'exit 52'],
    ['before an NMI', P.nmi, 0, 'exit 52'],
    ['before an interrupt window', 0, Primary.interruptWindowExiting, 'exit 52'],
  ])('%s', (_, pending, windows, outcome) => {
    const rig = timed(1, (r) => {
      r.bits(F.pinControls, Pin.nmiExiting | Pin.virtualNmis);
      r.primary(windows);
      r.set(F.guestRflags, 0x202);
    });
    rig.machine.clock.advance(PERIOD);
    rig.cpu.raise(pending);
    expect(rig.boundary()).toBe(outcome);
  });
});

describe('monitor trap flag (SDM Vol. 3, 26.5.2)', () => {
  const trapped = (prepare: (rig: Rig) => void = () => {}): Rig =>
    new Rig().inGuest((rig) => {
      rig.primary(Primary.monitorTrapFlag);
      prepare(rig);
    });

  it('exits after the first instruction', () => {
    const rig = trapped();
    expect(rig.cpu.guest!.monitorTrap).toBe(true);
    expect(rig.boundary()).toBe('nothing');
    expect(rig.boundary()).toBe('nothing');
    retire(rig);
    expect(rig.boundary()).toBe('exit 37');
    expect(rig.get(F.exitQualification)).toBe(0n);
  });

  it('exits before the handler of an event that the entry injects', () => {
    const rig = trapped((r) => {
      r.set(F.guestRflags, 0x202);
      r.set(F.entryInterruptionInfo, 0x8000_0030);
    });
    expect(rig.boundary()).toBe('exit 37');
    expect(rig.get(F.guestRip)).toBe(handlerOf(0x30));
  });

  it.each([0, 1])('a pending MTF VM exit is injected (type 7), activity state %d', (activity) => {
    const rig = new Rig().inGuest((r) => {
      r.set(F.entryInterruptionInfo, 0x8000_0700);
      r.set(F.guestActivity, activity);
    });
    expect(rig.cpu.guest!.monitorTrap ?? false).toBe(false);
    expect(rig.boundary()).toBe('exit 37');
    expect(rig.get(F.guestActivity)).toBe(BigInt(activity));
  });

  it('comes before a debug trap, after INIT', () => {
    const rig = trapped();
    rig.boundary();
    retire(rig);
    rig.cpu.raise(P.debug);
    expect(rig.boundary()).toBe('exit 37');
    const init = trapped();
    init.boundary();
    retire(init);
    init.cpu.raise(P.init);
    expect(init.boundary()).toBe('exit 3');
  });

  it('is not held off by blocking by MOV SS', () => {
    const rig = trapped((r) => r.set(F.guestInterruptibility, 2));
    rig.boundary();
    retire(rig);
    expect(rig.boundary()).toBe('exit 37');
  });

  it('ends with the guest', () => {
    const rig = trapped();
    rig.run(insn('cpuid', { length: 2 }));
    rig.bits(F.primaryControls, 0, Primary.monitorTrapFlag);
    rig.run(insn('vmresume'));
    retire(rig, 5n);
    expect(rig.boundary()).toBe('nothing');
  });
});

describe('PAUSE-loop exiting (SDM Vol. 3, 25.6.13)', () => {
  const pausing = (gap: number, window: number): Rig =>
    new Rig().inGuest((rig) => {
      rig.secondary(Secondary.pauseLoopExiting);
      rig.set(F.pleGap, gap);
      rig.set(F.pleWindow, window);
    });
  const pauseAfter = (rig: Rig, ticks: number): string => {
    rig.machine.clock.advance(ticks);
    return rig.run(insn('pause', { length: 2 }));
  };

  it('a loop longer than the window exits', () => {
    const rig = pausing(10, 100);
    expect(pauseAfter(rig, 1000)).toBe('ok');
    for (let n = 0; n < 10; n++) expect(pauseAfter(rig, 10)).toBe('ok');
    expect(pauseAfter(rig, 1)).toBe('exit 40');
    expect(rig.get(F.exitInstructionLength)).toBe(2n);
  });

  it('a gap begins another loop', () => {
    const rig = pausing(10, 100);
    for (let n = 0; n < 50; n++) expect(pauseAfter(rig, 11)).toBe('ok');
  });

  it('does not count at CPL 3', () => {
    const rig = pausing(10, 20);
    rig.cpu.setU32(L.CPL, 3);
    for (let n = 0; n < 50; n++) expect(pauseAfter(rig, 5)).toBe('ok');
  });

  it('VM entry begins another loop', () => {
    const rig = pausing(10, 20);
    expect(pauseAfter(rig, 5)).toBe('ok');
    expect(pauseAfter(rig, 9)).toBe('ok');
    rig.run(insn('cpuid', { length: 2 }));
    rig.run(insn('vmresume'));
    expect(pauseAfter(rig, 9)).toBe('ok');
    expect(pauseAfter(rig, 9)).toBe('ok');
    expect(pauseAfter(rig, 9)).toBe('ok');
    expect(pauseAfter(rig, 9)).toBe('exit 40');
  });
});

describe('TSC offset and multiplier (SDM Vol. 3, 25.6.5 and 26.3)', () => {
  it.each([
    ['neither', 0, 0, 1n << 48n, 0x100n, 0n, 5000n],
    ['offset', Primary.useTscOffsetting, 0, 1n << 48n, 0x100n, 0n, 5256n],
    ['scaling by 1', Primary.useTscOffsetting, Secondary.useTscScaling, 1n << 48n, 0n, 0n, 5000n],
    ['scaling by 1/2', Primary.useTscOffsetting, Secondary.useTscScaling, 1n << 47n, 0n, 0n, 2500n],
    ['scaling by 3/2 and an offset', Primary.useTscOffsetting, Secondary.useTscScaling, 3n << 47n, 7n, 0n, 7507n],
    ['scaling by 2^15', Primary.useTscOffsetting, Secondary.useTscScaling, 1n << 63n, 0n, 0n, 5000n << 15n],
    ['scaling without offsetting does nothing', 0, Secondary.useTscScaling, 1n << 47n, 5n, 0n, 5000n],
    ['scaling of a large TSC wraps', Primary.useTscOffsetting, Secondary.useTscScaling, 2n << 48n, 0n, 1n << 63n, 10000n],
    ['a negative offset', Primary.useTscOffsetting, 0, 1n, 0xffff_ffff_ffff_ffffn, 0n, 4999n],
  ])('%s', (_, primary, secondary, multiplier, offset, adjust, expected) => {
    const rig = new Rig().inGuest((r) => {
      r.primary(primary);
      r.secondary(secondary);
      r.set(F.tscMultiplier, multiplier);
      r.set(F.tscOffset, offset);
    });
    rig.cpu.setU64(L.TSC_ADJUST, adjust);
    rig.machine.clock.advance(5000);
    expect(readTsc(rig.cpu)).toBe(expected);
    rig.run(insn('cpuid', { length: 2 }));
    expect(readTsc(rig.cpu)).toBe(BigInt.asUintN(64, 5000n + adjust));
  });
});
