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
   * Statement rows of `line` in the files chosen by number, or of the first later line that has code (what gdb does for a line without). `after`
   * is the address of the row before when that is the same line, so that this one starts nothing new unless it is in another function.
   */
  startsOf(files: ReadonlySet<number>, line: number): { line: number; starts: readonly LineStart[] } | undefined {
    let best = Infinity;
    let starts: LineStart[] = [];
    for (const { rows } of this.sequences) {
      let before: LineRow | undefined;
      for (const row of rows) {
        if (!row.isStatement) continue;
        if (row.line >= line && row.line <= best && files.has(row.file)) {
          if (row.line < best) starts = [];
          best = row.line;
          const continues = before?.line === row.line && before.file === row.file;
          starts.push({ address: row.address, after: continues ? before!.address : undefined });
        }
        before = row;
      }
    }
    return best === Infinity ? undefined : { line: best, starts };
  }
}

export interface LineStart {
  readonly address: number;
  readonly after: number | undefined;
}
