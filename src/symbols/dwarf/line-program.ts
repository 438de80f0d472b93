import { ByteReader } from '../byte-reader.ts';
import type { LineHeader } from './line-header.ts';
import type { DwarfContext } from './sections.ts';

/** One row of the line number matrix. `end` marks the first address behind a sequence. */
export interface LineRow {
  readonly address: number;
  readonly file: number;
  readonly line: number;
  readonly isStatement: boolean;
}

/** Consecutive machine code from one place: rows in order of address, and the first address behind the last. */
export interface LineSequence {
  readonly rows: readonly LineRow[];
  readonly end: number;
  /** Where its part of the program stands in .debug_line: it depends on no other part (DWARF 5 section 6.2.2). */
  readonly programStart: number;
  readonly programEnd: number;
}

export const DW_LNS_copy = 1;
export const DW_LNS_advance_pc = 2;
export const DW_LNS_advance_line = 3;
export const DW_LNS_set_file = 4;
export const DW_LNS_negate_stmt = 6;
const DW_LNS_const_add_pc = 8;
const DW_LNS_fixed_advance_pc = 9;
export const DW_LNE_end_sequence = 1;
export const DW_LNE_set_address = 2;

/** Runs a line number program (DWARF 5 section 6.2.5). Sequences of discarded code, which lie below the base, are left out. */
export function runLineProgram(context: DwarfContext, header: LineHeader): LineSequence[] {
  const { minimumInstructionLength, lineBase, lineRange, opcodeBase, operandCounts } = header;
  const where = '.debug_line';
  context.budget.spend(header.programEnd - header.programStart, where);
  const reader = new ByteReader(context.section.line, where, header.programStart, header.programEnd);
  const constantAdvance = Math.floor((255 - opcodeBase) / lineRange) * minimumInstructionLength;
  const sequences: LineSequence[] = [];
  let rows: LineRow[] = [];
  let programStart = reader.pos;
  let address = context.base.zero;
  let file = 1;
  let line = 1;
  let isStatement = header.defaultIsStatement;
  const emit = () => rows.push({ address, file, line, isStatement });

  while (reader.left > 0) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      address += Math.floor(adjusted / lineRange) * minimumInstructionLength;
      line += lineBase + (adjusted % lineRange);
      emit();
      continue;
    }
    switch (opcode) {
      case 0: {
        const size = reader.uleb();
        const start = reader.pos;
        if (size > reader.left) reader.fail(`extended opcode of ${size} bytes does not end inside its table`);
        const extended = size > 0 ? reader.u8() : 0;
        if (extended === DW_LNE_end_sequence) {
          addSequence(sequences, { rows, end: address, programStart, programEnd: start + size });
          rows = [];
          programStart = start + size;
          address = context.base.zero;
          file = 1;
          line = 1;
          isStatement = header.defaultIsStatement;
        } else if (extended === DW_LNE_set_address) {
          address = reader.address(size - 1, context.base);
        }
        reader.seek(start + size);
        break;
      }
      case DW_LNS_copy:
        emit();
        break;
      case DW_LNS_advance_pc:
        address += reader.uleb() * minimumInstructionLength;
        break;
      case DW_LNS_advance_line:
        line += reader.sleb();
        break;
      case DW_LNS_set_file:
        file = reader.uleb();
        break;
      case DW_LNS_negate_stmt:
        isStatement = !isStatement;
        break;
      case DW_LNS_const_add_pc:
        address += constantAdvance;
        break;
      case DW_LNS_fixed_advance_pc:
        address += reader.u16();
        break;
      default:
        // Columns, basic blocks, prologue marks and opcodes to come: no effect on the rows, their operands are known by count.
        for (let i = operandCounts[opcode - 1] ?? 0; i > 0; i--) reader.uleb();
    }
  }
  return sequences;
}

function addSequence(sequences: LineSequence[], sequence: LineSequence & { readonly rows: LineRow[] }): void {
  const { rows, end } = sequence;
  const first = rows[0];
  if (first === undefined || first.address < 0) return;
  // Hand-written assembly with .org or subsections may go backwards; searching needs order.
  if (rows.some((row, i) => i > 0 && row.address < rows[i - 1]!.address)) rows.sort((a, b) => a.address - b.address);
  if (end > rows[0]!.address) sequences.push(sequence);
}
