import { IntervalIndex } from '../interval-index.ts';
import type { LineHeader } from './line-header.ts';
import { runLineProgram } from './line-program.ts';
import type { LineRow, LineSequence } from './line-program.ts';
import type { DwarfContext } from './sections.ts';

/** The line table of one unit. The rows are made when first asked for. */
export class LineTable {
  readonly header: LineHeader;
  readonly #context: DwarfContext;
  #sequences: readonly LineSequence[] | undefined;
  #index: IntervalIndex<LineSequence> | undefined;

  constructor(context: DwarfContext, header: LineHeader) {
    this.#context = context;
    this.header = header;
  }

  get sequences(): readonly LineSequence[] {
    if (this.#sequences === undefined) {
      // Set first: a damaged program is read, and reported, once.
      this.#sequences = [];
      this.#sequences = runLineProgram(this.#context, this.header);
    }
    return this.#sequences;
  }

  rowAt(address: number): LineRow | undefined {
    this.#index ??= new IntervalIndex(this.sequences.map((sequence) => ({ start: sequence.rows[0]!.address, end: sequence.end, value: sequence })));
    const sequence = this.#index.find(address);
    if (sequence === undefined) return undefined;
    const { rows } = sequence;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rows[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return rows[low - 1];
  }

  /**
   * Starts of the code of `line` in the files chosen by number, or of the first later line that has code (what gdb does for a line without).
   * Of several rows in a run, and of several rows at one address, the first stands for all.
   */
  startsOf(files: ReadonlySet<number>, line: number): { line: number; addresses: readonly number[] } | undefined {
    let best = Infinity;
    let addresses: number[] = [];
    for (const { rows } of this.sequences) {
      let before: LineRow | undefined;
      for (const row of rows) {
        const continues = before !== undefined && before.line === row.line && before.file === row.file;
        if (row.isStatement) {
          if (row.line >= line && row.line <= best && files.has(row.file) && !continues) {
            if (row.line < best) addresses = [];
            best = row.line;
            addresses.push(row.address);
          }
          before = row;
        }
      }
    }
    return best === Infinity ? undefined : { line: best, addresses };
  }
}
