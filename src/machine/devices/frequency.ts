/**
 * A clock input whose ticks are `ticks` per `ns` nanoseconds, counted from power-on. Integer arithmetic throughout: the
 * products stay below 2^53 because whole periods are split off first.
 */
export class Frequency {
  readonly #ticks: number;
  readonly #ns: number;

  constructor(ticks: number, ns: number) {
    this.#ticks = ticks;
    this.#ns = ns;
  }

  /** Ticks that have happened at a time. */
  ticksAt(ns: number): number {
    const periods = Math.floor(ns / this.#ns);
    return periods * this.#ticks + Math.floor(((ns - periods * this.#ns) * this.#ticks) / this.#ns);
  }

  /** The first nanosecond at which tick number `tick` has happened. */
  timeOf(tick: number): number {
    const periods = Math.floor(tick / this.#ticks);
    return periods * this.#ns + Math.ceil(((tick - periods * this.#ticks) * this.#ns) / this.#ticks);
  }
}

/** The PC's 14.31818 MHz crystal (315/22 MHz) divided by 12 for the 8254, by 4 for the ACPI power-management timer. */
export const PIT_CLOCK = new Frequency(105, 88_000);
export const PM_TIMER_CLOCK = new Frequency(315, 88_000);
/** The real-time clock's 32.768 kHz crystal. */
export const RTC_CLOCK = new Frequency(64, 1_953_125);
