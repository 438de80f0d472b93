import { CODE_TABLE_COUNT, CODE_TABLE_SIZE, CODE_TABLES, PAGE_CODE, RECORDS, RECORDS_SIZE, RECORD_SIZE } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import type { Insn } from '../isa/insn.ts';
import { MAX_BLOCK } from './record.ts';

/** Records for one exact block at a time, which is never entered by address. */
export const SCRATCH_RECORDS = 256;
const FIRST = RECORDS + SCRATCH_RECORDS * RECORD_SIZE;

/** An instruction takes at most a mark, an address record and its own. */
const MAX_RECORDS = MAX_BLOCK * 4 + 4;

/** They are objects, so they are bounded apart from the records. */
const MAX_INSNS = 200_000;

/** Decoded code of one physical page in one mode (16, 32 or 64-bit code). */
export interface CodePage {
  readonly page: number;
  readonly mode: 16 | 32 | 64;
  /** Address of the table: for every byte offset the record of the block that starts there, or 0. */
  readonly table: number;
  /** Blocks of one instruction each that are executed alone (shadows, RF, steps), by offset. */
  readonly alone: Map<number, number>;
}

/**
 * The store of decoded code. Tables and records are bump-allocated; when either is full everything is dropped, which is
 * simple, bounded and rare. Dropping a page clears its table; its records are unreachable from then on.
 */
export class CodePages {
  readonly #m: LinearMemory;
  readonly #pages = new Map<number, CodePage>();
  readonly #freeTables: number[] = [];
  #nextTable = 0;
  #nextRecord = FIRST;
  /** Instructions written in TypeScript, kept for their records. */
  readonly insns: Insn[] = [];
  /** Counts for `--stats`. */
  readonly stats = { pages: 0, flushes: 0, invalidations: 0 };
  readonly #byTable = new Map<number, CodePage>();
  /** Tier 1: what was compiled from these pages goes with them. */
  observer: { dropped(page: CodePage): void; flushed(): void } | undefined;
  /** Called when everything was dropped: code TLBs refer to tables. */
  onFlush: () => void = () => {};

  constructor(m: LinearMemory) {
    this.#m = m;
  }

  static key(page: number, mode: 16 | 32 | 64): number {
    return page * 4 + (mode >> 5);
  }

  get(page: number, mode: 16 | 32 | 64): CodePage | undefined {
    return this.#pages.get(CodePages.key(page, mode));
  }

  /** The page whose table is at an address. */
  byTable(table: number): CodePage | undefined {
    return this.#byTable.get(table);
  }

  pages(): Iterable<CodePage> {
    return this.#pages.values();
  }

  create(page: number, mode: 16 | 32 | 64): CodePage {
    if (this.#freeTables.length === 0 && this.#nextTable === CODE_TABLE_COUNT) this.flush();
    const table = this.#freeTables.pop() ?? CODE_TABLES + this.#nextTable++ * CODE_TABLE_SIZE;
    this.#m.u32.fill(0, table >> 2, (table + CODE_TABLE_SIZE) >> 2);
    const codePage: CodePage = { page, mode, table, alone: new Map() };
    this.#pages.set(CodePages.key(page, mode), codePage);
    this.#byTable.set(table, codePage);
    if (mode === 64) this.#publish(page, table);
    this.stats.pages++;
    return codePage;
  }

  /**
   * Sees to it that there is room for the longest block, by dropping everything if need be. Before a page is opened or
   * looked up for building: what is dropped is no longer marked as code.
   */
  makeRoom(): void {
    if (this.#nextRecord + MAX_RECORDS * RECORD_SIZE > RECORDS + RECORDS_SIZE || this.insns.length > MAX_INSNS) this.flush();
  }

  /** Where the next block goes; `makeRoom` came before. */
  get nextRecord(): number {
    return this.#nextRecord;
  }

  /** Is this a record of a block that stays, not of an exact one? */
  isKept(record: number): boolean {
    return record >= FIRST;
  }

  /** Keeps the records up to `end`. */
  keep(end: number): void {
    this.#nextRecord = end;
  }

  /** Forgets a physical page in every mode. True when there was something. */
  drop(page: number): boolean {
    let found = false;
    for (const mode of [16, 32, 64] as const) {
      const codePage = this.get(page, mode);
      if (!codePage) continue;
      found = true;
      this.observer?.dropped(codePage);
      this.#byTable.delete(codePage.table);
      if (mode === 64) this.#publish(page, 0);
      this.#m.u32.fill(0, codePage.table >> 2, (codePage.table + CODE_TABLE_SIZE) >> 2);
      this.#freeTables.push(codePage.table);
      this.#pages.delete(CodePages.key(page, mode));
      this.stats.invalidations++;
    }
    return found;
  }

  /**
   * A physical page was written where code was decoded: nothing of it is known any more, but its tables stay, so that code
   * TLBs need no flush. Code that rewrites itself comes here often.
   */
  clear(page: number): void {
    for (const mode of [16, 32, 64] as const) {
      const codePage = this.get(page, mode);
      if (!codePage) continue;
      this.observer?.dropped(codePage);
      this.#m.u32.fill(0, codePage.table >> 2, (codePage.table + CODE_TABLE_SIZE) >> 2);
      codePage.alone.clear();
      this.stats.invalidations++;
    }
  }

  /** Tells emitted code of the table of a page's 64-bit code. */
  #publish(page: number, table: number): void {
    this.#m.u32[(PAGE_CODE >> 2) + page] = table;
  }

  flush(): void {
    for (const { page, mode } of this.#pages.values()) if (mode === 64) this.#publish(page, 0);
    this.#pages.clear();
    this.#byTable.clear();
    this.observer?.flushed();
    this.#freeTables.length = 0;
    this.#nextTable = 0;
    this.#nextRecord = FIRST;
    this.insns.length = 0;
    this.stats.flushes++;
    this.onFlush();
  }
}
