import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/machine/cpu/isa/row.ts';
import type { Case, Mode, Outcome } from './case.ts';
import { disagreementsWith } from './check.ts';
import type { Where } from './draft.ts';
import { generateSeveral } from './generate.ts';
import { baseline } from './host-features.ts';
import { runOnHost } from './host.ts';
import { Random } from './random.ts';
import { byName, isOrderly, rowsWithoutHost, testedRows, touchesMemory } from './tested-rows.ts';

/** How much of a mode is compared: for each opcode row so many codes, each with so many states; and as many codes at the edges of memory. */
export interface Share {
  readonly mode: Mode;
  readonly codes: number;
  readonly states: number;
  readonly atEdges: number;
}

/** The cases of some instructions, run on the host together when the first of them is asked for. */
class Batch {
  readonly #make: () => Map<string, Case[]>;
  #results: Map<string, { readonly cases: readonly Case[]; readonly host: readonly Outcome[] }> | undefined;

  constructor(make: () => Map<string, Case[]>) {
    this.#make = make;
  }

  of(name: string): { readonly cases: readonly Case[]; readonly host: readonly Outcome[] } {
    if (!this.#results) {
      const made = [...this.#make()];
      const host = runOnHost(made.flatMap(([, cases]) => cases));
      let at = 0;
      this.#results = new Map(made.map(([key, cases]) => [key, { cases, host: host.slice(at, (at += cases.length)) }]));
    }
    const result = this.#results.get(name)!;
    this.#results.delete(name); // asked for once
    return result;
  }
}

/** Starting the harness costs as much as many cases do. */
const BATCH_ROWS = 48;

/** Names of instructions, each with the batch that has its cases. */
function inBatches(rows: readonly Row[], mode: Mode, where: Where, codes: number, states: number, seed: bigint): [string, Batch][] {
  const groups: [string, Row[]][][] = [[]];
  let count = 0;
  for (const group of byName(rows)) {
    if (count >= BATCH_ROWS) {
      groups.push([]);
      count = 0;
    }
    groups.at(-1)!.push(group);
    count += group[1].length;
  }
  return groups.flatMap((names, n) => {
    const random = new Random(seed + BigInt(n * 2));
    const casesOf = (row: Row): Case[] => Array.from({ length: codes }, () => generateSeveral(row, random, mode, where, states)).flat();
    const batch = new Batch(() => new Map(names.map(([name, list]) => [name, list.flatMap(casesOf)])));
    return names.map(([name]): [string, Batch] => [name, batch]);
  });
}

/**
 * Tests that compare rows with the host's CPU in both tiers. Seeds are fixed so that a failure repeats; `npm run fuzz:cpu` goes on from
 * there. `atLeast`: cases that must have been compared in the end.
 */
export function compareWithHost(which: (row: Row) => boolean, shares: readonly Share[], seed: bigint, atLeast: number): void {
  let total = 0;

  describe.each(shares)('$mode-bit code agrees with the host CPU', ({ mode, codes, states, atEdges }) => {
    const rows = testedRows(mode).filter(which);
    const modeSeed = seed + (BigInt(shares.findIndex((s) => s.mode === mode)) << 32n);
    const compare = (name: string, batch: Batch): void => {
      const { cases, host } = batch.of(name);
      total += cases.length;
      expect(disagreementsWith(cases, host).slice(0, 5)).toEqual([]);
    };

    it.each(inBatches(rows, mode, 'data', codes, states, modeSeed))('%s', compare);

    // Memory operands that cross into a read-only page, into nothing, or beyond a segment's limit.
    const orderly = rows.filter((r) => isOrderly(r) && touchesMemory(r));
    it.each(inBatches(orderly, mode, 'edge', atEdges, states, modeSeed + 1n))('%s at the edges of memory', compare);
  });

  it('the host has the features of the baseline; rows of others that it lacks are named', () => {
    const missing = [...rowsWithoutHost()];
    for (const [feature, names] of missing) console.warn(`NOT COMPARED, the host has no ${feature}: ${[...new Set(names)].join(' ')}`);
    expect(missing.map(([feature]) => feature).filter((f) => baseline.has(f))).toEqual([]);
  });

  it(`ran at least ${atLeast} cases`, () => {
    expect(total).toBeGreaterThanOrEqual(atLeast);
  });
}
