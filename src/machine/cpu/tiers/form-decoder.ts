import { FORM_RESULT, FORMS, PAGE_SIZE, RECORD_SIZE } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import type { Decoder } from '../isa/decoder.ts';
import { Form, formOf } from './form.ts';
import type { FormLoop } from './form-loop.ts';
import { BRANCH, instantiateFormLoop } from './form-loop.ts';
import { fusedHandler } from './handlers.ts';
import { REC_B, REC_DISP, REC_IMM } from './record.ts';

/** The longest instruction: so many bytes must be there, or the general way decodes. */
const LONGEST = 15;
/** In place of a form: looked at, and left to the general way. */
const GENERAL = 2;

/** How a run ended: before an instruction for the general way or at the end of the room, or with a branch. */
export const Flow = { stopped: 0, branches: 1, ends: 2 } as const;

/**
 * From bytes to records, for the common instructions of 64-bit code. What an instruction's record is, the rows say, through the general way:
 * decoder.ts and block-builder.ts. The first instruction of a form goes that way and leaves its form here (`learn`); those after it are
 * decoded by table (form-loop.ts). Whatever has no form goes the general way each time.
 */
export class FormDecoder {
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #loop: FormLoop;
  readonly #earlier: number[];
  /** Slot of the instruction at which the last run stopped because its form is not known; -1: it did not. */
  #unknown = -1;
  /** After a run: where the next instruction is, where its record goes, and how many instructions there were. */
  at = 0;
  record = 0;
  instructions = 0;

  /** @param earlier gets the targets of branches to pages before */
  constructor(m: LinearMemory, earlier: number[]) {
    this.#earlier = earlier;
    this.#u8 = m.u8;
    this.#u16 = m.u16;
    this.#i32 = m.i32;
    this.#loop = instantiateFormLoop(m);
  }

  /**
   * Writes records for the instructions at `at`, up to a branch, or to one that it leaves to the general way.
   * @param end one past the last byte that may be read
   * @param page address of offset 0 of the page
   * @param record where the first record goes
   * @param before instructions that the block has already
   * @param room at most this many more
   */
  run(at: number, end: number, page: number, record: number, before: number, room: number): number {
    const stop = this.#loop(at, end - LONGEST, page, record, room);
    this.at = this.#i32[FORM_RESULT >> 2]! >>> 0;
    this.record = this.#i32[(FORM_RESULT >> 2) + 1]!;
    this.instructions = (this.record - record) / RECORD_SIZE;
    if (stop >= BRANCH) return this.#branch(stop - BRANCH, this.record - RECORD_SIZE, before + this.instructions, this.at - page);
    this.#unknown = stop;
    return Flow.stopped;
  }

  /** The general way decoded the instruction at which the last run stopped: from now on such ones are decoded here, if they have a form. */
  learn(d: Decoder): void {
    const slot = this.#unknown;
    if (slot < 0) return;
    this.#unknown = -1;
    // Bytes that are prefixes here and no opcodes, such as a second 66, are not those of the instruction.
    const form = slot >> 7 === ((d.row.map << 8) | d.opcode) ? formOf(d) : undefined;
    this.#i32.set(form ? [form.bits, form.handlers, form.places, form.mask] : [GENERAL, 0, 0, 0], (FORMS >> 2) + slot * 4);
  }

  /** Completes the record of a branch: `count` instructions in its block, `next` the page offset of what follows. */
  #branch(slot: number, record: number, count: number, next: number): number {
    const entry = (FORMS >> 2) + slot * 4;
    const form = this.#i32[entry]!;
    const immediate = (record + REC_IMM) >> 2;
    this.#u8[record + REC_B] = count;
    if ((form & Form.relative) !== 0) {
      const distance = this.#i32[immediate]!;
      const target = (next + distance) | 0;
      this.#i32[(record + REC_DISP) >> 2] = target;
      if ((form & Form.linkable) !== 0 && target >= 0 && target < PAGE_SIZE) {
        this.#u16[record >> 1] = this.#i32[entry + 1]! >>> 16;
        if ((form & Form.condition) !== 0 && count > 1) this.#fuse(record - RECORD_SIZE, (slot >> 7) & 15);
      } else if ((form & Form.linkable) !== 0 && distance < 0 && target < 0) this.#earlier.push(target);
    }
    if ((form & Form.call) !== 0) this.#i32[immediate] = next;
    else if ((form & Form.return) === 0) this.#i32[immediate] = 0;
    return (form & Form.conditional) !== 0 ? Flow.branches : Flow.ends;
  }

  /** A comparison right before the branch, in the same block: both in one dispatch. */
  #fuse(first: number, condition: number): void {
    const both = fusedHandler(this.#u16[first >> 1]!, condition);
    if (both !== 0) this.#u16[first >> 1] = both;
  }
}
