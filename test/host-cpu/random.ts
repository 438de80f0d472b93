/** A small deterministic generator (splitmix64): cases repeat for a seed, here and in the harness. */
export class Random {
  #state: bigint;
  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, seed);
  }
  u64(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }
  below(n: number): number {
    return Number(this.u64() % BigInt(n));
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }
  /** A 64-bit value that is often an edge: 0, -1, a single bit, a sign boundary of some width. */
  value(): bigint {
    switch (this.below(6)) {
      case 0:
        return BigInt.asUintN(
          64,
          this.pick([
            0n,
            1n,
            -1n,
            0x7fn,
            0x80n,
            0xffn,
            0x7fffn,
            0x8000n,
            0x7fffffffn,
            0x80000000n,
            0xffffffffn,
            0x7fffffffffffffffn,
            0x8000000000000000n,
          ]),
        );
      case 1:
        return 1n << BigInt(this.below(64));
      case 2:
        return BigInt.asUintN(64, BigInt.asIntN(8, this.u64()));
      default:
        return this.u64();
    }
  }
}
