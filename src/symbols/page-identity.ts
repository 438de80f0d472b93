import { comparePage, knownPages, PAGE_SIZE } from './known-page.ts';
import type { KnownPage } from './known-page.ts';
import { BLOCK_SIZE, BLOCKS, hashBytes, isDistinctive } from './page-hash.ts';
import type { SymbolFile } from './symbol-file.ts';

export interface PageMatch {
  readonly file: SymbolFile;
  readonly linkPage: bigint;
}

/** Below this many distinctive blocks a page is found by trying it, not by its blocks. */
const FEW_BLOCKS = 4;
/** Blocks that more places share than this say nothing. */
const CROWDED = 8;
/** A page with fewer bytes of code than this must match in all of them. */
const SMALL = 256;
const LEAST_EVIDENCE = 16;

/**
 * Tells from the bytes of a page of memory which page of which known file it is. Who loaded, copied, relocated or remapped it does not matter:
 * code that runs has been written somewhere, and its bytes are its name.
 *
 * A page that is all code is found by one hash. One that is partly something else (the ends of a section, relocation sites, a variable in the
 * text, a page only half loaded yet) is found by the votes of its 64-byte blocks, and then compared byte by byte.
 */
export class PageIdentity {
  readonly #byPage = new Map<string, KnownPage>();
  readonly #whole = new Map<number, KnownPage[]>();
  readonly #blocks = new Map<number, KnownPage[]>();
  readonly #few: KnownPage[] = [];
  readonly #fileNumbers = new Map<SymbolFile, number>();

  add(file: SymbolFile): void {
    if (this.#fileNumbers.has(file)) return;
    this.#fileNumbers.set(file, this.#fileNumbers.size);
    for (const page of knownPages(file)) {
      this.#byPage.set(this.#key(page), page);
      if (!isDistinctive(page.content, 0, PAGE_SIZE)) continue;
      if (page.mask === undefined) push(this.#whole, hashBytes(page.content, 0, PAGE_SIZE, 0), page);
      let usable = 0;
      for (let block = 0; block < BLOCKS; block++) {
        const start = block * BLOCK_SIZE;
        if (page.mask?.subarray(start, start + BLOCK_SIZE).includes(0) || !isDistinctive(page.content, start, start + BLOCK_SIZE)) continue;
        usable++;
        push(this.#blocks, hashBytes(page.content, start, start + BLOCK_SIZE, block + 1), page);
      }
      if (usable < FEW_BLOCKS) this.#few.push(page);
    }
  }

  /**
   * `expected`, when given, is tried first: what the neighbouring page suggests. It settles pages with too little code to be recognized alone,
   * and pages that occur twice in a file.
   */
  identify(page: Uint8Array, expected?: PageMatch): PageMatch | undefined {
    if (page.length !== PAGE_SIZE) throw new RangeError(`a page has ${PAGE_SIZE} bytes, not ${page.length}`);
    const near = expected && this.#byPage.get(this.#key(expected));
    if (near !== undefined && isWhole(near, page)) return match(near);
    const whole = this.#whole.get(hashBytes(page, 0, PAGE_SIZE, 0))?.filter((candidate) => isWhole(candidate, page));
    if (whole !== undefined && whole.length > 0) return this.#choose(whole);
    return this.#vote(page);
  }

  #vote(page: Uint8Array): PageMatch | undefined {
    const candidates = new Set(this.#few);
    for (let block = 0; block < BLOCKS; block++) {
      const start = block * BLOCK_SIZE;
      const sharing = this.#blocks.get(hashBytes(page, start, start + BLOCK_SIZE, block + 1));
      if (sharing !== undefined && sharing.length <= CROWDED) for (const candidate of sharing) candidates.add(candidate);
    }
    let best: KnownPage[] = [];
    let most = 0;
    for (const candidate of candidates) {
      const { significant, equal, equalNonZero } = comparePage(candidate, page);
      const enough = significant < SMALL ? equal === significant : equal * 2 >= significant;
      if (!enough || equalNonZero < LEAST_EVIDENCE || equalNonZero < most) continue;
      if (equalNonZero > most) best = [];
      most = equalNonZero;
      best.push(candidate);
    }
    return this.#choose(best);
  }

  /** Of equal pages: the file that can say more, then the one added first. Two equal pages of one file cannot be told apart. */
  #choose(candidates: readonly KnownPage[]): PageMatch | undefined {
    const files = [...new Set(candidates.map((candidate) => candidate.file))];
    const [file] = files.sort((a, b) => richness(b) - richness(a) || this.#fileNumbers.get(a)! - this.#fileNumbers.get(b)!);
    const [only, another] = candidates.filter((candidate) => candidate.file === file);
    return only === undefined || another !== undefined ? undefined : match(only);
  }

  #key({ file, linkPage }: PageMatch): string {
    return `${this.#fileNumbers.get(file) ?? ''} ${linkPage}`;
  }
}

function match({ file, linkPage }: KnownPage): PageMatch {
  return { file, linkPage };
}

function isWhole(known: KnownPage, page: Uint8Array): boolean {
  const { significant, equal, equalNonZero } = comparePage(known, page);
  return equal === significant && equalNonZero >= 4;
}

function richness(file: SymbolFile): number {
  return (file.hasDebugInformation ? 2 : 0) + (file.symbols().size > 0 ? 1 : 0);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
