import { PAGE_SIZE, RECORDS, RECORD_SIZE } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import { byteRegisterOffset } from '../cpu.ts';
import type { Decoder } from '../isa/decoder.ts';
import * as L from '../layout.ts';
import { isLegacyBranch, MARK_BREAKPOINT, MARK_LEGACY_BRANCH, Transfer, transferOf } from '../transfers.ts';
import { quickNumber } from '../quick/helpers.ts';
import type { CodePage, CodePages } from './code-pages.ts';
import { Flow, FormDecoder } from './form-decoder.ts';
import { fusedHandler, handlerIndex, operandBits, widthIndex } from './handlers.ts';
import { BYTE_REGISTER, REC_A, REC_B, REC_BASE, REC_DISP, REC_IMM, REC_INDEX, REC_WHERE, recordFields, Source } from './record.ts';
import { Special } from './specials.ts';

/** What a block is built from. */
export interface BlockRequest {
  /** Bytes of the page, and where the block's first instruction is. An instruction that crosses the page is given whole. */
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
  /** Offset in the page of `bytes[at]`. */
  readonly offset: number;
  readonly mode: 16 | 32 | 64;
  /** At most this many instructions. */
  readonly limit: number;
  /** The page to enter blocks into; undefined: an exact block in the scratch records, left after `limit` instructions. */
  readonly page: CodePage | undefined;
  /** Without a page: the block's records stay all the same, for whoever knows them. */
  readonly kept: boolean;
  /** Must a mark stand before the instruction at this page offset? Undefined: nowhere. */
  readonly marked: ((offset: number) => boolean) | undefined;
  /** Must a mark stand before control transfers, for a probe? */
  readonly traced: boolean;
  /** And before near branches without a BND prefix, for MPX? */
  readonly legacyBranches: boolean;
  /** The firmware's trap slots are instructions of their own. Undefined: there are none here. */
  readonly trapAt: ((offset: number) => boolean) | undefined;
}

/** A base register and a displacement of 8 bits: for the records of quick helpers (quick/quick.ts, `simpleAddress`). */
const hasSimpleAddress = (d: Decoder): boolean => d.base >= 0 && d.base < 16 && d.index < 0 && d.disp === (d.disp << 24) >> 24;

/** Turns decoded instructions into records. Plain and fast: it runs once for all code that runs once. */
export class BlockBuilder {
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #pages: CodePages;
  readonly #decoder: Decoder;
  readonly #forms: FormDecoder;
  readonly #loadUnit: (unit: string) => void;
  #at = 0;
  /** Instructions in the block built last. */
  instructions = 0;
  /** Page offset at which it ends. */
  end = 0;
  /** Where its branches to pages before it lead, as offsets from the page: below zero. */
  readonly earlier: number[] = [];

  /** @param loadUnit called before a record of a unit's instruction can be executed */
  constructor(m: LinearMemory, pages: CodePages, decoder: Decoder, loadUnit: (unit: string) => void) {
    this.#loadUnit = loadUnit;
    this.#u8 = m.u8;
    this.#u16 = m.u16;
    this.#i32 = m.i32;
    this.#u32 = m.u32;
    this.#pages = pages;
    this.#decoder = decoder;
    this.#forms = new FormDecoder(m, this.earlier);
  }

  /**
   * Builds the block at `request.at`, and the ones that fall through from it.
   * @returns its first record, or 0 when the first instruction does not end within the bytes
   */
  build(request: BlockRequest): number {
    const { page, mode, bytes, end } = request;
    const d = this.#decoder;
    const forms = this.#forms;
    const plain = request.marked === undefined && !request.traced && !request.legacyBranches && request.trapAt === undefined;
    const byForm = plain && mode === 64 && bytes === this.#u8;
    const pageAt = request.at - request.offset;
    const start = page || request.kept ? this.#pages.nextRecord : RECORDS;
    this.#at = start;
    this.#emit(Special.head, request.offset);
    const first = this.#at;
    let at = request.at;
    let offset = request.offset;
    let count = 0;
    let total = 0;
    let newBlock = true;
    if (this.earlier.length > 0) this.earlier.length = 0;
    for (;;) {
      // Before anything is entered for this place: what leads on from here must not lead back to itself.
      if (at >= end || total === request.limit) {
        this.#fallThrough(offset, count, request);
        break;
      }
      if (newBlock && page) {
        const known = this.#u32[(page.table >> 2) + offset]!;
        if (known !== 0 && total > 0) {
          this.#joined(offset, known);
          break;
        }
        this.#u32[(page.table >> 2) + offset] = this.#at;
      }
      newBlock = false;
      if (byForm) {
        const flow = forms.run(at, end, pageAt, this.#at, count, request.limit - total);
        count += forms.instructions;
        total += forms.instructions;
        at = forms.at;
        offset = at - pageAt;
        this.#at = forms.record;
        if (flow === Flow.ends) break;
        if (flow === Flow.branches) {
          count = 0;
          newBlock = true;
          if (page !== undefined) continue;
          this.#fallThrough(offset, count, request);
          break;
        }
        if (at >= end || total === request.limit) continue;
      }
      const trap = request.trapAt !== undefined && request.trapAt(offset);
      const failure = trap ? undefined : d.decode(bytes, at, end, mode);
      if (failure === 'truncated') {
        if (page && count === 0) this.#u32[(page.table >> 2) + offset] = 0;
        if (total === 0) return 0;
        this.#fallThrough(offset, count, request);
        break;
      }
      // String instructions stand alone: their record runs once for every iteration.
      if (count > 0 && failure === undefined && !trap && d.row.string) {
        if (!page) {
          this.#fallThrough(offset, count, request);
          break;
        }
        const rec = this.#emit(Special.joined, offset);
        this.#u8[rec + REC_B] = count;
        this.#i32[(rec + REC_IMM) >> 2] = this.#at;
        count = 0;
        newBlock = true;
        continue;
      }
      const transfer = request.traced && failure === undefined && !trap ? transferOf(d) : Transfer.none;
      const marked = request.marked !== undefined && request.marked(offset);
      const legacyBranch = request.legacyBranches && failure === undefined && !trap && isLegacyBranch(d);
      if (marked || legacyBranch || transfer !== Transfer.none) {
        this.#mark(offset, transfer, (marked ? MARK_BREAKPOINT : 0) | (legacyBranch ? MARK_LEGACY_BRANCH : 0));
      }
      count++;
      total++;
      if (failure !== undefined) {
        // #UD, or #GP for more than 15 bytes: SDM Vol. 2, 2.3.11.
        const rec = this.#emit(Special.fault, offset);
        this.#u8[rec + REC_A] = failure === 'too-long' ? 13 : 6;
        this.#u8[rec + REC_B] = count;
        offset += 15; // a write to any byte that was looked at may make it an instruction
        break;
      }
      const flow = trap ? this.#trap(offset, count) : this.#instruction(offset, count);
      if (byForm) forms.learn(d);
      at += d.length;
      offset += d.length;
      if (flow === 'ends') break;
      if (flow === 'branches') {
        count = 0;
        newBlock = true;
        if (page === undefined) {
          this.#fallThrough(offset, count, request);
          break;
        }
      }
    }
    if (page || request.kept) this.#pages.keep(this.#at);
    this.instructions = total;
    this.end = offset;
    return first;
  }

  #emit(op: number, offset: number): number {
    const rec = this.#at;
    this.#u16[rec >> 1] = op;
    this.#u16[(rec + REC_WHERE) >> 1] = offset & 0xfff;
    this.#u32[(rec + 4) >> 2] = 0;
    this.#i32[(rec + REC_DISP) >> 2] = offset;
    this.#i32[(rec + REC_IMM) >> 2] = 0;
    this.#at = rec + RECORD_SIZE;
    return rec;
  }

  /** A mark says which near transfer follows; far ones are helpers, which report for themselves. */
  #mark(offset: number, transfer: number, more: number): void {
    const d = this.#decoder;
    const rec = this.#emit(Special.mark, offset);
    this.#u8[rec + REC_A] = transfer | more;
    if (transfer === Transfer.call || transfer === Transfer.jump) this.#i32[(rec + REC_IMM) >> 2] = offset + d.length + d.immLow;
    else if (transfer === Transfer.callRegister || transfer === Transfer.jumpRegister) this.#i32[(rec + REC_IMM) >> 2] = d.rm;
  }

  #joined(offset: number, record: number): void {
    const rec = this.#emit(Special.joined, offset);
    this.#i32[(rec + REC_IMM) >> 2] = record;
  }

  #fallThrough(offset: number, count: number, request: BlockRequest): void {
    const rec = this.#emit(request.page ? Special.next : Special.leave, offset);
    this.#u8[rec + REC_B] = count;
  }

  #keepInsn(rec: number): void {
    this.#i32[(rec + REC_IMM) >> 2] = this.#pages.insns.push(this.#decoder.toInsn()) - 1;
  }

  /** A firmware service's slot executes as one instruction, `firmware_trap`. */
  #trap(offset: number, count: number): 'ends' {
    const rec = this.#emit(Special.helper, offset);
    this.#u8[rec + REC_B] = count;
    this.#i32[(rec + REC_IMM) >> 2] = -1;
    return 'ends';
  }

  /** Emits one instruction's record, and the address record before it where it needs one. */
  #instruction(offset: number, count: number): 'continues' | 'branches' | 'ends' {
    const d = this.#decoder;
    const { row, mode } = d;
    const legacy = mode !== 64;
    const { traits } = row;
    const { x87 } = traits;
    const flat = mode === 64 && d.addrsize === 64 && (d.segment < 4 || traits.lea);
    if (row.helper || (row.string && (legacy || d.addrsize !== 64 || d.segmentOverride)) || (row.elements && !flat && !(legacy && x87))) {
      // UD2 and the like need no helper to throw.
      const fault = traits.undefined;
      const rec = this.#emit(fault ? Special.fault : Special.helper, offset);
      this.#u8[rec + REC_B] = count;
      if (fault) this.#u8[rec + REC_A] = 6;
      else {
        // Quick ways have registers for operands, or none.
        const simple = flat && d.isMemory && row.name === 'invlpg' && hasSimpleAddress(d);
        this.#u8[rec + REC_A] = d.isMemory && !simple ? 0 : quickNumber(row.name, d.opsize);
        this.#u8[rec + REC_BASE] = d.length;
        this.#u8[rec + REC_INDEX] = simple ? d.disp : d.modrm >= 0 ? d.rm | (d.reg << 4) : d.immLow;
        if (simple) this.#u16[(rec + REC_WHERE) >> 1] = (offset & 0xfff) | (d.base << 12);
        this.#keepInsn(rec);
      }
      return 'ends';
    }
    const bits = operandBits(row, d.opsize);
    const next = offset + d.length;
    let form = 0;
    let base: number = L.SLOT_ZERO;
    let index: number = L.SLOT_ZERO;
    let scale = 0;
    let disp = d.disp;
    if (d.isMemory) {
      if (flat && !traits.absolute) {
        if (d.base === 16) {
          base = L.SLOT_CODE_PAGE;
          disp += next;
        } else if (d.base >= 0) base = d.base * 8;
        if (d.index >= 0) index = d.index * 8;
        scale = d.scale;
        form = d.index >= 0 ? 2 : 1;
        if (disp !== (disp | 0)) {
          // RIP-relative and out of 32 bits once the page offset is added: in two steps.
          const rec = this.#emit(Special.address64, offset);
          this.#u8[rec + REC_BASE] = base;
          this.#u8[rec + REC_INDEX] = L.SLOT_ZERO;
          this.#i32[(rec + REC_DISP) >> 2] = d.disp;
          this.#i32[(rec + REC_IMM) >> 2] = L.SLOT_ZERO;
          base = L.SLOT_EA;
          disp = next;
        }
      } else {
        this.#addressRecord(offset, next, bits);
        base = L.SLOT_EA;
        disp = 0;
        form = 1;
      }
    }
    let extra = legacy && (row.branch || row.stack || x87) ? 1 : 0;
    let near = false;
    if (traits.relative) {
      disp = next + d.immLow;
      near = (!legacy || (mode === 32 && d.opsize === 32)) && disp >= 0 && disp < PAGE_SIZE && traits.linkable;
      if (near) extra |= 2;
      else if (disp < 0 && traits.linkable) this.earlier.push(disp);
      if (traits.countsInRcx) extra |= d.addrsize === 64 ? 0 : d.addrsize === 32 ? 4 : 8;
    }
    if (row.string) extra = d.rep === 0 ? 0 : d.rep === 0xf3 ? 4 : 8;
    const op = row.handlers[handlerIndex(widthIndex(bits), form, extra)]!;
    if (op === 0) throw new Error(`no handler for ${row.encoding} ${row.name}, ${bits} bits, form ${form}, variant ${extra}`);
    if (row.unit !== '') this.#loadUnit(row.unit);
    // A comparison right before, in the same block: both in one dispatch.
    if (near && count > 1 && traits.jcc) {
      const before = this.#at - RECORD_SIZE;
      const both = fusedHandler(this.#u16[before >> 1]!, d.opcode & 15);
      if (both !== 0) this.#u16[before >> 1] = both;
    }
    const rec = this.#at;
    this.#at = rec + RECORD_SIZE;
    const word = rec >> 2;
    const i32 = this.#i32;
    i32[word] = op | (((offset & 0xfff) | (scale << 12)) << 16);
    i32[word + 1] = (base << 16) | (index << 24);
    i32[word + 2] = disp;
    i32[word + 3] = d.immLow;
    this.#operands(rec, bits);
    if (x87) this.#keepInsn(rec); // for what its emitted code leaves to the helper
    if (row.string) {
      this.#u8[rec + REC_B] = 1;
      this.#i32[(rec + REC_DISP) >> 2] = next;
      return 'branches';
    }
    if (!row.branch) return 'continues';
    this.#u8[rec + REC_B] = count;
    if (traits.call) this.#i32[(rec + REC_IMM) >> 2] = next;
    else if (!traits.return) this.#i32[(rec + REC_IMM) >> 2] = 0;
    return traits.conditional ? 'branches' : 'ends';
  }

  #operands(rec: number, bits: number): void {
    const d = this.#decoder;
    const fields = (d.row.fields ??= recordFields(d.row.operands));
    for (let n = 0; n < fields.length; n += 2) {
      const what = fields[n]!;
      let value = 0;
      switch (what & 15) {
        case Source.reg: value = d.reg; break;
        case Source.rm: value = d.rm; break;
        case Source.reg7: value = d.reg & 7; break;
        case Source.rm7: value = d.rm & 7; break;
        case Source.segment: value = d.segment; break;
        case Source.vvvv: value = d.vvvv; break;
        case Source.is4: value = d.is4; break;
        case Source.registerForm:
          if (d.isMemory) continue;
          value = d.rm;
          break;
        case Source.wideImmediate:
          if (bits === 64) {
            this.#i32[(rec + REC_DISP) >> 2] = d.immLow;
            this.#i32[(rec + REC_IMM) >> 2] = d.immHigh;
          }
          continue;
      } // prettier-ignore
      this.#u8[rec + fields[n + 1]!] = (what & BYTE_REGISTER) !== 0 ? byteRegisterOffset(value, d.rex !== 0) : value * 8;
    }
  }

  /** The record before a memory instruction that is segmented, 16 or 32-bit addressed, or has a 64-bit offset. */
  #addressRecord(offset: number, next: number, bits: number): void {
    const d = this.#decoder;
    const { row, mode } = d;
    const { traits } = row;
    const seg = L.SEGMENTS + d.segment * L.SEGMENT_SIZE;
    if (mode === 64 && d.addrsize === 64 && traits.absolute && d.segment < 4) {
      const rec = this.#emit(Special.absolute64, offset);
      this.#i32[(rec + REC_DISP) >> 2] = d.disp;
      this.#i32[(rec + REC_IMM) >> 2] = d.dispHigh;
      return;
    }
    // LEA and the NOPs with an operand make no access; x87 instructions look for exceptions that wait before they check theirs.
    const checked = mode !== 64 && traits.accesses && !traits.x87;
    const bitString = traits.bitString && d.addrsize !== 64;
    const op = bitString
      ? !checked ? Special.bits32 : d.addrsize === 16 ? Special.bitsChecked16 : Special.bitsChecked32
      : checked
      ? d.addrsize === 16 ? Special.checked16 : Special.checked32
      : d.addrsize === 16 ? Special.address16 : d.addrsize === 32 ? Special.address32 : Special.address64; // prettier-ignore
    const rec = this.#emit(op, offset);
    const rip = d.base === 16;
    this.#u16[(rec + REC_WHERE) >> 1] = (offset & 0xfff) | (d.scale << 12);
    this.#u8[rec + REC_BASE] = rip ? L.SLOT_CODE_PAGE : d.base >= 0 ? d.base * 8 : L.SLOT_ZERO;
    this.#u8[rec + REC_INDEX] = d.index >= 0 ? d.index * 8 : L.SLOT_ZERO;
    this.#i32[(rec + REC_DISP) >> 2] = rip ? d.disp + next : d.disp;
    const base = traits.lea || (mode === 64 && d.segment < 4) ? L.SLOT_ZERO : seg + L.SEG_BASE;
    const limit = checked ? seg + (traits.writes ? L.SEG_WRITE_END : L.SEG_READ_END) : 0;
    this.#u8[rec + REC_A] = this.#accessBytes(bits);
    if (bitString) this.#u8[rec + REC_B] = d.reg * 8;
    this.#i32[(rec + REC_IMM) >> 2] = base | (limit << 16);
  }

  #accessBytes(bits: number): number {
    const { row } = this.#decoder;
    if (row.traits.cmpxchg8b) return bits === 64 ? 16 : 8;
    return row.traits.memoryBytes || bits / 8;
  }
}
