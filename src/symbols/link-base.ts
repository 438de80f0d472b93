/**
 * Link addresses are 64-bit, and a higher-half kernel's do not fit a JavaScript number. Inside one file they lie close together, so the
 * readers work on plain numbers relative to the file's lowest code page and only the public interface speaks bigint.
 *
 * A linker leaves 0 (or all ones) in debug information of code it discarded; relative to the base these are negative (or enormous), so
 * "lies below the base" is also the test for such dead entries.
 */
export class LinkBase {
  readonly value: bigint;
  readonly high: number;
  readonly low: number;
  /** Where absolute address 0 lies: exact, because the base is a multiple of 4096 and so has at most 52 significant bits. */
  readonly zero: number;

  constructor(lowest: bigint) {
    this.value = BigInt.asUintN(64, lowest) & ~0xfffn;
    this.high = Number(this.value >> 32n);
    this.low = Number(this.value & 0xffffffffn);
    this.zero = 0 - Number(this.value);
  }

  toOffset(address: bigint): number {
    return Number(address - this.value);
  }

  fromHalves(high: number, low: number): number {
    return (high - this.high) * 0x1_0000_0000 + (low - this.low);
  }

  toAddress(offset: number): bigint {
    return BigInt.asUintN(64, this.value + BigInt(offset));
  }
}
