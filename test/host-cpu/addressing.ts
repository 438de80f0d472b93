import { CODE } from './case.ts';
import type { Draft, SegmentName } from './draft.ts';
import { effectiveSegment, offsetIn, RBP, RSP, setLow } from './draft.ts';

/** Bytes of a memory operand, and the registers whose values it fixed. */
export interface MemoryOperand {
  readonly bytes: number[];
  readonly used: ReadonlySet<number>;
}

export const littleEndian = (v: number | bigint, size: number): number[] =>
  Array.from({ length: size }, (_, n) => Number((BigInt.asUintN(64, BigInt(v)) >> BigInt(n * 8)) & 0xffn));

/**
 * ModRM, SIB and displacement for a linear address, of any form; registers are set to fit, wrapping around at the address
 * size. `at` is where the ModRM byte lies and `after` how many bytes follow the operand, for RIP-relative ones.
 */
export function memoryOperand(d: Draft, reg: number, rex: number, target: number, at: number, after: number, noStack: boolean): MemoryOperand {
  return d.address === 16 ? address16(d, reg, target) : address(d, reg, rex, target, at, after, noStack);
}

/** SDM Vol. 2, table 2-1. */
function address16(d: Draft, reg: number, target: number): MemoryOperand {
  const { random } = d;
  const rm = random.below(8);
  const mod = random.below(3);
  const usesBp = rm === 2 || rm === 3 || (rm === 6 && mod !== 0);
  const offset = offsetIn(d, effectiveSegment(d, usesBp ? 'ss' : 'ds'), target) & 0xffff;
  if (rm === 6 && mod === 0) return { bytes: [(reg << 3) | 6, ...littleEndian(offset, 2)], used: new Set() };
  const base = [3, 3, 5, 5, 6, 7, 5, 3][rm]!;
  const index = [6, 7, 6, 7, -1, -1, -1, -1][rm]!;
  const disp = mod === 0 ? 0 : mod === 1 ? random.below(256) - 128 : random.below(0x1_0000);
  const used = new Set([base]);
  let rest = offset - disp;
  if (index >= 0) {
    const amount = random.below(0x1_0000);
    setLow(d, index, 16, amount);
    used.add(index);
    rest -= amount;
  }
  setLow(d, base, 16, rest);
  return { bytes: [(mod << 6) | (reg << 3) | rm, ...littleEndian(disp, mod)], used };
}

/** SDM Vol. 2, tables 2-2 and 2-3. */
function address(d: Draft, reg: number, rex: number, target: number, at: number, after: number, noStack: boolean): MemoryOperand {
  const { random } = d;
  const bits = d.address;
  const used = new Set<number>();
  const b = (rex & 1) << 3;
  const x = (rex & 2) << 2;
  const place = (base: number): bigint => BigInt(offsetIn(d, segmentOf(d, base), target));
  const set = (register: number, value: bigint): void => {
    setLow(d, register, bits, value);
    used.add(register);
  };
  const shape = random.below(6);
  if (shape === 0) {
    // Absolute, which is RIP-relative in 64-bit mode.
    const length = at + 5 + after;
    const disp = d.setup.bits === 64 ? place(-1) - BigInt(CODE + length) : place(-1);
    if (BigInt.asIntN(32, disp) === disp || bits === 32) return { bytes: [(reg << 3) | 5, ...littleEndian(disp, 4)], used };
  }
  const mod = random.below(3);
  const disp =
    mod === 0
      ? 0n
      : mod === 1
        ? BigInt(random.below(256) - 128)
        : BigInt(random.chance(2) ? random.below(0x1000) - 0x800 : random.below(2 ** 32) - 2 ** 31);
  const size = [0, 1, 4][mod]!;
  let base = random.below(8);
  if (base === 5 && mod === 0) base = 3;
  if (shape <= 2) {
    if (base === RSP) base = 6;
    set(base | b, place(base | b) - disp);
    return { bytes: [(mod << 6) | (reg << 3) | base, ...littleEndian(disp, size)], used };
  }
  if ((base | b) === RSP && noStack) base = 7;
  const scale = random.below(4);
  const index = random.below(8);
  if (shape === 3 && (index | x) !== RSP) {
    // No base: an index and 32 bits of displacement.
    const amount = BigInt(random.below(0x200) - 0x100);
    const rest = place(-1) - (amount << BigInt(scale));
    if (BigInt.asIntN(32, rest) === rest) {
      set(index | x, amount);
      return { bytes: [(reg << 3) | 4, (scale << 6) | (index << 3) | 5, ...littleEndian(rest, 4)], used };
    }
  }
  if ((index | x) === RSP) set(base | b, place(base | b) - disp);
  else if ((index | x) === (base | b)) {
    // One register twice: the displacement makes up for it.
    const amount = BigInt(random.below(64));
    const rest = place(base | b) - amount - (amount << BigInt(scale));
    if (BigInt.asIntN(32, rest) !== rest) return address(d, reg, rex, target, at, after, noStack);
    set(base | b, amount);
    return { bytes: [0x80 | (reg << 3) | 4, (scale << 6) | (index << 3) | base, ...littleEndian(rest, 4)], used };
  } else {
    const amount = random.chance(2) ? BigInt(random.below(64) - 32) : random.u64();
    set(index | x, amount);
    set(base | b, place(base | b) - disp - (amount << BigInt(scale)));
  }
  return { bytes: [(mod << 6) | (reg << 3) | 4, (scale << 6) | (index << 3) | base, ...littleEndian(disp, size)], used };
}

const segmentOf = (d: Draft, base: number): SegmentName => effectiveSegment(d, base === RSP || base === RBP ? 'ss' : 'ds');
