import type { Runner } from './cpu/runner.ts';
import { isRunnable } from './cpu/boundary.ts';
import { Activity, type Cpu } from './cpu/cpu.ts';
import { monitoredLineChanged } from './cpu/instructions/monitor.ts';
import type { EventClock } from './clock-impl.ts';

/** Ticks that each CPU runs in its turn when there are several. */
const SLICE = 4096;

/**
 * Who runs when. Time passes in rounds: every runnable CPU executes the round's length in turn, then the clock moves on by
 * it and timers fire. The state is three numbers, so stopping in the middle of a round and going on changes nothing.
 */
export class Scheduler {
  readonly #cpus: readonly Cpu[];
  readonly #runner: Runner;
  readonly #clock: EventClock;
  /** CPU whose turn it is, ticks it has used, length of the round. */
  turn = 0;
  used = 0;
  #length = 0;
  #longest = 0;
  /** By CPU, what was pending at the end of a round in which nothing happened. A cache: found again when forgotten. */
  readonly #fruitless: number[] = [];

  constructor(cpus: readonly Cpu[], runner: Runner, clock: EventClock) {
    this.#cpus = cpus;
    this.#runner = runner;
    this.#clock = clock;
    clock.setElapsed(() => this.#runner.elapsed());
    clock.setKick(() => this.#runner.shorten());
  }

  /** True when no CPU can execute before the next timer: what is pending, if anything, could not wake one. */
  get idle(): boolean {
    return this.#length === 0 && this.#cpus.every((c) => !isRunnable(c) && (c.pending === 0 || c.pending === this.#fruitless[c.index]));
  }

  /** Lets time jump to the next deadline. False when there is none. */
  skip(): boolean {
    const due = this.#clock.nextDeadline();
    if (due === Infinity) return false;
    this.#runner.beginSlice(0);
    this.#fruitless.length = 0;
    this.#clock.advanceTo(Math.max(due, this.#clock.now()));
    this.#wake(() => true);
    return true;
  }

  /** Runs up to `ticks`, a piece of the current CPU's turn. Returns the ticks done. */
  run(ticks: number): number {
    if (this.#length === 0) this.#beginRound();
    const cpu = this.#cpus[this.turn]!;
    const left = this.#limit() - this.used;
    this.#runner.beginSlice(this.used);
    const done = left > 0 ? this.#runner.runCpu(cpu, Math.min(ticks, left)) : 0;
    this.used += done;
    if (this.#runner.yielded) this.#yield();
    else if (this.#runner.stop) return done;
    // The turn ends when it is used up, or when the CPU halted.
    else if (this.used >= this.#limit() || !isRunnable(cpu)) this.#endTurn();
    return done;
  }

  /** One instruction on one CPU; in its own turn it counts as part of it. */
  step(index: number): number {
    const cpu = this.#cpus[index]!;
    if (index !== this.turn) {
      this.#runner.beginSlice(0);
      return this.#runner.stepCpu(cpu);
    }
    if (this.#length === 0) this.#beginRound();
    this.#runner.beginSlice(this.used);
    const done = this.#runner.stepCpu(cpu);
    this.used += done;
    if (this.#runner.yielded) this.#yield();
    else if (this.used >= this.#limit() || !isRunnable(cpu)) this.#endTurn();
    return done;
  }

  /** PAUSE: the CPU waits until the others have had the same time. */
  #yield(): void {
    this.used = Math.max(this.used, this.#limit());
    this.#endTurn();
  }

  #beginRound(): void {
    this.turn = 0;
    this.used = 0;
    this.#longest = 0;
    this.#length = this.#cpus.length === 1 ? 1 << 24 : SLICE;
  }

  /** The round is cut short by the next deadline, but not below what was executed already. */
  #limit(): number {
    const start = this.#clock.base;
    return Math.min(this.#length, Math.max(this.#clock.nextDeadline() - start, 1));
  }

  #endTurn(): void {
    this.#longest = Math.max(this.#longest, this.used);
    this.used = 0;
    this.#runner.beginSlice(0);
    if (++this.turn < this.#cpus.length) {
      this.#length = Math.max(this.#longest, 1);
      if (this.#longest === 0) this.#length = SLICE;
      return;
    }
    this.#length = 0;
    this.turn = 0;
    this.#fruitless.length = 0;
    if (this.#longest === 0) for (const c of this.#cpus) this.#fruitless[c.index] = c.pending;
    this.#clock.advanceTo(this.#clock.base + this.#longest);
    this.#wake(monitoredLineChanged);
  }

  /** Processors in MWAIT go on. */
  #wake(when: (cpu: Cpu) => boolean): void {
    for (const c of this.#cpus) if (c.activity === Activity.mwait && when(c)) c.activity = Activity.active;
  }

  snapshot(): readonly number[] {
    return [this.turn, this.used, this.#length, this.#longest];
  }

  restore(state: readonly number[]): void {
    [this.turn, this.used, this.#length, this.#longest] = state as [number, number, number, number];
    this.#runner.beginSlice(this.used);
  }
}
