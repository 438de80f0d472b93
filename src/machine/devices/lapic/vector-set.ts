/** A 256-bit register (IRR, ISR, TMR) lies in eight consecutive 32-bit registers: SDM Vol. 3, 11.8.4. */

export function highestVector(regs: Uint32Array, base: number): number {
  for (let n = 7; n >= 0; n--) {
    const word = regs[base + n]!;
    if (word !== 0) return n * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

export function hasVector(regs: Uint32Array, base: number, vector: number): boolean {
  return ((regs[base + (vector >> 5)]! >>> (vector & 31)) & 1) !== 0;
}

export function setVector(regs: Uint32Array, base: number, vector: number, on: boolean): void {
  const n = base + (vector >> 5);
  const bit = 1 << (vector & 31);
  regs[n] = (on ? regs[n]! | bit : regs[n]! & ~bit) >>> 0;
}

export function vectorsOf(regs: Uint32Array, base: number): number[] {
  return Array.from({ length: 256 }, (_, v) => v).filter((v) => hasVector(regs, base, v));
}
