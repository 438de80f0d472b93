const EDGES = [0n, 1n, -1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x7fffffffffffffffn, 0x8000000000000000n].map((v) => BigInt.asUintN(64, v)); // prettier-ignore

/**
 * A small deterministic generator (sfc32, by Chris Doty-Humphrey), in 32-bit arithmetic because most of the time that a case
 * takes could go into making it: cases repeat for a seed.
 */
export class Random {
  #a = 0;
  #b: number;
  #c: number;
  #count = 1;
  readonly #words = new Uint32Array(2);
  readonly #wide = new BigUint64Array(this.#words.buffer);

  constructor(seed: bigint) {
    this.#b = Number(BigInt.asIntN(32, seed));
    this.#c = Number(BigInt.asIntN(32, seed >> 32n));
    for (let n = 0; n < 12; n++) this.u32();
  }
  u32(): number {
    const t = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }
  u64(): bigint {
    this.#words[0] = this.u32();
    this.#words[1] = this.u32();
    return this.#wide[0]!;
  }
  below(n: number): number {
    return n <= 0xffff_ffff ? this.u32() % n : Math.floor((this.u32() / 2 ** 32) * n);
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
        return this.pick(EDGES);
      case 1:
        return 1n << BigInt(this.below(64));
      case 2:
        return BigInt.asUintN(64, BigInt((this.u32() << 24) >> 24));
      default:
        return this.u64();
    }
  }
}
