/**
 * A machine for unit tests: real memory, ports and CPUs, no devices, and a clock that stands still until told otherwise.
 * Requests, code invalidations and log lines are recorded for assertions.
 */
import { Cpu } from '../../src/machine/cpu/cpu.ts';
import type { InterruptSource } from '../../src/machine/cpu/hooks.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import type { Clock, Timer } from '../../src/machine/clock.ts';
import { createLog, type Log } from '../../src/machine/log.ts';
import type { MachineServices } from '../../src/machine/machine-services.ts';
import { LinearMemory } from '../../src/machine/memory/linear-memory.ts';
import { PhysicalMemory } from '../../src/machine/memory/physical.ts';
import { PortSpace } from '../../src/machine/memory/ports.ts';
import { resetTlb } from '../../src/machine/cpu/mmu/contexts.ts';
import type { Probe } from '../../src/machine/probe.ts';

/** Time moves only by `advance`, which fires the timers that fall due, in order. */
export class FakeClock implements Clock {
  readonly startDate = Date.UTC(2024, 0, 1);
  readonly timers: Timer[] = [];
  #now = 0;

  now(): number {
    return this.#now;
  }
  timer(name: string, fire: (now: number) => void): Timer {
    if (this.timers.some((t) => t.name === name)) throw new Error(`timer ${name} exists already`);
    const timer: Timer = { name, due: Infinity, fire };
    this.timers.push(timer);
    return timer;
  }
  arm(timer: Timer, due: number): void {
    timer.due = due;
  }
  advance(ns: number): void {
    const end = this.#now + ns;
    for (;;) {
      const next = this.timers.reduce<Timer | undefined>((a, t) => (t.due <= end && (!a || t.due < a.due) ? t : a), undefined);
      if (!next) break;
      this.#now = Math.max(this.#now, next.due);
      next.due = Infinity;
      next.fire(this.#now);
    }
    this.#now = end;
  }
}

/** An interrupt source without interrupts: CR8 is a plain register. */
export function fakeInterruptSource(): InterruptSource & { vectors: number[] } {
  let cr8 = 0;
  const vectors: number[] = [];
  return {
    vectors,
    pending: () => vectors[0] ?? -1,
    acknowledge: () => vectors.shift() ?? -1,
    getCr8: () => cr8,
    setCr8: (value) => void (cr8 = value),
  };
}

export interface FakeMachine extends MachineServices {
  readonly clock: FakeClock;
  readonly linear: LinearMemory;
  readonly cpus: Cpu[];
  /** The first CPU. */
  readonly cpu: Cpu;
  probe: Probe | null;
  readonly requests: { what: string; code: number | undefined }[];
  readonly invalidated: number[];
  readonly messages: string[];
  kicks: number;
}

export interface FakeMachineOptions {
  readonly ramSize?: number;
  readonly cpus?: number;
  readonly model?: CpuModel | string;
  /** Memory to be used again, zeroed by the caller. */
  readonly linear?: LinearMemory;
}

/** CPU blocks are zero (CPL 0, real mode, 16-bit code, no flat segments): a test sets what it needs, see `enterLongMode`. */
export function fakeMachine(options: FakeMachineOptions = {}): FakeMachine {
  const model = typeof options.model === 'object' ? options.model : cpuModel(options.model ?? 'skylake');
  if (!model) throw new Error(`no CPU model ${String(options.model)}`);
  const linear = options.linear ?? new LinearMemory(options.ramSize ?? 16 << 20);
  const messages: string[] = [];
  const log: Log = createLog((line) => void messages.push(line));
  const cpus: Cpu[] = [];
  const requests: FakeMachine['requests'] = [];
  const invalidated: number[] = [];
  const machine: FakeMachine = {
    linear,
    memory: new PhysicalMemory(linear, log),
    ports: new PortSpace(log),
    clock: new FakeClock(),
    log,
    cpus,
    get cpu(): Cpu {
      return cpus[0]!;
    },
    probe: null,
    requests,
    invalidated,
    messages,
    kicks: 0,
    retiredBy: (cpu) => Number(cpu.retired),
    markLegacyBranches: () => {},
    kick: () => void machine.kicks++,
    request: (what, code) => void requests.push({ what, code }),
    yieldTurn: () => {},
    invalidateCode: (page) => void invalidated.push(page),
  };
  for (let n = 0; n < (options.cpus ?? 1); n++) {
    const cpu = new Cpu(n, linear, model, machine);
    cpu.irq = fakeInterruptSource();
    cpus.push(cpu);
    resetTlb(cpu);
  }
  return machine;
}
