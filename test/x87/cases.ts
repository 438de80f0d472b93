import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import type { Case } from '../host-cpu/case.ts';
import { DATA, x87Default } from '../host-cpu/case.ts';

/** Cases of single x87 instructions on given registers, for the comparison with the host's CPU. */

/** 80 bits: sign and exponent above the significand. */
export type Extended = bigint;

export const extended = (signExponent: number, significand: bigint): Extended => (BigInt(signExponent) << 64n) | significand;

export interface X87State {
  readonly fcw?: number;
  readonly fsw?: number;
  /** ST(0) and up; the others are empty. */
  readonly stack: readonly Extended[];
}

export function x87Image(state: X87State): Uint8Array {
  const image = x87Default();
  const view = new DataView(image.buffer);
  const top = (8 - state.stack.length) & 7;
  view.setUint16(0, state.fcw ?? 0x37f, true);
  view.setUint16(2, (state.fsw ?? 0) | (top << 11), true);
  for (const [i, v] of state.stack.entries()) {
    view.setBigUint64(32 + i * 16, BigInt.asUintN(64, v), true);
    view.setUint16(40 + i * 16, Number(v >> 64n), true);
    image[4]! |= 1 << ((top + i) & 7);
  }
  return image;
}

/** RBX points at the operand, `memory`. */
export function x87Case(name: string, code: readonly number[], state: X87State, memory: readonly number[] = []): Case {
  const row = rows.find((r) => r.name === name);
  if (!row) throw new Error(`no row ${name}`);
  return {
    name,
    row,
    mode: '64',
    code: Uint8Array.from(code),
    start: 0,
    endBits: 64,
    seed: 0n,
    gpr: Array.from({ length: 16 }, (_, n) => BigInt(n === 3 ? DATA + 0x800 : DATA + 0x1000)),
    flags: 2,
    xmm: new Array<bigint>(32).fill(0n),
    x87: x87Image(state),
    undefinedFlags: 0,
    memory: 'exact',
    ...(memory.length > 0 ? { patch: { at: 0x800, bytes: Uint8Array.from(memory) } } : {}),
  };
}
