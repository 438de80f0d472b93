import type { PhysAddr } from '../memory/address.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import { littleEndian, utf16Text } from './pack.ts';

/**
 * The firmware's own structures in RAM, by physical address (the firmware's page tables are the identity). Addresses come
 * from the firmware's bookkeeping; where a guest has spoiled a pointer, reads give zeros and writes vanish.
 */
export class GuestMemory {
  readonly #memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }
  read(p: PhysAddr, length: number): Uint8Array {
    return this.#memory.peek(p, length) ?? new Uint8Array(length);
  }
  write(p: PhysAddr, bytes: Uint8Array): void {
    this.#memory.poke(p, bytes);
  }
  fill(p: PhysAddr, length: number, value: number): void {
    if (p >= 0 && p + length <= this.#memory.ramSize) this.#memory.fill(p, length, value);
  }
  u32(p: PhysAddr): number {
    const b = this.read(p, 4);
    return (b[0]! | (b[1]! << 8) | (b[2]! << 16) | (b[3]! << 24)) >>> 0;
  }
  u64(p: PhysAddr): bigint {
    return BigInt(this.u32(p)) | (BigInt(this.u32(p + 4)) << 32n);
  }
  /** A pointer member; one beyond 2^53 keeps its magnitude and matches no structure of ours. */
  pointer(p: PhysAddr): PhysAddr {
    return Number(this.u64(p));
  }
  setU32(p: PhysAddr, v: number): void {
    this.write(p, littleEndian(v >>> 0, 4));
  }
  setU64(p: PhysAddr, v: number | bigint): void {
    this.write(p, littleEndian(v, 8));
  }
  utf16(p: PhysAddr, byteLength: number): string {
    return utf16Text(this.read(p, byteLength));
  }
}
