import { expect } from 'vitest';
import type { Machine, MachineOptions } from '../../src/machine/machine.ts';
import { bareMachine, CODE, DATA } from '../support/bare-machine.ts';
import { bytes } from '../support/bytes.ts';
import { cpuState } from '../support/cpu-state.ts';

export { bytes, cpuState };

/** Loops are hot after a few passes. */
export const EAGER = { mode: 'jit', threshold: 4 } as const;

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
