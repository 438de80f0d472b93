/**
 * Time is the count of instructions: one instruction is one nanosecond of the machine's time. HLT jumps to the next
 * deadline. Nothing here reads the host's clock.
 */
export interface Timer {
  readonly name: string;
  /** Due time in ns, Infinity when not armed. */
  due: number;
  readonly fire: (now: number) => void;
}

export interface Clock {
  /** Nanoseconds since power-on, exact at the instruction that asks. */
  now(): number;
  /** Registers a named timer, unarmed. Names are unique: snapshots refer to them. */
  timer(name: string, fire: (now: number) => void): Timer;
  /** Arms (absolute ns) or disarms (Infinity) a timer. */
  arm(timer: Timer, due: number): void;
  /** Wall-clock date at power-on, ms since 1970: an input of the machine, fixed by default so that runs repeat. */
  readonly startDate: number;
}
