import { describe, expect, it } from 'vitest';
import { Activity } from '../../src/machine/cpu/cpu.ts';
import { skylake } from '../../src/machine/cpu/models/skylake.ts';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import { createLog } from '../../src/machine/log.ts';
import { Machine } from '../../src/machine/machine.ts';

/** pause; inc ax; jmp back, and without the PAUSE. */
const SPINS = [0xf3, 0x90, 0x40, 0xeb, 0xfb];
const WORKS = [0x40, 0xeb, 0xfd];
const SLICE = 4096;

/** A machine whose CPUs run these programs in real mode. */
function machineWith(...programs: readonly (readonly number[])[]): Machine {
  const machine = new Machine({ ramSize: 16 << 20, cpus: programs.length, model: skylake, log: createLog(() => {}), startDate: 0 });
  for (const [n, program] of programs.entries()) {
    const cpu = machine.cpus[n]!;
    machine.memory.poke(0x1000 * (n + 1), Uint8Array.from(program));
    setCodeSegment(cpu, 0, 0n, 0xffff, 0x9b, 0);
    cpu.rip = BigInt(0x1000 * (n + 1));
    cpu.activity = Activity.active;
  }
  return machine;
}

const state = (m: Machine): unknown => ({
  now: m.clock.now(),
  cpus: m.cpus.map((c) => [c.rip, c.gpr(0), c.retired]),
  scheduler: m.scheduler.snapshot(),
});

describe('a deadline that is set in the middle of a turn', () => {
  it.each([[0], [1], [100]])('%i ns ahead is met at once when several CPUs run', (ahead) => {
    const machine = machineWith(WORKS, WORKS);
    machine.run(10);
    const due = machine.clock.now() + ahead;
    const fired: number[] = [];
    const timer = machine.clock.timer('test', () => void fired.push(Number(machine.cpus[0]!.retired)));
    machine.ports.map({ name: 'test', base: 0x1234, length: 1, read: () => 0, write: () => machine.clock.arm(timer, machine.clock.now() + ahead) });
    // mov dx, 1234h; out dx, al; then the loop
    machine.memory.poke(0x3000, Uint8Array.from([0xba, 0x34, 0x12, 0xee, ...WORKS]));
    machine.cpus[0]!.rip = 0x3000n;
    machine.run(9000);
    expect(due).toBe(10 + ahead);
    expect(fired).toHaveLength(1);
    expect(fired[0]! - 12).toBeLessThanOrEqual(Math.max(ahead, 1));
  });
});

describe('PAUSE gives up the rest of a turn', () => {
  it('and time passes as for the others', () => {
    const machine = machineWith(SPINS, WORKS);
    machine.run(1 + SLICE + 3 + SLICE);
    expect([machine.cpus[0]!.retired, machine.cpus[1]!.retired, machine.clock.now()]).toEqual([4n, BigInt(2 * SLICE), 2 * SLICE]);
  });
  it('when all wait, too', () => {
    const machine = machineWith(SPINS, SPINS, SPINS);
    machine.run(3 + 9);
    expect([machine.cpus.map((c) => c.retired), machine.clock.now()]).toEqual([[4n, 4n, 4n], 2 * SLICE]);
  });
  it('not on a machine with one CPU', () => {
    const machine = machineWith(SPINS);
    machine.run(1000);
    expect([machine.cpus[0]!.retired, machine.clock.now()]).toEqual([1000n, 1000]);
  });
  it.each([1, 2, 3, 7, 1000, 4095, 4096])('in pieces of %i instructions it goes the same way', (piece) => {
    const [whole, parts] = [machineWith(SPINS, WORKS, SPINS), machineWith(SPINS, WORKS, SPINS)];
    const total = 3 * SLICE;
    whole.run(total);
    for (let left = total; left > 0; left -= piece) parts.run(Math.min(piece, left));
    expect(state(parts)).toEqual(state(whole));
  });
  it('nor does a stop at the instruction after it change anything', () => {
    const [whole, stopped] = [machineWith(SPINS, WORKS), machineWith(SPINS, WORKS)];
    stopped.addBreakpoint({ linear: 0x1002n });
    whole.run(3 * SLICE);
    for (let n = 0; n < 20 && stopped.instructions < 3 * SLICE; n++) stopped.run(3 * SLICE - Number(stopped.instructions));
    expect(stopped.instructions).toBe(whole.instructions);
    expect(state(stopped)).toEqual(state(whole));
  });
});
