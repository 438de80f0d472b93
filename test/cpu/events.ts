import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import type { GuestEvent } from '../../src/machine/cpu/fault.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE } from '../support/bare-machine.ts';
import { noteEvents } from '../support/note-events.ts';

export interface Run {
  readonly machine: Machine;
  readonly cpu: Cpu;
  /** Events that would have gone through the IDT, and RIP at each. The first one ends the run. */
  readonly events: readonly (GuestEvent & { readonly rip: bigint })[];
}

/** Puts bytes at CODE with HLT after them and runs to the first event or the HLT, on a skylake or another model. */
export function runBytes(hex: string, setUp: (cpu: Cpu, machine: Machine) => void = () => {}, budget = 10_000, model?: CpuModel): Run {
  const machine = bareMachine(model ? { model } : {});
  const cpu = machine.cpus[0]!;
  const events: (GuestEvent & { rip: bigint })[] = [];
  cpu.guest = noteEvents((event) => {
    events.push({ ...event, rip: cpu.rip });
    machine.interrupt();
  });
  machine.memory.poke(CODE, Uint8Array.of(...Buffer.from(hex.replaceAll(' ', ''), 'hex'), 0xf4, 0xf4));
  setUp(cpu, machine);
  machine.run(budget);
  return { machine, cpu, events };
}
