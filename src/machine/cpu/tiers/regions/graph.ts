import { PAGE_SIZE, RECORD_SIZE } from '../../../memory/layout.ts';
import type { LinearMemory } from '../../../memory/linear-memory.ts';
import type { CodePage } from '../code-pages.ts';
import { handlerOf } from '../handlers.ts';
import { REC_B, REC_DISP, REC_IMM, RecordClass } from '../record.ts';
import { Special } from '../specials.ts';
import { terminatorOf } from './terminators.ts';

/** Where a block leads: a block of the region, or out of it to a record, or to an offset from the head's page. */
export type Target =
  | { readonly kind: 'block'; readonly block: RegionBlock }
  | { readonly kind: 'record'; readonly record: number; readonly delta: number }
  | { readonly kind: 'offset'; readonly offset: number };

/** A block of tier 0 as part of a region. */
export interface RegionBlock {
  readonly record: number;
  readonly page: CodePage;
  /** Distance of its page from the head's, in linear bytes. */
  readonly delta: number;
  /** Instructions, and the last record that is compiled; the one at `leaves` is not: the region is left before it. */
  readonly count: number;
  readonly last: number;
  readonly leaves: number;
  /** Of a branch, a jump or a call. */
  taken: Target | undefined;
  /** What follows when nothing is taken. */
  next: Target | undefined;
  /** Where an indirect jump or a return may lead, as offsets from the head's page. */
  readonly guesses: { readonly offset: number; readonly block: RegionBlock }[];
  /** Set by the analysis (structure.ts). */
  order: number;
}

/** How the code around the head is found. */
export interface CodeMap {
  /** Handler number of a record, whatever stands there for counting. */
  op(record: number): number;
  /** An instruction that showed not to be one for tier 1. */
  excluded(record: number): boolean;
  /** Length of the instruction of a helper's record after which the region goes on; 0: it does not. */
  helperLength(record: number): number;
  /** The decoded page at a distance from the head's page, when the code TLB knows it. */
  pageAt(delta: number): CodePage | undefined;
  /** The last target of the indirect jump at a record, as an offset from the head's page; undefined: none or far away. */
  lastTarget(record: number): number | undefined;
}

const MAX_BLOCKS = 64;
export const MAX_INSTRUCTIONS = 500;
const MAX_PAGES = 6;
const MAX_GUESSES = 6;

export interface Graph {
  readonly blocks: readonly RegionBlock[];
  readonly instructions: number;
  /** The pages beside the head's, by their distance. */
  readonly pages: ReadonlyMap<number, CodePage>;
}

/**
 * The blocks around a head: those that lead back to it when there are any (a loop), else, when `straight`, all that follow.
 * Undefined when there is nothing worth compiling.
 */
export function formGraph(m: LinearMemory, map: CodeMap, head: number, page: CodePage, straight: boolean): Graph | undefined {
  const explorer = new Explorer(m, map);
  const first = explorer.explore(head, page);
  const keep = reaching(first, explorer.blocks);
  const loop = keep.size > 0;
  if (!loop && !straight) return undefined;
  if (first.leaves === first.record) return undefined;
  const blocks = loop ? explorer.blocks.filter((b) => keep.has(b)) : explorer.blocks;
  const inside = new Set(blocks);
  const cut = (t: Target | undefined): Target | undefined =>
    t?.kind === 'block' && !inside.has(t.block) ? { kind: 'record', record: t.block.record, delta: t.block.delta } : t;
  for (const b of blocks) {
    b.taken = cut(b.taken);
    b.next = cut(b.next);
    const guesses = b.guesses.filter((g) => inside.has(g.block));
    b.guesses.splice(0, b.guesses.length, ...guesses);
  }
  const pages = new Map<number, CodePage>();
  for (const b of blocks) if (b.delta !== 0) pages.set(b.delta, b.page);
  return { blocks: [first, ...blocks.filter((b) => b !== first)], instructions: blocks.reduce((n, b) => n + b.count, 0), pages };
}

export function* targetsOf(b: RegionBlock): Generator<RegionBlock> {
  if (b.taken?.kind === 'block') yield b.taken.block;
  if (b.next?.kind === 'block') yield b.next.block;
  for (const g of b.guesses) yield g.block;
}

/** The blocks from which the head can be reached again; empty when it cannot. */
function reaching(head: RegionBlock, blocks: readonly RegionBlock[]): Set<RegionBlock> {
  const from = new Map<RegionBlock, RegionBlock[]>();
  for (const b of blocks) for (const t of targetsOf(b)) from.set(t, [...(from.get(t) ?? []), b]);
  const found = new Set<RegionBlock>();
  const work = [...(from.get(head) ?? [])];
  for (let b = work.pop(); b; b = work.pop()) {
    if (found.has(b)) continue;
    found.add(b);
    work.push(...(from.get(b) ?? []));
  }
  if (found.size > 0) found.add(head);
  return found;
}

class Explorer {
  readonly #m: LinearMemory;
  readonly #map: CodeMap;
  readonly blocks: RegionBlock[] = [];
  readonly #byRecord = new Map<number, RegionBlock>();
  readonly #work: RegionBlock[] = [];
  readonly #deltas = new Set<number>([0]);
  #instructions = 0;

  constructor(m: LinearMemory, map: CodeMap) {
    this.#m = m;
    this.#map = map;
  }

  explore(head: number, page: CodePage): RegionBlock {
    const first = this.#block(head, page, 0)!;
    const returns: RegionBlock[] = [];
    const sites = new Map<number, RegionBlock>();
    for (let b = this.#work.shift(); b; b = this.#work.shift()) this.#connect(b, returns, sites);
    for (const b of returns) for (const [offset, block] of sites) if (b.guesses.length < MAX_GUESSES) b.guesses.push({ offset, block });
    return first;
  }

  /** The block at a record, new or known; undefined when there is no more room. */
  #block(record: number, page: CodePage, delta: number): RegionBlock | undefined {
    const known = this.#byRecord.get(record);
    // The same page in another place of the address space is code of its own.
    if (known) return known.delta === delta ? known : undefined;
    if (this.blocks.length === MAX_BLOCKS || this.#instructions >= MAX_INSTRUCTIONS) return undefined;
    if (!this.#deltas.has(delta) && this.#deltas.size === MAX_PAGES) return undefined;
    this.#deltas.add(delta);
    let last = record;
    let leaves = 0;
    let count = 0;
    for (let r = record; ; r += RECORD_SIZE) {
      const op = this.#map.op(r);
      const helps = op === Special.helper && this.#map.helperLength(r) > 0;
      const ends = (op === Special.helper && !helps) || op === Special.fault || op === Special.mark || op === Special.leave;
      if (ends || !terminatorOf(op).compiled || this.#map.excluded(r)) {
        leaves = r;
        break;
      }
      last = r;
      const recordClass = handlerOf(op).class;
      if (recordClass === RecordClass.end) {
        count = this.#m.u8[r + REC_B]!;
        break;
      }
      if (recordClass === RecordClass.instruction) count++;
    }
    const block: RegionBlock = { record, page, delta, count, last, leaves, taken: undefined, next: undefined, guesses: [], order: -1 };
    this.#instructions += count;
    this.blocks.push(block);
    this.#byRecord.set(record, block);
    this.#work.push(block);
    return block;
  }

  #connect(b: RegionBlock, returns: RegionBlock[], sites: Map<number, RegionBlock>): void {
    if (b.leaves !== 0) return;
    const op = this.#map.op(b.last);
    const disp = this.#m.i32[(b.last + REC_DISP) >> 2]!;
    const imm = this.#m.i32[(b.last + REC_IMM) >> 2]!;
    const at = b.delta + disp;
    if (op === Special.next) b.next = this.#at(at);
    else if (op === Special.joined) b.next = this.#record(imm, b);
    else if (op === Special.helper) b.next = this.#at(at + this.#map.helperLength(b.last));
    else {
      const { kind } = terminatorOf(op);
      switch (kind) {
        case 'conditional':
          b.next = this.#record(b.last + RECORD_SIZE, b);
          b.taken = this.#at(at);
          break;
        case 'jump':
          b.taken = this.#at(at);
          break;
        case 'call':
          b.taken = this.#at(at);
          break;
        case 'return':
          returns.push(b);
          break;
        case 'indirect':
        case 'indirect-call': {
          const offset = this.#map.lastTarget(b.last);
          const target = offset === undefined ? undefined : this.#at(offset);
          if (target?.kind === 'block') b.guesses.push({ offset: offset!, block: target.block });
          break;
        }
      }
      if ((kind === 'call' && b.taken?.kind === 'block') || (kind === 'indirect-call' && b.guesses.length > 0)) {
        const back = this.#at(b.delta + imm);
        if (back.kind === 'block') sites.set(b.delta + imm, back.block);
      }
    }
  }

  #record(record: number, from: RegionBlock): Target {
    const block = this.#block(record, from.page, from.delta);
    return block ? { kind: 'block', block } : { kind: 'record', record, delta: from.delta };
  }

  /** What lies at an offset from the head's page: a block, a record, or code that has not been executed yet. */
  #at(offset: number): Target {
    const within = offset & (PAGE_SIZE - 1);
    const page = this.#map.pageAt(offset - within);
    const record = page ? this.#m.u32[(page.table >> 2) + within]! : 0;
    if (!page || record === 0) return { kind: 'offset', offset };
    const block = this.#block(record, page, offset - within);
    return block ? { kind: 'block', block } : { kind: 'record', record, delta: offset - within };
  }
}
