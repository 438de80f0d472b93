import { LineHeader } from '../line-header.ts';
import * as lines from '../line-program.ts';
import type { LineRow, LineSequence } from '../line-program.ts';
import type { Unit } from '../unit.ts';
import { ByteWriter, putSized } from '../../byte-writer.ts';
import type { Window } from './window.ts';

/** Builds a .debug_line of the tables asked for, each with the part of its program that is about code in the window. */
export class TrimmedLines {
  readonly #window: Window;
  readonly #out = new ByteWriter();
  readonly #offsets = new Map<number, number>();

  constructor(window: Window) {
    this.#window = window;
  }

  /** The new offset of a unit's table. */
  add(unit: Unit, offset: number): number {
    let at = this.#offsets.get(offset);
    if (at === undefined) {
      this.#offsets.set(offset, (at = this.#out.length));
      this.#out.bytes(this.#table(unit, offset));
    }
    return at;
  }

  result(): Uint8Array {
    return this.#out.result();
  }

  #table(unit: Unit, offset: number): Uint8Array {
    const { context } = unit;
    const old = context.section.line;
    const header = new LineHeader(unit, offset);
    const out = new ByteWriter();
    out.bytes(old.subarray(offset, header.programStart));
    for (const sequence of lines.runLineProgram(context, header)) {
      const first = sequence.rows[0]!.address;
      if (first >= this.#window.high || sequence.end <= this.#window.low) continue;
      if (first >= this.#window.low && sequence.end <= this.#window.high) out.bytes(old.subarray(sequence.programStart, sequence.programEnd));
      else this.#cut(unit, header, sequence, out);
    }
    const table = out.result();
    const wide = table[0] === 0xff && table[1] === 0xff && table[2] === 0xff && table[3] === 0xff;
    if (wide) putSized(table, 4, 8, table.length - 12);
    else putSized(table, 0, 4, table.length - 4);
    return table;
  }

  /** Writes the rows of a sequence that is only partly inside with the plainest opcodes (DWARF 5 section 6.2.5.2). */
  #cut(unit: Unit, header: LineHeader, sequence: LineSequence, out: ByteWriter): void {
    const { low, high } = this.#window;
    const rows = sequence.rows.filter((row, i) => row.address < high && (sequence.rows[i + 1]?.address ?? sequence.end) > low);
    let at: Omit<LineRow, 'address'> = { file: 1, line: 1, isStatement: header.defaultIsStatement };
    let address = Math.max(rows[0]?.address ?? low, low);
    out.bytes([0, 1 + unit.addressSize, lines.DW_LNE_set_address]);
    out.sized(unit.addressSize, unit.context.base.toAddress(address));
    const advance = (to: number) => {
      if (to > address) {
        out.bytes([lines.DW_LNS_advance_pc]);
        out.uleb(Math.floor((to - address) / header.minimumInstructionLength));
      }
      address = Math.max(address, to);
    };
    for (const row of rows) {
      advance(row.address);
      if (row.file !== at.file) {
        out.bytes([lines.DW_LNS_set_file]);
        out.uleb(row.file);
      }
      if (row.line !== at.line) {
        out.bytes([lines.DW_LNS_advance_line]);
        out.sleb(row.line - at.line);
      }
      if (row.isStatement !== at.isStatement) out.bytes([lines.DW_LNS_negate_stmt]);
      out.bytes([lines.DW_LNS_copy]);
      at = row;
    }
    advance(Math.min(sequence.end, high));
    out.bytes([0, 1, lines.DW_LNE_end_sequence]);
  }
}
