import { PIT_CLOCK } from '../frequency.ts';

/** State of one counter of the 8254. Times are ticks of the 1.193182 MHz input since power-on; -1 is "none". */
export type PitCounterState = {
  mode: number;
  bcd: boolean;
  /** Control word's read/write field: 1 low byte, 2 high byte, 3 low then high. */
  access: number;
  gate: boolean;
  /** The count in use, 1..65536 (BCD counts converted); 0 while none is loaded. */
  count: number;
  /** Tick at which the count was loaded: elapsed ticks count from here. */
  start: number;
  /** Elapsed ticks when the gate stopped the counter, -1 while it runs. */
  stopped: number;
  /** Written in mode 2 or 3 while counting: takes over at tick `nextAt`. */
  next: number;
  nextAt: number;
  /** A count was written and, in modes 1 and 5, waits for its trigger. */
  waiting: boolean;
  writeHigh: boolean;
  writeLow: number;
  readHigh: boolean;
  /** Latched count (-1: none) and status byte (-1: none). */
  latch: number;
  statusLatch: number;
};

export function powerOnCounter(gate: boolean): PitCounterState {
  // prettier-ignore
  return {
    mode: 0, bcd: false, access: 3, gate, count: 0, start: 0, stopped: -1, next: 0, nextAt: -1, waiting: false,
    writeHigh: false, writeLow: 0, readHigh: false, latch: -1, statusLatch: -1,
  };
}

/**
 * One counter of the 8254 (Intel data sheet 231164) as a function of time: no event is needed to count, only to drive an
 * interrupt line. A count is loaded on the input clock after it is written, so mode 0 raises OUT N + 1 clocks after.
 */
export class PitCounter {
  s: PitCounterState;
  readonly #now: () => number;

  constructor(now: () => number, gate: boolean) {
    this.#now = now;
    this.s = powerOnCounter(gate);
  }

  /** Control word for this counter: read/write field, mode, BCD. OUT takes its initial level and counting stops. */
  control(word: number): void {
    const mode = (word >> 1) & 7;
    this.s = { ...powerOnCounter(this.s.gate), mode: mode > 5 ? mode & 3 : mode, bcd: (word & 1) !== 0, access: (word >> 4) & 3 };
  }

  write(value: number): void {
    const { s } = this;
    if (s.access === 1) this.#load(value);
    else if (s.access === 2) this.#load(value << 8);
    else if (!s.writeHigh) {
      s.writeHigh = true;
      s.writeLow = value;
      if (s.mode === 0) s.count = 0; // the first byte stops a mode 0 count
    } else {
      s.writeHigh = false;
      this.#load(s.writeLow | (value << 8));
    }
  }

  read(): number {
    const { s } = this;
    if (s.statusLatch >= 0) {
      const status = s.statusLatch;
      s.statusLatch = -1;
      return status;
    }
    const value = s.latch >= 0 ? s.latch : this.value();
    const high = s.access === 2 || (s.access === 3 && s.readHigh);
    if (s.access === 3) s.readHigh = !s.readHigh;
    if (s.access !== 3 || high) s.latch = -1;
    return high ? value >> 8 : value & 0xff;
  }

  latchCount(): void {
    if (this.s.latch < 0) this.s.latch = this.value();
  }

  latchStatus(): void {
    const { s } = this;
    if (s.statusLatch >= 0) return;
    const nullCount = s.count === 0 || s.waiting || this.#elapsed() < 0 ? 0x40 : 0;
    s.statusLatch = (this.out() ? 0x80 : 0) | nullCount | (s.access << 4) | (s.mode << 1) | (s.bcd ? 1 : 0);
  }

  setGate(level: boolean): void {
    const { s } = this;
    if (level === s.gate) return;
    const elapsed = this.#elapsed();
    s.gate = level;
    if (s.mode === 1 || s.mode === 5) {
      if (level && s.count !== 0) this.#start(); // the rising edge triggers
    } else if (!level) {
      s.stopped = elapsed;
    } else if (s.mode === 2 || s.mode === 3) {
      if (s.count !== 0) this.#start(); // and here it starts over
    } else {
      s.start = this.#tick() - s.stopped;
      s.stopped = -1;
    }
  }

  /** The counting element as software reads it, BCD applied. */
  value(): number {
    const raw = this.#binary();
    if (!this.s.bcd) return raw & 0xffff;
    const n = ((raw % 10_000) + 10_000) % 10_000;
    return ((Math.floor(n / 1000) % 10) << 12) | ((Math.floor(n / 100) % 10) << 8) | ((Math.floor(n / 10) % 10) << 4) | (n % 10);
  }

  out(): boolean {
    const { s } = this;
    const e = this.#elapsed();
    const half = Math.ceil(s.count / 2);
    switch (s.mode) {
      case 0:
        return s.count !== 0 && e >= s.count;
      case 1:
        return s.waiting || s.count === 0 || e < 0 || e >= s.count;
      case 2:
        return !s.gate || s.count === 0 || e < 0 || e % s.count !== s.count - 1;
      case 3:
        return !s.gate || s.count === 0 || e < 0 || e % s.count < half;
      default:
        return s.waiting || s.count === 0 || e !== s.count;
    }
  }

  /**
   * Time (ns) of the next change of OUT that an edge-triggered input can notice, Infinity for none. Mode 2's and 4's low
   * pulse of one clock is reported once, at its rising edge.
   */
  nextEdge(): number {
    const { s } = this;
    const e = this.#elapsed();
    if (s.count === 0 || s.waiting || s.stopped >= 0) return Infinity;
    const period = Math.max(0, Math.floor(e / s.count)) * s.count;
    const half = Math.ceil(s.count / 2);
    let target: number;
    if (s.mode === 2) target = period + s.count;
    else if (s.mode === 3) target = e < period + half ? period + half : period + s.count;
    else target = s.mode === 4 || s.mode === 5 ? s.count + 1 : s.count;
    return target <= e ? Infinity : PIT_CLOCK.timeOf(s.start + target);
  }

  #tick(): number {
    return PIT_CLOCK.ticksAt(this.#now());
  }

  /** Ticks since the count was loaded, -1 before the loading clock; adopts a count that waited for the period's end. */
  #elapsed(): number {
    const { s } = this;
    if (s.stopped >= 0) return s.stopped;
    const tick = this.#tick();
    if (s.nextAt >= 0 && tick >= s.nextAt) {
      s.start = s.nextAt;
      s.count = s.next;
      s.nextAt = -1;
    }
    return tick - s.start;
  }

  #load(raw: number): void {
    const { s } = this;
    const bcd = ((raw >> 12) & 15) * 1000 + ((raw >> 8) & 15) * 100 + ((raw >> 4) & 15) * 10 + (raw & 15);
    const count = s.bcd ? bcd || 10_000 : raw || 0x1_0000;
    if ((s.mode === 2 || s.mode === 3) && s.count !== 0 && s.stopped < 0 && this.#elapsed() >= 0) {
      s.next = count;
      s.nextAt = s.start + (Math.floor(this.#elapsed() / s.count) + 1) * s.count;
      return;
    }
    s.count = count;
    if (s.mode === 1 || s.mode === 5) s.waiting = true;
    else if (s.gate) this.#start();
    else s.stopped = 0;
  }

  #start(): void {
    this.s.start = this.#tick() + 1;
    this.s.stopped = -1;
    this.s.waiting = false;
  }

  #binary(): number {
    const { s } = this;
    const e = Math.max(0, this.#elapsed());
    if (s.count === 0) return 0;
    if (s.waiting) return s.count;
    if (s.mode === 2) return s.count - (e % s.count);
    if (s.mode !== 3) return s.count - e;
    // Mode 3 counts down by two, twice a period; an odd count is high for one clock more than low.
    const r = e % s.count;
    const half = Math.ceil(s.count / 2);
    const even = s.count & ~1;
    return r < half ? even - 2 * r : even - 2 * (r - half);
  }
}
