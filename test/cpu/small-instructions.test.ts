import { describe, expect, it } from 'vitest';
import { Activity } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { max } from '../../src/machine/cpu/models/max.ts';
import { readMsr, writeMsr } from '../../src/machine/cpu/msr.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE, DATA } from '../support/bare-machine.ts';
import { noteEvents } from '../support/note-events.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const MISC_ENABLE = 0x1a0;
const MONITOR_BIT = 1n << 18n;

/** A machine about to execute code at CPL 0, where a fault is noted and stops it. */
function machineWith(hex: string, options: Parameters<typeof bareMachine>[0] = {}): { machine: Machine; faults: number[] } {
  const machine = bareMachine({ model: max, ...options });
  const faults: number[] = [];
  machine.memory.poke(CODE, bytes(hex));
  for (const cpu of machine.cpus)
    cpu.guest = noteEvents((e) => {
      faults.push(e.vector);
      machine.interrupt();
    });
  return { machine, faults };
}

describe('RDRAND and RDSEED', () => {
  const random = '480fc7f0 480fc7f9 0fc7f2 660fc7f3 f4'; // rax, rcx (seed), edx, bx
  const run = (cpus = 1, index = 0): bigint[] => {
    const { machine } = machineWith(random, { cpus });
    const cpu = machine.cpus[index]!;
    for (const c of machine.cpus) c.activity = c.index === index ? Activity.active : Activity.hlt;
    cpu.setGpr(2, -1n);
    cpu.setGpr(3, 0x1111_1111_1111_1111n);
    cpu.rflags = 0x8d6;
    for (let n = 0; n < 4; n++) machine.step(index);
    expect(cpu.rflags & 0x8d5, 'CF alone').toBe(1);
    return [cpu.gpr(0), cpu.gpr(1), cpu.gpr(2), cpu.gpr(3)];
  };

  it('are one sequence from power-on, the same in every run', () => {
    const [a, b, c, d] = run() as [bigint, bigint, bigint, bigint];
    expect([a, b, c, d]).toEqual(run());
    expect(new Set([a, b, c, d]).size).toBe(4);
    expect(a).toBe(0xe220_a839_7b1d_cdafn); // splitmix64 from 0
    expect(c >> 32n, 'a 32-bit result clears the upper half').toBe(0n);
    expect(d >> 16n, 'a 16-bit one keeps it').toBe(0x1111_1111_1111n);
  });

  it('differ between CPUs', () => {
    expect(run(2, 1)).not.toEqual(run(2, 0));
  });
});

describe('MONITOR and MWAIT', () => {
  const [MONITOR, MWAIT] = ['0f01c8', '0f01c9'];
  const start = (hex: string, options = {}): ReturnType<typeof machineWith> => {
    const made = machineWith(hex, options);
    for (const cpu of made.machine.cpus) {
      cpu.setGpr(0, BigInt(DATA + 0x28));
      cpu.setGpr(1, 0n);
      cpu.setGpr(2, 0n);
    }
    return made;
  };

  it.each<[what: string, code: string, prepare: (m: Machine) => void, vector: number | undefined]>([
    ['MONITOR with a hint that does not exist', MONITOR, (m) => m.cpus[0]!.setGpr(1, 1n), 13],
    ['MWAIT with one', MWAIT, (m) => m.cpus[0]!.setGpr(1, 2n), 13],
    ['MWAIT with interrupts as break events', MWAIT, (m) => m.cpus[0]!.setGpr(1, 1n), undefined],
    ['MONITOR at CPL 3', MONITOR, (m) => m.cpus[0]!.setU32(L.CPL, 3), 6],
    ['MWAIT at CPL 3', MWAIT, (m) => m.cpus[0]!.setU32(L.CPL, 3), 6],
    ['MONITOR of an address that is not canonical', MONITOR, (m) => m.cpus[0]!.setGpr(0, 1n << 62n), 13],
    ['MONITOR of a page that is not there', MONITOR, (m) => m.cpus[0]!.setGpr(0, 1n << 40n), 14],
    ['MONITOR turned off by IA32_MISC_ENABLE', MONITOR, (m) => writeMsr(m.cpus[0]!, MISC_ENABLE, readMsr(m.cpus[0]!, MISC_ENABLE) & ~MONITOR_BIT), 6],
  ])('%s', (_what, code, prepare, vector) => {
    const { machine, faults } = start(code);
    prepare(machine);
    machine.step(0);
    expect(faults).toEqual(vector === undefined ? [] : [vector]);
  });

  it('MWAIT without MONITOR goes on', () => {
    const { machine } = start(`${MWAIT} 90`);
    machine.step(0);
    expect(machine.cpus[0]!.activity).toBe(Activity.active);
  });

  it('waits; time passes to the next deadline, which ends it', () => {
    const { machine } = start(`${MONITOR} ${MWAIT} ffc3 ebfc`); // 1: inc ebx; jmp 1b
    let fired = 0;
    machine.clock.arm(
      machine.clock.timer('test', () => fired++),
      machine.clock.now() + 5000,
    );
    expect(machine.run(100)).toEqual({ kind: 'idle', until: 5000 });
    expect(machine.cpus[0]!.activity).toBe(Activity.mwait);
    machine.run(100);
    expect([fired, machine.cpus[0]!.activity, machine.cpus[0]!.gpr(3) > 0n]).toEqual([1, Activity.active, true]);
  });

  it('is not entered when the line was written in between', () => {
    const { machine } = start(`${MONITOR} c700 01000000 ${MWAIT} 90`); // mov dword [rax], 1
    for (let n = 0; n < 3; n++) machine.step(0);
    expect(machine.cpus[0]!.activity).toBe(Activity.active);
  });

  it.each([
    ['in the line', 0x3c, true],
    ['beside it', 0x40, false],
  ])('another CPU writes %s', (_what, offset, wakes) => {
    // The first CPU waits; the second counts and then stores at [rsi].
    const { machine } = start(`${MONITOR} ${MWAIT} ffc3 ebfc`, { cpus: 2 });
    machine.memory.poke(CODE + 0x1000, bytes('b920000000 e2fe c70601000000 ebfe'));
    const second = machine.cpus[1]!;
    second.activity = Activity.active;
    second.rip = BigInt(CODE + 0x1000);
    second.setGpr(6, BigInt(DATA + offset));
    machine.run(60_000);
    expect(machine.memory.read(DATA + offset, 4)).toBe(1);
    expect(machine.cpus[0]!.gpr(3) > 0n).toBe(wakes);
  });
});

describe('cache lines', () => {
  it.each([
    ['CLFLUSH', '0fae38'],
    ['CLFLUSHOPT', '660fae38'],
    ['CLWB', '660fae30'],
  ])('%s is checked as a read', (_name, hex) => {
    const { machine, faults } = machineWith(hex);
    machine.cpus[0]!.setGpr(0, BigInt(DATA));
    machine.step(0);
    expect([faults, machine.cpus[0]!.rip]).toEqual([[], BigInt(CODE + hex.length / 2)]);
    machine.cpus[0]!.rip = BigInt(CODE);
    machine.cpus[0]!.setGpr(0, 1n << 40n);
    machine.step(0);
    expect(faults).toEqual([14]);
  });

  it('SERIALIZE and the CET and CLDEMOTE hints do nothing', () => {
    const { machine, faults } = machineWith('0f01e8 f30f1efa f30f1efb f3480f1ec8 0f1c00 90');
    for (let n = 0; n < 5; n++) machine.step(0);
    expect([faults, machine.cpus[0]!.rip]).toEqual([[], BigInt(CODE + 19)]);
  });
});
