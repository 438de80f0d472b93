/** Finds the innermost of a set of half-open address ranges that may nest. Built once, asked often. */
export class IntervalIndex<T> {
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  /** The greatest end among the intervals up to here: tells a search that goes backwards when to give up. */
  readonly #reach: Float64Array;
  readonly #values: readonly T[];

  constructor(intervals: readonly { start: number; end: number; value: T }[]) {
    // Of two ranges with one start the shorter is the inner one and must be met first by a search from the back.
    const sorted = [...intervals].sort((a, b) => a.start - b.start || b.end - a.end);
    this.#starts = Float64Array.from(sorted, (interval) => interval.start);
    this.#ends = Float64Array.from(sorted, (interval) => interval.end);
    this.#values = sorted.map((interval) => interval.value);
    this.#reach = new Float64Array(sorted.length);
    let reach = -Infinity;
    for (let i = 0; i < sorted.length; i++) this.#reach[i] = reach = Math.max(reach, this.#ends[i]!);
  }

  get size(): number {
    return this.#values.length;
  }

  find(address: number): T | undefined {
    for (let i = this.#lastStartingAtOrBefore(address); i >= 0 && this.#reach[i]! > address; i--) {
      if (this.#ends[i]! > address) return this.#values[i];
    }
    return undefined;
  }

  /** Every range that holds the address, innermost first. */
  *findAll(address: number): Generator<T> {
    for (let i = this.#lastStartingAtOrBefore(address); i >= 0 && this.#reach[i]! > address; i--) {
      if (this.#ends[i]! > address) yield this.#values[i]!;
    }
  }

  #lastStartingAtOrBefore(address: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
