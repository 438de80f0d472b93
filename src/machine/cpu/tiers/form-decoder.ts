import { PAGE_SIZE, RECORD_SIZE } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import { byteRegisterOffset } from '../cpu.ts';
import type { Decoder } from '../isa/decoder.ts';
import * as L from '../layout.ts';
import { Form, formOf } from './form.ts';
import { fusedHandler } from './handlers.ts';

/** The longest instruction: so many bytes must be there, or the general way decodes. */
const LONGEST = 15;

/** A form's place: map, opcode, prefix (none, 66, F3, F2), REX.W, whether ModRM names a register, ModRM.reg. */
const SLOTS = 2 * 256 * 4 * 2 * 16;
/** In place of a form: looked at, and left to the general way. */
const GENERAL = 2;

/** How a run ended: before an instruction for the general way or at the end of the room, or with a branch. */
export const Flow = { stopped: 0, branches: 1, ends: 2 } as const;

/**
 * From bytes to records, for the common instructions of 64-bit code. What an instruction's record is, the rows say, through the general way:
 * decoder.ts and block-builder.ts. The first instruction of a form goes that way and leaves its form here (`learn`); those after it are
 * decoded by table, in a loop that calls and allocates nothing. Whatever has no form goes the general way each time.
 */
export class FormDecoder {
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #view: DataView;
  /** Four words a slot: `InstructionForm`, whose bits are 0 while it is not known. */
  readonly #forms = new Int32Array(SLOTS * 4);
  /** Of the instruction at which the last run stopped because its form is not known; -1: it did not. */
  #unknown = -1;
  /** After a run: where the next instruction is, where its record goes, and how many instructions there were. */
  at = 0;
  record = 0;
  instructions = 0;

  constructor(m: LinearMemory) {
    this.#u8 = m.u8;
    this.#u16 = m.u16;
    this.#i32 = m.i32;
    this.#view = m.view;
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
    const u8 = this.#u8;
    const i32 = this.#i32;
    const view = this.#view;
    const forms = this.#forms;
    const last = end - LONGEST;
    let flow: number = Flow.stopped;
    let n = 0;
    this.#unknown = -1;
    while (n < room && at <= last) {
      let p = at + 1;
      let byte = u8[at]!;
      let slot = 0;
      if (byte === 0x66 || byte >= 0xf2) {
        if (byte === 0x66 || byte <= 0xf3) {
          slot = byte === 0x66 ? 0x20 : byte === 0xf3 ? 0x40 : 0x60;
          byte = u8[p++]!;
        }
      }
      // Without a branch, for none would be predictable: REX, and most of what follows.
      const isRex = ((((byte ^ 0x40) & 0xf0) - 1) >> 31) & 1;
      const rex = byte & -isRex;
      p += isRex;
      byte = u8[p - 1]!;
      if (byte === 0x0f) {
        slot |= 0x8000;
        byte = u8[p++]!;
      }
      // Where there is no ModRM byte, sixteen slots get the same form.
      const modrm = u8[p]!;
      slot |= (byte << 7) | ((rex & 8) << 1) | (MODRM[modrm]! & 15);
      const form = forms[slot * 4]!;
      if ((form & Form.known) === 0) {
        if (form === 0) this.#unknown = slot;
        break;
      }
      const handlers = forms[slot * 4 + 1]!;
      const places = forms[slot * 4 + 2]!;
      const hasModrm = -((form >> 1) & 1);
      const info = MODRM[modrm]! & hasModrm;
      let op = handlers & 0xffff;
      let reg = (modrm & 0x38) | ((rex & 4) << 4);
      let rm = (((byte ^ ((byte ^ modrm) & hasModrm)) & 7) << 3) | ((rex & 1) << 6);
      const shift = (info >> 8) & 31;
      let displacement = ((view.getInt32(p + 1, true) << shift) >> shift) & (info >> 31);
      let base = L.SLOT_ZERO ^ ((L.SLOT_ZERO ^ rm) & -((info >> 4) & 1));
      let index: number = L.SLOT_ZERO;
      let scale = 0;
      p += (info >> 16) & 7;
      if ((info & SPECIAL) !== 0) {
        if ((modrm & 7) === 4) {
          const sib = u8[p - ((info >> 16) & 7) + 1]!;
          p++;
          const register = (sib & 0x38) | ((rex & 2) << 5);
          if (register !== L.GPR + 4 * 8) {
            index = register;
            scale = sib >> 6;
            op = handlers >>> 16;
          }
          base = ((sib & 7) << 3) | ((rex & 1) << 6);
          if (modrm >= 0x40) displacement = modrm >= 0x80 ? view.getInt32(p - 4, true) : (u8[p - 1]! << 24) >> 24;
          else if ((sib & 7) === 5) {
            // SDM Vol. 2, table 2-3
            base = L.SLOT_ZERO;
            displacement = view.getInt32(p, true);
            p += 4;
          }
        } else base = L.SLOT_CODE_PAGE; // table 2-2
      }
      const cut = (form >> Form.immediateShift) & 31;
      let immediate = ((view.getInt32(p, true) << cut) >> cut) & forms[slot * 4 + 3]!;
      p += (form >> Form.immediateSize) & 7;
      if ((form & Form.uncommon) !== 0) {
        if ((form & Form.byteReg) !== 0) reg = byteRegisterOffset(reg >> 3, rex !== 0);
        if ((form & Form.byteRm) !== 0) rm = byteRegisterOffset(rm >> 3, rex !== 0);
        if ((form & Form.segment) !== 0) rm = (base === L.GPR + 4 * 8 || base === L.GPR + 5 * 8 ? L.SS : L.DS) << 3;
        if ((form & Form.wide) !== 0) {
          displacement = immediate;
          immediate = view.getInt32(p, true);
          p += 4;
        }
      }
      const next = p - page;
      if (base === L.SLOT_CODE_PAGE) {
        const sum = (displacement + next) | 0;
        if (sum < displacement) break; // needs an address record
        displacement = sum;
      }
      let fields = Math.imul(reg, places & 0xffff) | Math.imul(rm, places >> 16);
      n++;
      if ((form & Form.branch) !== 0) {
        flow = (form & Form.conditional) !== 0 ? Flow.branches : Flow.ends;
        const count = before + n;
        fields = (fields & 0xff) | (count << 8);
        if ((form & Form.relative) !== 0) {
          displacement = (next + immediate) | 0;
          if ((form & Form.linkable) !== 0 && displacement >= 0 && displacement < PAGE_SIZE) {
            op = handlers >>> 16;
            if ((form & Form.condition) !== 0 && count > 1) this.#fuse(record - RECORD_SIZE, byte & 15);
          }
        }
        if ((form & Form.call) !== 0) immediate = next;
        else if ((form & Form.return) === 0) immediate = 0;
      }
      const word = record >> 2;
      i32[word] = op | ((at - page) << 16) | (scale << 28);
      i32[word + 1] = fields | (base << 16) | (index << 24);
      i32[word + 2] = displacement;
      i32[word + 3] = immediate;
      record += RECORD_SIZE;
      at = p;
      if (flow !== Flow.stopped) break;
    }
    this.at = at;
    this.record = record;
    this.instructions = n;
    return flow;
  }

  /** The general way decoded the instruction at which the last run stopped: from now on such ones are decoded here, if they have a form. */
  learn(d: Decoder): void {
    const slot = this.#unknown;
    if (slot < 0) return;
    this.#unknown = -1;
    const { row } = d;
    // Bytes that are prefixes here and no opcodes, such as a second 66, are not those of the instruction.
    const same = slot >> 7 === ((row.map << 8) | d.opcode);
    const form = same ? formOf(d) : undefined;
    this.#forms.set(form ? [form.bits, form.handlers, form.places, form.mask] : [GENERAL, 0, 0, 0], slot * 4);
  }

  /** A comparison right before the branch, in the same block: both in one dispatch. */
  #fuse(first: number, condition: number): void {
    const both = fusedHandler(this.#u16[first >> 1]!, condition);
    if (both !== 0) this.#u16[first >> 1] = both;
  }
}

/** In MODRM: SIB follows, or the address is relative to RIP. */
const SPECIAL = 1 << 5;

/**
 * By ModRM byte: bits 0-3 select the form; 4: a memory operand; SPECIAL; 8-12: 32 less the displacement's bits; 16-18: how many bytes
 * ModRM and displacement have; 31: there is a displacement.
 */
const MODRM = Int32Array.from({ length: 256 }, (_, modrm) => {
  const form = ((modrm >> 3) & 7) | (modrm >= 0xc0 ? 8 : 0);
  if (modrm >= 0xc0) return form | (1 << 16);
  const mod = modrm >> 6;
  const relative = mod === 0 && (modrm & 7) === 5;
  const bytes = mod === 1 ? 1 : mod === 2 || relative ? 4 : 0;
  const sib = (modrm & 7) === 4;
  return form | 0x10 | (sib || relative ? SPECIAL : 0) | (((32 - 8 * bytes) & 31) << 8) | ((1 + bytes) << 16) | (bytes > 0 ? 1 << 31 : 0);
});
