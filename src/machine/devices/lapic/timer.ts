import type { Clock, Timer } from '../../clock.ts';
import { LVT_MASKED, Reg } from './registers.ts';

/**
 * The timer's input clock is 100 MHz: one tick, before the divider, is 10 ns. It is the rate of a real front-side bus;
 * one tick a nanosecond would overflow the 32-bit counts of software that calibrates with a 100 ms wait and divider 1.
 */
export const LAPIC_TICK_NS = 10;

/** A start that means: it ran out, and only a new count starts it. */
const NEVER = -1e300;
const MODE = 0x6_0000;
const PERIODIC = 0x2_0000;
const TSC_DEADLINE = 0x4_0000;

/**
 * The APIC timer, SDM Vol. 3, 11.5.4: a pure function of when it was started, so that reading the current count costs no
 * event and a masked timer arms nothing in the clock.
 */
export class LapicTimer {
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #regs: () => Uint32Array;
  /** When the initial count was written, ns. */
  start = 0;
  /** IA32_TSC_DEADLINE, and the time of the machine it stands for. */
  deadline = 0n;
  #deadlineAt = 0;

  constructor(name: string, clock: Clock, regs: () => Uint32Array, fire: () => void) {
    this.#clock = clock;
    this.#regs = regs;
    this.#timer = clock.timer(name, () => {
      if (this.#mode === TSC_DEADLINE) this.deadline = 0n;
      this.schedule();
      fire();
    });
  }

  get #mode(): number {
    return this.#regs()[Reg.LVT_TIMER]! & MODE;
  }

  get #initial(): number {
    return this.#regs()[Reg.INITIAL_COUNT]!;
  }

  /** ns a count: divide configuration bits 3, 1, 0; 111 divides by one (figure 11-10). */
  get #period(): number {
    const d = this.#regs()[Reg.DIVIDE]!;
    return LAPIC_TICK_NS * (1 << ((((d >> 1) & 4) + (d & 3) + 1) & 7));
  }

  /** A write to the initial count register starts or (with 0) stops the timer; in TSC-deadline mode it is ignored. */
  load(count: number): void {
    if (this.#mode === TSC_DEADLINE) return;
    this.#regs()[Reg.INITIAL_COUNT] = count;
    this.start = this.#clock.now();
    this.schedule();
  }

  currentCount(): number {
    const initial = this.#initial;
    if (initial === 0 || this.start === NEVER || this.#mode === TSC_DEADLINE) return 0;
    const passed = Math.floor((this.#clock.now() - this.start) / this.#period);
    return this.#mode === PERIODIC ? initial - (passed % initial) : Math.max(0, initial - passed);
  }

  /** A new divider counts on from the present count. */
  setDivider(value: number): void {
    const passed = this.#initial - this.currentCount();
    this.#regs()[Reg.DIVIDE] = value;
    if (this.start !== NEVER) this.start = this.#clock.now() - passed * this.#period;
    this.schedule();
  }

  /** Entering or leaving TSC-deadline mode disarms the timer (11.5.4.1); between the others it counts on, or stays at zero. */
  setLvt(value: number): void {
    const before = this.#mode;
    const count = this.currentCount();
    this.#regs()[Reg.LVT_TIMER] = value;
    if (before !== this.#mode) this.start = count === 0 ? NEVER : this.#clock.now() - (this.#initial - count) * this.#period;
    if (before !== this.#mode && (before === TSC_DEADLINE || this.#mode === TSC_DEADLINE)) {
      this.#regs()[Reg.INITIAL_COUNT] = 0;
      this.deadline = 0n;
    }
    this.schedule();
  }

  /** WRMSR to IA32_TSC_DEADLINE; `at` is the machine's time at which the TSC reaches it. Ignored in the other modes. */
  setDeadline(value: bigint, at: number): void {
    if (this.#mode !== TSC_DEADLINE) return;
    this.deadline = value;
    this.#deadlineAt = at;
    this.schedule();
  }

  /** Arms the clock for the next expiry that can interrupt. */
  schedule(): void {
    this.#clock.arm(this.#timer, this.#nextExpiry());
  }

  #nextExpiry(): number {
    const now = this.#clock.now();
    const length = this.#initial * this.#period;
    if ((this.#regs()[Reg.LVT_TIMER]! & LVT_MASKED) !== 0) return Infinity;
    if (this.#mode === TSC_DEADLINE) return this.deadline === 0n ? Infinity : this.#deadlineAt;
    if (length === 0 || this.start === NEVER) return Infinity;
    if (this.#mode === PERIODIC) return this.start + (Math.floor((now - this.start) / length) + 1) * length;
    return this.start + length > now ? this.start + length : Infinity;
  }

  stop(): void {
    this.start = 0;
    this.deadline = 0n;
    this.#clock.arm(this.#timer, Infinity);
  }

  snapshot(): { start: number; deadline: string; deadlineAt: number } {
    return { start: this.start, deadline: this.deadline.toString(), deadlineAt: this.#deadlineAt };
  }

  /** The clock restores what is armed. */
  restore(state: { start: number; deadline: string; deadlineAt: number }): void {
    this.start = state.start;
    this.deadline = BigInt(state.deadline);
    this.#deadlineAt = state.deadlineAt;
  }
}
