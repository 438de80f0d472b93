import type { StopReason } from '../machine/stop.ts';
import type { Resume } from './target.ts';

/** What the runner needs of a machine: the execution half of `Debuggable`, and where each CPU stands. */
export interface Runnable {
  run(budget: number): StopReason;
  step(cpu: number): StopReason;
  cpuCount(): number;
  /** Linear address of a CPU's next instruction. */
  pc(cpu: number): bigint;
  /** Id of a breakpoint at a CPU's next instruction, if the CPU is about to execute it (not halted). */
  breakpointAt(cpu: number): number | undefined;
  /** The CPU to show when nothing says which: one that is executing, `preferred` if it is. */
  activeCpu(preferred: number): number;
}

/** What to do when every CPU halts: how long to sleep before time jumps to the next deadline. */
export interface IdlePolicy {
  /**
   * @param until ns at which the next timer is due, Infinity: never
   * @returns ms to sleep. 0: go on at once. Infinity: until `wake()`
   */
  (until: number): number;
}
/** As fast as the host can; only when no timer is armed is there nothing to do but wait for input. */
export const jumpToNextEvent: IdlePolicy = (until) => (until === Infinity ? Infinity : 0);

export type StopListener = (reason: StopReason) => void;

/** Instructions per call of `run`: a few milliseconds, so that Ctrl-C and other sockets are served promptly. */
const QUANTUM = 1_000_000;
/** The first one is run while the client's packet is still being handled: short stops cost no turn of the event loop. */
const FIRST_QUANTUM = 20_000;
/** Single steps between two looks at the event loop, for range steps and CPUs running alone. */
const STEPS = 4096;
/** Stops in a row that the listener resumes at once before the event loop gets its turn. */
const MAX_SILENT_STOPS = 256;

/**
 * Runs the machine in quanta with turns of the event loop in between. Because a quantum is synchronous, whoever calls a
 * method here finds the machine between two instructions: stopping it is immediate.
 */
export class Runner {
  readonly machine: Runnable;
  readonly #idle: IdlePolicy;
  readonly #listener: StopListener;
  #plan: Resume | undefined;
  #next: NodeJS.Immediate | undefined;
  #sleep: NodeJS.Timeout | undefined;
  /** The machine said idle and has not been called since. */
  #asleep = false;
  #working = false;
  #lastCpu = 0;
  /**
   * Where each CPU stood when the client was told of a stop there. `run` goes past a breakpoint under a CPU's feet, as it
   * must after that breakpoint was reported. A CPU that stands at a breakpoint for another reason (the quantum ended there,
   * another CPU stopped, the breakpoint was set in answer to an image event) has yet to hit it.
   */
  readonly #told = new Map<number, bigint>();

  /** @param listener told of every stop that is not a matter of scheduling; it may resume from inside */
  constructor(machine: Runnable, listener: StopListener, idle: IdlePolicy = jumpToNextEvent) {
    this.machine = machine;
    this.#listener = listener;
    this.#idle = idle;
  }

  get running(): boolean {
    return this.#plan !== undefined;
  }

  resume(plan: Resume): void {
    this.#plan = plan;
    if (!this.#working) this.#work(FIRST_QUANTUM);
  }

  /** Stops at once and tells the listener. */
  interrupt(): void {
    if (!this.#plan || this.#working) return;
    this.halt();
    this.#lastCpu = this.machine.activeCpu(this.#lastCpu);
    this.#told.set(this.#lastCpu, this.machine.pc(this.#lastCpu));
    this.#listener({ kind: 'interrupted', cpu: this.#lastCpu });
  }

  /** Stops at once and tells nobody. */
  halt(): void {
    this.#plan = undefined;
    this.#cancel();
  }

  /** Input arrived (a key, a packet): an idle machine looks at it now. */
  wake(): void {
    if (!this.#asleep || !this.#plan) return;
    this.#cancel();
    this.#later();
  }

  #cancel(): void {
    clearImmediate(this.#next);
    clearTimeout(this.#sleep);
    this.#next = this.#sleep = undefined;
    this.#asleep = false;
  }

  #later(): void {
    this.#next = setImmediate(() => this.#work(QUANTUM));
  }

  #work(budget: number): void {
    this.#cancel();
    this.#working = true;
    try {
      for (let silent = 0; this.#plan; silent++) {
        if (silent >= MAX_SILENT_STOPS) return this.#later();
        const reason = this.#slice(this.#plan, budget);
        if (reason.kind === 'quantum') return this.#later();
        if (reason.kind === 'idle') return this.#rest(reason.until);
        if (reason.kind === 'reset') continue; // the guest reset the machine: it goes on from its reset vector
        this.#plan = undefined;
        if ('cpu' in reason) {
          this.#lastCpu = reason.cpu;
          if (reason.kind !== 'image') this.#told.set(reason.cpu, this.machine.pc(reason.cpu));
        }
        this.#listener(reason);
      }
    } finally {
      this.#working = false;
    }
  }

  #rest(until: number): void {
    const ms = this.#idle(until);
    this.#asleep = true;
    if (ms <= 0) this.#later();
    else if (ms !== Infinity) this.#sleep = setTimeout(() => this.#work(QUANTUM), ms);
    else this.#sleep = setTimeout(() => this.#rest(until), 1 << 30); // keeps the process alive; only input can help
  }

  /** Executes a piece of a plan. `quantum` means that there is more to do. */
  #slice(plan: Resume, budget: number): StopReason {
    if (plan.kind === 'step') {
      this.#told.delete(plan.thread - 1);
      return this.machine.step(plan.thread - 1);
    }
    const all = plan.kind === 'continue' && plan.threads === 'all';
    const cpus = all
      ? [...Array(this.machine.cpuCount()).keys()]
      : plan.kind === 'range'
        ? [plan.thread - 1]
        : (plan.threads as readonly number[]).map((t) => t - 1);
    for (const cpu of cpus) {
      const id = this.machine.breakpointAt(cpu);
      if (id !== undefined && this.#told.get(cpu) !== this.machine.pc(cpu)) return { kind: 'breakpoint', cpu, id };
    }
    for (const cpu of cpus) this.#told.delete(cpu);
    if (plan.kind === 'range') return this.#stepInRange(plan.thread - 1, plan.start, plan.end);
    return all ? this.machine.run(budget) : this.#stepSome(cpus);
  }

  /** Steps until the program counter leaves [start, end) or meets a breakpoint (gdb manual: vCont packet, `r`). */
  #stepInRange(cpu: number, start: bigint, end: bigint): StopReason {
    for (let n = 0; n < STEPS; n++) {
      const reason = this.machine.step(cpu);
      if (reason.kind !== 'step') return reason;
      const pc = this.machine.pc(cpu);
      if (pc < start || pc >= end) return reason;
      const id = this.machine.breakpointAt(cpu);
      if (id !== undefined) return { kind: 'breakpoint', cpu, id };
    }
    return { kind: 'quantum' };
  }

  /** Some CPUs run while the others stand (gdb's scheduler-locking), one instruction each in turn. */
  #stepSome(cpus: readonly number[]): StopReason {
    for (let n = 0; n < STEPS; n++) {
      let idle: StopReason | undefined;
      for (const cpu of cpus) {
        const reason = this.machine.step(cpu);
        if (reason.kind === 'idle') {
          idle = reason;
          continue;
        }
        idle = undefined;
        if (reason.kind !== 'step') return reason;
        const id = this.machine.breakpointAt(cpu);
        if (id !== undefined) return { kind: 'breakpoint', cpu, id };
      }
      if (idle) return idle;
    }
    return { kind: 'quantum' };
  }
}
