import { littleEndian } from './addressing.ts';
import type { Case, Mode } from './case.ts';
import { CODE, setups } from './case.ts';

/** Bytes, a place, or a reference to a place: relative to the next instruction, or absolute in the code segment (plus `add`). */
export type Item =
  | readonly number[]
  | { readonly label: string }
  | {
      readonly before: readonly number[];
      readonly to: string;
      readonly size: 1 | 2 | 4 | 8;
      readonly absolute?: boolean;
      readonly add?: number;
      readonly after?: readonly number[];
    };

/** Items that stay together when a failing program is made smaller. */
export type Piece = readonly Item[];

const sizeOf = (item: Item): number =>
  Array.isArray(item) ? item.length : 'before' in item ? item.before.length + item.size + (item.after?.length ?? 0) : 0;

/** Machine code of the pieces; a label that is not there (a piece was left out) means the end. */
export function assemble(pieces: readonly Piece[], origin: number): Uint8Array {
  const items = pieces.flat();
  const places = new Map<string, number>();
  let at = 0;
  for (const item of items) {
    if ('label' in item) places.set(item.label, at);
    at += sizeOf(item);
  }
  const end = at;
  const out: number[] = [];
  for (const item of items) {
    if ('label' in item) continue;
    if (!('before' in item)) {
      out.push(...item);
      continue;
    }
    const { before, size, absolute, add = 0, after = [] } = item;
    const next = out.length + before.length + size + after.length;
    const target = (places.get(item.to) ?? end) + add;
    out.push(...before, ...littleEndian(absolute ? origin + target : target - next, size), ...after);
  }
  return Uint8Array.from(out);
}

/** A program: a case that knows its parts. */
export interface Program extends Case {
  readonly pieces: readonly Piece[];
}

type Parts = Omit<Case, 'code' | 'endBits' | 'undefinedFlags' | 'memory'> & Partial<Case> & { readonly pieces: readonly Piece[] };

export const originOf = (mode: Mode, start: number): number => CODE - setups[mode].codeBase + start;

export function makeProgram(parts: Parts): Program {
  return {
    endBits: setups[parts.mode].bits,
    undefinedFlags: 0,
    memory: 'exact',
    ...parts,
    code: assemble(parts.pieces, originOf(parts.mode, parts.start)),
  };
}
