import type { Row } from '../../src/machine/cpu/isa/row.ts';
import type { Random } from './random.ts';

const PP: Readonly<Record<number, number>> = { 0: 0, 0x66: 1, 0xf3: 2, 0xf2: 3 };

/** A VEX prefix chosen for a row, and the REX bits that it stands for. SDM Vol. 2, 2.3.5. */
export interface VexChoice {
  readonly bytes: readonly number[];
  /** 0x40 with W, R, X, B as a REX prefix has them. */
  readonly rex: number;
}

/** @param fixed R, X and B, and the register in vvvv where it is decided; invalid prefixes are not made then */
export function vexPrefix(
  row: Row,
  long: boolean,
  random: Random,
  fixed?: { readonly extended: number; readonly vvvv: number | undefined },
): VexChoice {
  const vex = row.vex!;
  const w = vex.w >= 0 ? vex.w : random.chance(3) ? 1 : 0;
  const long256 = vex.length === 32 || (vex.length === 0 && random.chance(4)) ? 1 : 0;
  const extended = fixed ? fixed.extended : long && random.chance(2) ? random.below(8) : 0; // R, X, B
  // An operand that is not there must be 1111B: the rest is #UD.
  const vvvv = fixed?.vvvv ?? (row.vvvv ? random.below(long ? 16 : 8) : !fixed && random.chance(60) ? random.below(long ? 16 : 8) : 0);
  const ignored = !long && row.vvvv && random.chance(8) ? 8 : 0;
  const short = row.map === 1 && w === 0 && (extended & 3) === 0 && random.chance(2);
  const last = ((~(vvvv | (short ? 0 : ignored)) & 15) << 3) | (long256 << 2) | PP[row.prefix > 0 ? row.prefix : 0]!;
  const bytes = short ? [0xc5, (~extended & 4 ? 0x80 : 0) | last] : [0xc4, ((~extended & 7) << 5) | row.map, (w << 7) | last];
  return { bytes, rex: 0x40 | (w << 3) | extended };
}
