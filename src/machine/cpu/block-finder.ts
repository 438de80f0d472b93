import type { PhysAddr } from '../memory/address.ts';
import { CodeLines } from '../memory/code-lines.ts';
import { PAGE_SIZE, RAM } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import type { MachineServices } from '../machine-services.ts';
import type { Cpu } from './cpu.ts';
import { gp } from './fault.ts';
import { Decoder } from './isa/decoder.ts';
import * as L from './layout.ts';
import { dropPage, flushCodeTlb, insertCodeAt, lookupCode } from './mmu/tlb.ts';
import { translate } from './mmu/walk.ts';
import { PageMark } from './mmu/locate.ts';
import { BlockBuilder } from './tiers/block-builder.ts';
import type { CodePage } from './tiers/code-pages.ts';
import { CodePages } from './tiers/code-pages.ts';
import { MAX_BLOCK } from './tiers/record.ts';

export const modeOf = (cpu: Cpu): 16 | 32 | 64 => ([16, 32, 64] as const)[cpu.u32(L.CODE_SIZE)]!;

/**
 * The low half of CS's base: outside 64-bit mode a linear address has 32 bits. It is added as a number: V8 11.3 (Node 20)
 * aborts while compiling a choice between two bigints that it knows to be 64-bit, a load and an `asUintN`.
 */
export const CS_BASE = L.SEGMENTS + L.CS * L.SEGMENT_SIZE + L.SEG_BASE;

/** Offset in CS of a linear address of code. */
export function ripOf(cpu: Cpu, linear: bigint): bigint {
  return cpu.code64 ? linear : BigInt((Number(BigInt.asUintN(32, linear)) - cpu.u32(CS_BASE)) >>> 0);
}

/** Linear address of RIP. */
export function linearRip(cpu: Cpu): bigint {
  return cpu.code64 ? cpu.rip : BigInt((cpu.u32(L.RIP) + cpu.u32(CS_BASE)) >>> 0);
}

/** Which places in code need a mark: the machine's breakpoints and probes say so. */
export interface Marks {
  /** A breakpoint at this page offset in this physical page (physical), or at this offset of any page (linear). */
  marked(page: number, offset: number): boolean;
  /** False: nothing at all is marked now. */
  any?(): boolean;
  /** Control transfers are observed. */
  readonly traced: boolean;
  /** Near branches without a BND prefix may have to initialize the bound registers. */
  readonly legacyBranches?: boolean;
}

export interface LoopObserver {
  /** Is a block that begins at this slot of a page's table to be reported? */
  awaits(slot: number): boolean;
  /** A block was built at a linear address. `earlier`: offsets from its page, below zero, to which it branches. */
  built(cpu: Cpu, page: CodePage, linear: bigint, record: number, earlier: readonly number[]): void;
}

const join = (high: number, low: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** From an address to decoded code: translation, the store of decoded pages, and decoding where there is none yet. */
export class BlockFinder {
  readonly pages: CodePages;
  readonly #m: LinearMemory;
  readonly #services: MachineServices;
  readonly #builder: BlockBuilder;
  readonly #decoder: Decoder;
  #instructions = 0;
  /** Tier 1: wants to know where loops begin whose branch back lies in a later page. */
  loops: LoopObserver | undefined;
  marks: Marks = { marked: () => false, traced: false };
  /** Physical range of the firmware's trap slots, 16 bytes each. */
  trapRange: { readonly base: PhysAddr; readonly length: number } = { base: 0, length: 0 };

  constructor(m: LinearMemory, services: MachineServices, loadUnit: (unit: string) => void) {
    this.#m = m;
    this.#services = services;
    this.pages = new CodePages(m);
    this.#decoder = new Decoder(services.cpus[0]?.model.features); // all CPUs are of one model
    this.#builder = new BlockBuilder(m, this.pages, this.#decoder, loadUnit);
    this.pages.onFlush = () => {
      for (const cpu of services.cpus) flushCodeTlb(cpu);
      const { pageMarks, codeLines } = services.memory;
      for (const page of codeLines.keys()) pageMarks[page]! &= ~PageMark.code;
      codeLines.clear();
    };
  }

  /**
   * The record at which execution goes on at a linear address. Throws the GuestFault (or ABANDONED) of the fetch. Records
   * of exact blocks come from `exact`; such a block is also given for an instruction that crosses a page.
   */
  find(cpu: Cpu, linear: bigint): number {
    return this.findAt(cpu, Number(BigInt.asUintN(32, linear >> 32n)), Number(BigInt.asUintN(32, linear)));
  }

  /** The same for the address in halves: no bigint in 64-bit code. */
  findAt(cpu: Cpu, high: number, low: number): number {
    const mode = modeOf(cpu);
    this.pages.makeRoom();
    const offset = low & 0xfff;
    let codePage = mode === 64 ? this.#known(cpu, high, low) : undefined;
    if (codePage === undefined) {
      const linear = join(high, low);
      const physical = this.#fetchable(cpu, linear, mode);
      const page = Math.floor(physical / PAGE_SIZE);
      if (mode !== 64 && this.#limitInPage(cpu, linear) || !this.#services.memory.isRam(physical)) return this.#exactAt(cpu, linear, physical, 1, mode); // prettier-ignore
      codePage = this.pages.get(page, mode) ?? this.#open(cpu, page, mode, linear);
      insertCodeAt(cpu, high, low, codePage.table);
    }
    const known = this.#m.u32[(codePage.table >> 2) + offset]!;
    if (known !== 0) return known;
    const record = this.#build(codePage, codePage.page, offset, mode, MAX_BLOCK);
    if (record !== 0 && (this.#builder.earlier.length > 0 || this.loops?.awaits(codePage.table + offset * 4))) {
      this.loops?.built(cpu, codePage, join(high, low), record, this.#builder.earlier);
    }
    return record !== 0 ? record : this.#exactAt(cpu, join(high, low), codePage.page * PAGE_SIZE + offset, 1, mode);
  }

  /** The code page that the TLB knows for an address of 64-bit code: the fetch is allowed. */
  #known(cpu: Cpu, high: number, low: number): CodePage | undefined {
    const table = lookupCode(cpu, high, low);
    return table === 0 ? undefined : this.pages.byTable(table);
  }

  /** A block of at most `limit` instructions that leaves when they are done; `instructions` says how many it has. */
  exactAt(cpu: Cpu, high: number, low: number, limit: number): number {
    const mode = modeOf(cpu);
    this.pages.makeRoom();
    const known = mode === 64 ? this.#known(cpu, high, low) : undefined;
    if (known && limit === 1) return this.#alone(cpu, known, high, low);
    const linear = join(high, low);
    const physical = this.#fetchable(cpu, linear, mode);
    const page = Math.floor(physical / PAGE_SIZE);
    // Observers hear of the page also when it is only stepped through; and a block of several instructions must be left
    // when one of them changes the page, which only a page with decoded code tells.
    const opens = limit > 1 || this.#services.probe?.codePage !== undefined;
    if (opens && this.#services.memory.isRam(physical) && !this.pages.get(page, mode)) this.#open(cpu, page, mode, linear);
    return this.#exactAt(cpu, linear, physical, limit, mode);
  }

  /** One instruction of 64-bit code that is executed alone, as after every IRET of a fault handler: kept, decoded once. */
  #alone(cpu: Cpu, page: CodePage, high: number, low: number): number {
    const offset = low & 0xfff;
    this.#instructions = 1;
    const kept = page.alone.get(offset);
    if (kept !== undefined) return kept;
    const record = this.#build(page, page.page, offset, page.mode, 1, true);
    if (record === 0) return this.#exactAt(cpu, join(high, low), page.page * PAGE_SIZE + offset, 1, page.mode);
    page.alone.set(offset, record);
    return record;
  }

  /** Physical address of code that is being executed. */
  physicalOfCode(cpu: Cpu, linear: bigint): PhysAddr {
    return translate(cpu, linear, { write: false, execute: true, user: cpu.cpl === 3 });
  }

  get instructions(): number {
    return this.#instructions;
  }

  /** Forgets what was decoded from a physical page. */
  invalidate(page: number): void {
    if (this.pages.drop(page)) for (const cpu of this.#services.cpus) flushCodeTlb(cpu);
    const { pageMarks, codeLines } = this.#services.memory;
    if (page < pageMarks.length) pageMarks[page]! &= ~PageMark.code;
    codeLines.delete(page);
  }

  /** A mark came or went at an offset of some page: what was decoded there is decoded again. */
  remark(offset: number): void {
    const { codeLines } = this.#services.memory;
    for (const { page } of [...this.pages.pages()]) if (codeLines.get(page)?.covers(offset, offset + 1)) this.invalidate(page);
  }

  /**
   * A marked physical page is written in [from, to). True when code was decoded from there: what is known of the page is
   * forgotten, but it stays a code page, since code that changes itself will be back.
   */
  written(page: number, from: number, to: number): boolean {
    const { pageMarks, codeLines } = this.#services.memory;
    if ((pageMarks[page]! & PageMark.code) === 0) return false;
    const lines = codeLines.get(page);
    if (lines?.covers(from, to)) {
      this.pages.clear(page);
      lines.clear();
      return true;
    }
    if (lines === undefined || lines.abandoned) this.invalidate(page);
    return false;
  }

  /** Canonical, within CS's limit, and executable: SDM Vol. 3, 5.3 and 4.6. */
  #fetchable(cpu: Cpu, linear: bigint, mode: number): PhysAddr {
    if (mode === 64 ? !cpu.canonical(linear) : ripOf(cpu, linear) > BigInt(cpu.segments[L.CS]!.limit)) throw gp();
    return translate(cpu, linear, { write: false, execute: true, user: cpu.cpl === 3 });
  }

  #limitInPage(cpu: Cpu, linear: bigint): boolean {
    const cs = cpu.segments[L.CS]!;
    const left = BigInt(cs.limit) - ripOf(cpu, linear);
    return left < BigInt(PAGE_SIZE) - (linear & 0xfffn) - 1n;
  }

  #open(cpu: Cpu, page: number, mode: 16 | 32 | 64, linear: bigint): CodePage {
    const { memory, probe, cpus } = this.#services;
    const codePage = this.pages.create(page, mode);
    if ((memory.pageMarks[page]! & PageMark.code) === 0) {
      memory.pageMarks[page]! |= PageMark.code;
      memory.codeLines.set(page, new CodeLines());
      for (const c of cpus) dropPage(c, page);
    }
    probe?.codePage?.(cpu, page * PAGE_SIZE, linear);
    return codePage;
  }

  /** A block of a page that is decoded; `alone`: one that is not entered by its address and leaves when it is done. */
  #build(page: CodePage, number: number, offset: number, mode: 16 | 32 | 64, limit: number, alone = false): number {
    const start = RAM + number * PAGE_SIZE;
    const record = this.#buildFrom(alone ? undefined : page, number, start + offset, start + PAGE_SIZE, offset, mode, limit, this.#m.u8, alone);
    if (record !== 0) this.#services.memory.codeLines.get(number)?.cover(offset, this.#builder.end);
    return record;
  }

  #buildFrom(
    page: CodePage | undefined,
    number: number,
    at: number,
    end: number,
    offset: number,
    mode: 16 | 32 | 64,
    limit: number,
    bytes: Uint8Array,
    kept = false,
  ): number {
    const trap = this.trapRange;
    const base = number * PAGE_SIZE;
    const inTraps = base + PAGE_SIZE > trap.base && base < trap.base + trap.length;
    const record = this.#builder.build({
      bytes, at, end, offset, mode, limit, page, kept, traced: this.marks.traced, legacyBranches: this.marks.legacyBranches === true,
      marked: this.marks.any?.() === false ? undefined : (o) => this.marks.marked(number, o),
      trapAt: inTraps ? (o) => ((base + o) & 15) === 0 && base + o >= trap.base && base + o < trap.base + trap.length : undefined,
    }); // prettier-ignore
    this.#instructions = this.#builder.instructions;
    return record;
  }

  #exactAt(cpu: Cpu, linear: bigint, physical: PhysAddr, limit: number, mode: 16 | 32 | 64): number {
    const page = Math.floor(physical / PAGE_SIZE);
    const offset = physical % PAGE_SIZE;
    const room = PAGE_SIZE - offset;
    const within = mode === 64 ? room : Math.min(room, Number(BigInt(cpu.segments[L.CS]!.limit) - ripOf(cpu, linear)) + 1);
    if (this.#services.memory.isRam(physical)) {
      const at = RAM + physical;
      const record = this.#buildFrom(undefined, page, at, at + within, offset, mode, limit, this.#m.u8);
      if (record !== 0) {
        if (limit > 1) this.#services.memory.codeLines.get(page)?.cover(offset, this.#builder.end);
        return record;
      }
    }
    // The instruction crosses the page (or lies outside RAM): gather its bytes.
    if (within < room && within < 15) throw gp();
    const bytes = new Uint8Array(15).fill(0xff);
    const first = Math.min(room, 15);
    this.#copy(bytes, 0, physical, first);
    if (first < 15) {
      const next = translate(cpu, linear + BigInt(first), { write: false, execute: true, user: cpu.cpl === 3 });
      this.#copy(bytes, first, next, 15 - first);
    }
    return this.#buildFrom(undefined, page, 0, 15, offset, mode, 1, bytes);
  }

  #copy(to: Uint8Array, at: number, from: PhysAddr, length: number): void {
    const { memory } = this.#services;
    if (memory.isRam(from)) to.set(this.#m.u8.subarray(RAM + from, RAM + from + length), at);
  }
}
