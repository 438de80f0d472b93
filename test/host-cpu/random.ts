/** Low and high words of 0, 1, -1 and of the sign boundaries of each width. */
const EDGES: readonly (readonly [number, number])[] = [
  [0, 0], [1, 0], [-1, -1], [0x7f, 0], [0x80, 0], [0xff, 0], [0x7fff, 0], [0x8000, 0], [0x7fff_ffff, 0], [0x8000_0000, 0], [0xffff_ffff, 0],
  [0xffff_ffff, 0x7fff_ffff], [0, 0x8000_0000],
]; // prettier-ignore

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
    // Words only: V8 (Node 20) aborts when it optimizes a choice between bigints of several origins.
    let low = this.u32();
    let high = this.u32();
    switch (this.below(6)) {
      case 0:
        [low, high] = this.pick(EDGES);
        break;
      case 1:
        low = (high & 32) === 0 ? 1 << (high & 31) : 0;
        high = (high & 32) === 0 ? 0 : 1 << (high & 31);
        break;
      case 2:
        low = (low << 24) >> 24;
        high = low >> 31;
        break;
    }
    this.#words[0] = low;
    this.#words[1] = high;
    return this.#wide[0]!;
  }
}
