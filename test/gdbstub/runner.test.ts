import { afterEach, describe, expect, test, vi } from 'vitest';
import { Runner, type IdlePolicy } from '../../src/gdbstub/runner.ts';
import { MachineTarget } from '../../src/gdbstub/machine/machine-target.ts';
import type { StopReason } from '../../src/machine/stop.ts';
import { BODY, COUNTER, LOOP, START } from './harness.ts';
import { ToyMachine } from './toy-machine.ts';

/** A runner on a toy machine, whose stops are awaited one at a time. */
function setUp(options: { cpus?: number; code?: Uint8Array; idle?: IdlePolicy; onStop?: (reason: StopReason, runner: Runner) => void } = {}) {
  const machine = new ToyMachine(options.cpus ?? 1, START, options.code ?? LOOP);
  const target = new MachineTarget(machine);
  const stops: StopReason[] = [];
  let wake: () => void = () => {};
  const runner: Runner = new Runner(
    target,
    (reason) => {
      stops.push(reason);
      options.onStop?.(reason, runner);
      wake();
    },
    options.idle,
  );
  running.push(runner);
  const next = async (): Promise<StopReason> => {
    while (stops.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return stops.shift()!;
  };
  return { machine, target, runner, stops, next };
}

const running: Runner[] = [];
afterEach(() => {
  for (const runner of running.splice(0)) runner.halt();
});

describe('runner', () => {
  test('a step is done before resume returns', () => {
    const { runner, stops, machine } = setUp();
    runner.resume({ kind: 'step', thread: 1 });
    expect(stops).toEqual([{ kind: 'step', cpu: 0 }]);
    expect(machine.cpus[0]!.rip).toBe(BODY);
    expect(runner.running).toBe(false);
  });

  test('while one CPU steps the other stands', () => {
    const { runner, machine } = setUp({ cpus: 2 });
    runner.resume({ kind: 'step', thread: 2 });
    expect(machine.cpus.map((c) => c.rip)).toEqual([START, BODY]);
  });

  test('a breakpoint near is reported before resume returns', () => {
    const { runner, target, stops } = setUp();
    target.breakpoints.insert('software', BODY, 1);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(stops).toEqual([{ kind: 'breakpoint', cpu: 0, id: 1 }]);
  });

  test('continuing from a breakpoint comes round to it again', () => {
    const { runner, target, stops, machine } = setUp();
    target.breakpoints.insert('software', BODY, 1);
    for (let n = 0; n < 3; n++) runner.resume({ kind: 'continue', threads: 'all' });
    expect(stops).toHaveLength(3);
    expect(machine.cpus[0]!.gpr(0)).toBe(2n);
  });

  test('interrupt stops an endless loop, and at once', async () => {
    const { runner, stops } = setUp();
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(stops).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    runner.interrupt();
    expect(stops).toEqual([{ kind: 'interrupted', cpu: 0 }]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stops).toHaveLength(1);
  });

  test('interrupt of a stopped machine says nothing', () => {
    const { runner, stops } = setUp();
    runner.interrupt();
    expect(stops).toEqual([]);
  });

  test('a range step ends outside the range', () => {
    const { runner, stops, machine } = setUp();
    machine.cpus[0]!.rip = BODY;
    runner.resume({ kind: 'range', thread: 1, start: BODY, end: BODY + 0x13n });
    expect(stops).toEqual([{ kind: 'step', cpu: 0 }]);
    expect(machine.cpus[0]!.rip).toBe(BODY + 0x13n);
  });

  test('a range step stops at a breakpoint inside', () => {
    const { runner, stops, target, machine } = setUp();
    machine.cpus[0]!.rip = BODY;
    target.breakpoints.insert('hardware', BODY + 3n, 1);
    runner.resume({ kind: 'range', thread: 1, start: BODY, end: BODY + 0x13n });
    expect(stops).toEqual([{ kind: 'breakpoint', cpu: 0, id: 1 }]);
  });

  test('a range step of an endless loop yields and can be interrupted', async () => {
    const { runner, next } = setUp({ code: Uint8Array.from([0xeb, 0xfe]) });
    runner.resume({ kind: 'range', thread: 1, start: START, end: START + 2n });
    setTimeout(() => runner.interrupt(), 10);
    expect(await next()).toEqual({ kind: 'interrupted', cpu: 0 });
  });

  test('one CPU continues alone while the other stands', async () => {
    const { runner, target, machine, next } = setUp({ cpus: 2 });
    target.breakpoints.insert('software', BODY, 1);
    runner.resume({ kind: 'continue', threads: [2] });
    expect(await next()).toEqual({ kind: 'breakpoint', cpu: 1, id: 1 });
    expect(machine.cpus[0]!.rip).toBe(START);
  });

  test('a watchpoint', async () => {
    const { runner, target, next, machine } = setUp();
    target.breakpoints.insert('write', COUNTER, 8);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next()).toEqual({ kind: 'watchpoint', cpu: 0, id: 1, address: COUNTER, access: 'write' });
    expect(machine.memory.read64(Number(COUNTER)), 'after the write').toBe(1n);
  });

  test('a breakpoint set at the very next instruction after an image event is hit', async () => {
    const { runner, target, machine, next } = setUp();
    machine.scripted.push({ kind: 'image', cpu: 0 });
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next()).toEqual({ kind: 'image', cpu: 0 });
    target.breakpoints.insert('software', START, 1);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next()).toEqual({ kind: 'breakpoint', cpu: 0, id: 1 });
    expect(machine.executed).toBe(0);
  });

  test('a breakpoint where the quantum ended, or where another CPU stands, is hit', async () => {
    const { runner, target, machine, next } = setUp({ cpus: 2 });
    machine.cpus[1]!.rip = BODY;
    target.breakpoints.insert('software', BODY, 1);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next()).toEqual({ kind: 'breakpoint', cpu: 1, id: 1 });
    expect(machine.executed).toBe(0);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next(), 'the first CPU comes there').toEqual({ kind: 'breakpoint', cpu: 0, id: 1 });
    expect(machine.cpus[1]!.gpr(0), 'the second one has gone past it').toBe(1n);
  });

  test('a halted CPU does not hit the breakpoint that it stands at', async () => {
    const { runner, target, machine, stops } = setUp();
    machine.cpus[0]!.activity = 1;
    target.breakpoints.insert('software', START, 1);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(stops).toEqual([]);
    runner.halt();
  });

  test('a physical breakpoint', async () => {
    const { runner, target, next } = setUp();
    target.physicalMode.set(true);
    target.breakpoints.insert('software', BODY, 1);
    target.physicalMode.set(false);
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next()).toEqual({ kind: 'breakpoint', cpu: 0, id: 1 });
    target.breakpoints.remove('software', BODY, 1);
    expect(target.breakpointAt(0)).toBeUndefined();
  });

  test('a listener that resumes from inside does not recurse', async () => {
    const { runner, machine, target, next } = setUp({
      onStop: (reason, r) => reason.kind === 'image' && r.resume({ kind: 'continue', threads: 'all' }),
    });
    target.breakpoints.insert('software', BODY, 1);
    machine.scripted.push(...Array.from({ length: 50_000 }, () => ({ kind: 'image', cpu: 0 }) as const));
    runner.resume({ kind: 'continue', threads: 'all' });
    let last = await next();
    while (last.kind === 'image') last = await next();
    expect(last.kind).toBe('breakpoint');
  });

  test('a reset by the guest is no stop', async () => {
    const { runner, machine, next } = setUp({ code: Uint8Array.from([0xe6, 0xf4]) });
    machine.scripted.push({ kind: 'reset' });
    runner.resume({ kind: 'continue', threads: 'all' });
    expect(await next()).toEqual({ kind: 'power-off' });
  });
});

describe('idle', () => {
  const HALT = Uint8Array.from([0xf4, 0x90, 0xeb, 0xfd]);

  test('does not spin when no timer is armed, and can be interrupted', async () => {
    const { runner, machine, stops } = setUp({ code: HALT });
    const run = vi.spyOn(machine, 'run');
    runner.resume({ kind: 'continue', threads: 'all' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(run.mock.calls.length).toBeLessThanOrEqual(2);
    runner.interrupt();
    expect(stops).toEqual([{ kind: 'interrupted', cpu: 0 }]);
  });

  test('wake runs on', async () => {
    const { runner, machine, next, target } = setUp({ code: HALT });
    target.breakpoints.insert('software', START + 1n, 1);
    runner.resume({ kind: 'continue', threads: 'all' });
    await new Promise((resolve) => setTimeout(resolve, 10));
    machine.cpus[0]!.activity = 0;
    runner.wake();
    expect(await next()).toMatchObject({ kind: 'breakpoint' });
  });

  test('the policy says how long to sleep', async () => {
    const asked: number[] = [];
    const { runner, machine, next } = setUp({ code: Uint8Array.from([0xe6, 0xf4]), idle: (until) => (asked.push(until), 5) });
    machine.scripted.push({ kind: 'idle', until: 1000 }, { kind: 'idle', until: 2000 });
    const before = performance.now();
    runner.resume({ kind: 'continue', threads: 'all' });
    await next();
    expect(asked).toEqual([1000, 2000]);
    expect(performance.now() - before).toBeGreaterThanOrEqual(8);
  });

  test('a step over hlt waits for the wake-up', async () => {
    const { runner, machine, stops, next } = setUp({ code: HALT });
    machine.cpus[0]!.activity = 1;
    runner.resume({ kind: 'step', thread: 1 });
    expect(stops).toEqual([]);
    machine.cpus[0]!.activity = 0;
    runner.wake();
    expect(await next()).toEqual({ kind: 'step', cpu: 0 });
  });
});
