import type { Clock, Timer } from './clock.ts';
import type { Plain } from './devices/device.ts';

/**
 * The machine's clock: a base that the run loop moves with `advanceTo`, plus what the current slice has executed so far.
 * Timers fire only inside `advanceTo`, in order of their due time (ties: in order of registration), and see `now()` as
 * exactly their due time however far the caller advances.
 */
export class EventClock implements Clock {
  startDate: number;
  #base = 0;
  #next = Infinity;
  #advancing = false;
  #elapsed: () => number = () => 0;
  #earlier: () => void = () => {};
  readonly #timers: Timer[] = [];

  /** @param startDate wall-clock date at power-on, ms since 1970 */
  constructor(startDate: number) {
    this.startDate = startDate;
  }

  /** The run loop's count of nanoseconds since its last `advanceTo`; it must give 0 right after one. */
  setElapsed(elapsed: () => number): void {
    this.#elapsed = elapsed;
  }

  /** Called when the next deadline moved closer while a slice runs: the slice must be cut short. */
  setKick(kick: () => void): void {
    this.#earlier = kick;
  }

  /** Time at the start of the current slice. */
  get base(): number {
    return this.#base;
  }

  now(): number {
    return this.#advancing ? this.#base : this.#base + this.#elapsed();
  }

  timer(name: string, fire: (now: number) => void): Timer {
    if (this.#timers.some((t) => t.name === name)) throw new Error(`clock: two timers are named ${name}`);
    const timer: Timer = { name, due: Infinity, fire };
    this.#timers.push(timer);
    return timer;
  }

  arm(timer: Timer, due: number): void {
    if (Number.isNaN(due)) throw new Error(`clock: timer ${timer.name} armed for no time`);
    timer.due = due;
    const before = this.#next;
    this.#next = this.#earliest()?.due ?? Infinity;
    if (this.#next < before && !this.#advancing) this.#earlier();
  }

  /** When the next timer is due, Infinity when none is armed. */
  nextDeadline(): number {
    return this.#next;
  }

  /** Moves time to `ns` and fires what became due on the way, including timers armed by timers. */
  advanceTo(ns: number): void {
    if (this.#advancing) throw new Error('clock: advanced from inside a timer');
    if (ns < this.#base) throw new Error(`clock: cannot go back from ${this.#base} to ${ns}`);
    this.#advancing = true;
    try {
      while (this.#next <= ns) {
        const timer = this.#earliest()!;
        // A timer armed for the past fires now: time never runs backwards.
        this.#base = Math.max(this.#base, timer.due);
        this.arm(timer, Infinity);
        timer.fire(this.#base);
      }
      this.#base = ns;
    } finally {
      this.#advancing = false;
    }
  }

  /** The time is that of the slice's start: what was executed since is the scheduler's state. */
  snapshot(): Plain {
    const timers: Record<string, number> = {};
    for (const t of this.#timers) if (t.due !== Infinity) timers[t.name] = t.due;
    return { startDate: this.startDate, now: this.#base, timers };
  }

  restore(state: Plain): void {
    const { startDate, now, timers } = state as { startDate: number; now: number; timers: Record<string, number> };
    for (const name of Object.keys(timers)) {
      if (!this.#timers.some((t) => t.name === name)) throw new Error(`snapshot of the clock: this machine has no timer ${name}`);
    }
    this.startDate = startDate;
    this.#base = now;
    for (const t of this.#timers) t.due = timers[t.name] ?? Infinity;
    this.#next = this.#earliest()?.due ?? Infinity;
  }

  /** A dozen timers: a scan beats a heap, and keeps ties in registration order. */
  #earliest(): Timer | undefined {
    let first: Timer | undefined;
    for (const t of this.#timers) if (t.due !== Infinity && (first === undefined || t.due < first.due)) first = t;
    return first;
  }
}
