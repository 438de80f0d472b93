/**
 * A record is a decoded instruction for tier 0, 16 bytes:
 *
 *   0  u16  handler number
 *   2  u16  offset of the instruction in its page (12 bits), log2 of the index scale (bits 12-13)
 *   4  u8   first operand's register, as a byte offset in the CPU block
 *   5  u8   second operand's register; in a record that ends a block, how many instructions the block has
 *   6  u8   base register, 7 u8 index register (offsets; SLOT_ZERO for none)
 *   8  i32  displacement; in branches the target relative to the page
 *  12  i32  immediate; in branches the record of the target once known; in helpers the number of the kept `Insn`
 *
 * A helper's record has the number of its quick way (quick/helpers.ts) at 4, the instruction's length at 6, and at 7 the registers that ModRM.rm and
 * ModRM.reg name (4 bits each), or without ModRM the immediate byte. For an address that is a
 * base register and a displacement of 8 bits (INVLPG) the latter is at 7, and the register in bits 12-15 of 2.
 *
 * VEX instructions have immediates of a byte: then 13 is the register in VEX.vvvv, 14 the one in bits 7:4 of the immediate.
 * Vector registers are given as their number times 8, like general ones.
 */
export const REC_OP = 0;
export const REC_WHERE = 2;
export const REC_A = 4;
export const REC_B = 5;
export const REC_BASE = 6;
export const REC_INDEX = 7;
export const REC_DISP = 8;
export const REC_IMM = 12;
export const REC_VVVV = 13;
export const REC_IS4 = 14;

/** Where a record has the register of operand n: vvvv and /is4 have places of their own, the others come in order. */
export function operandField(operands: readonly string[], n: number): number {
  const kind = operands[n]![0]!;
  if (kind === 'H' || kind === 'B') return REC_VVVV;
  if (kind === 'L') return REC_IS4;
  let before = 0;
  for (let k = 0; k < n; k++) if (!/^[HBL]/.test(operands[k]!)) before++;
  return before === 0 ? REC_A : REC_B;
}

/** What of a decoded instruction an operand's place in the record gets. */
export const Source = { reg: 0, rm: 1, reg7: 2, rm7: 3, segment: 4, vvvv: 5, is4: 6, zero: 7, registerForm: 8, wideImmediate: 9 } as const;

/** In a number of `recordFields`, above the source: the operand is a byte register. */
export const BYTE_REGISTER = 0x10;

const sources: Readonly<Record<string, number>> = {
  G: Source.reg, V: Source.reg, S: Source.rm7, M: Source.segment, P: Source.reg7, Q: Source.rm7, H: Source.vvvv, B: Source.vvvv,
  L: Source.is4, Z: Source.rm, A: Source.zero, E: Source.registerForm, W: Source.registerForm, R: Source.registerForm,
}; // prettier-ignore

/**
 * The operands that have a place in the record, two numbers each: `Source` with BYTE_REGISTER, and the place. C is always rCX:
 * the second field may belong to another operand (SHLD).
 */
export function recordFields(operands: readonly string[]): Uint8Array {
  const fields: number[] = [];
  for (const [n, o] of operands.entries()) {
    const kind = o[0]!;
    const source = o === 'Iv' ? Source.wideImmediate : sources[kind];
    if (source === undefined) continue;
    fields.push(source | (o[1] === 'b' && kind !== 'V' && kind !== 'W' ? BYTE_REGISTER : 0), operandField(operands, n));
  }
  return Uint8Array.from(fields);
}

/** What emitted code returns to TypeScript. The record is in the RECORD slot, the budget left in LEFT. */
export const Exit = {
  /** The budget is (nearly) used up; RECORD is the next record to execute. */
  budget: 1,
  /** An exception: FAULT_VECTOR, FAULT_CODE; or a VM exit in the middle of an access. */
  fault: 2,
  /** The instruction at RECORD completed and its write asks to leave. */
  after: 3,
  /** RIP is already what it should be (a helper or a branch said so). */
  stop: 4,
  /** A breakpoint mark: the instruction at RECORD was not executed. */
  mark: 5,
} as const;

/** Emitted code keeps at least this much budget, the longest block; what is left below it runs in exact blocks. */
export const MAX_BLOCK = 48;
export const BUDGET_FLOOR = 64;

/**
 * Record classes, by handler: what a record counts as. In linear memory (RECORD_CLASSES) with a bit: emitted code may
 * execute it after an IRET that set RF as if it had not, since it neither reads RF nor keeps it between iterations.
 */
export const RecordClass = { instruction: 0, micro: 1, end: 2, mask: 3, ignoresResumeFlag: 4 } as const;
