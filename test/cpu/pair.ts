import { expect } from 'vitest';
import type { Machine, MachineOptions } from '../../src/machine/machine.ts';
import { CPU_BLOCK_SIZE } from '../../src/machine/memory/layout.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { bareMachine, CODE, DATA } from '../support/bare-machine.ts';

export const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

/** Loops are hot after a few passes. */
export const EAGER = { mode: 'jit', threshold: 4 } as const;

/** What must be the same in both tiers: everything the guest, a debugger or a snapshot can see of a CPU. */
export function cpuState(machine: Machine, n = 0): unknown {
  const cpu = machine.cpus[n]!;
  const block = machine.linear.u8.slice(cpu.block, cpu.block + CPU_BLOCK_SIZE);
  // What emitted code keeps for itself between two instructions.
  for (const [at, size] of [[L.SLOT_CODE_PAGE, 0x100 - L.SLOT_CODE_PAGE], [L.NEXT_RIP, 8], [L.LEFT, 16], [L.FAULT_VECTOR, 8]] as const) block.fill(0, at, at + size); // prettier-ignore
  return {
    gpr: Array.from({ length: 16 }, (_, k) => cpu.gpr(k).toString(16)),
    rip: cpu.rip.toString(16),
    flags: cpu.rflags,
    retired: cpu.retired,
    now: machine.clock.now(),
    block: Buffer.from(block).toString('hex'),
  };
}

export interface Pair {
  readonly interpreted: Machine;
  readonly compiled: Machine;
}

/** The same program, in pieces by their offset in CODE, on a machine that interprets and on one that compiles. */
export function pair(
  program: Readonly<Record<number, string>>,
  prepare: (m: Machine) => void = () => {},
  accel: MachineOptions['accel'] = EAGER,
): Pair {
  const make = (a: MachineOptions['accel']): Machine => {
    const machine = bareMachine({ accel: a });
    for (const [at, hex] of Object.entries(program)) machine.memory.poke(CODE + Number(at), bytes(hex));
    machine.cpus[0]!.setGpr(6, BigInt(DATA));
    prepare(machine);
    return machine;
  };
  return { interpreted: make({ mode: 'interp' }), compiled: make(accel!) };
}

/** A simple sequence of numbers, the same at each run. */
export function* numbers(seed: number): Generator<number, never> {
  for (let x = seed; ;) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    yield x >>> 8;
  }
}

/** Runs both in the same odd pieces and compares them after each. */
export function compare(
  { interpreted, compiled }: Pair,
  pieces: number,
  longest: number,
  between: (m: Machine, piece: number) => void = () => {},
): void {
  const random = numbers(pieces);
  for (let n = 0; n < pieces; n++) {
    const length = 1 + (random.next().value % longest);
    const reasons = [interpreted, compiled].map((m) => m.run(length).kind);
    expect(reasons[1], `after piece ${n}`).toBe(reasons[0]);
    expect(cpuState(compiled), `after piece ${n} of ${length}`).toEqual(cpuState(interpreted));
    between(interpreted, n);
    between(compiled, n);
  }
  const ram = ({ linear }: Machine): Buffer => Buffer.from(linear.u8.buffer, linear.u8.length - linear.ramSize, linear.ramSize);
  expect(Buffer.compare(ram(compiled), ram(interpreted))).toBe(0);
  expect(compiled.runner.regions.instructions, 'instructions executed by regions').toBeGreaterThan(0);
  expect(interpreted.runner.regions.instructions).toBe(0);
}
