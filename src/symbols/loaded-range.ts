import { comparePage, knownPages, PAGE_SIZE } from './known-page.ts';
import type { KnownPage } from './known-page.ts';
import type { LinkRange } from './link-range.ts';
import type { SymbolFile } from './symbol-file.ts';

const PAGE = BigInt(PAGE_SIZE);
/** What is farther apart is loaded apart: a kernel's boot code and its upper half. */
const WIDE_GAP = 0x100_0000;

/** All that a file occupies once it is loaded whole. */
export function wholeRange(file: SymbolFile): LinkRange {
  let low = file.imageBase;
  let high = file.imageBase;
  for (const { allocated, address, size } of file.sections) {
    if (!allocated || size === 0) continue;
    if (address < low) low = address & ~(PAGE - 1n);
    if (address + BigInt(size) > high) high = address + BigInt(size);
  }
  return { low, high };
}

/**
 * How much of a file is really there around a page that was recognized. A boot loader may have read only its first pages; what would lie behind
 * them is other memory, and nothing of the file must be claimed there.
 *
 * `read` gives the page of memory where a page of the file would be. The run ends at the first page that is something else. Pages that prove
 * nothing (between sections) count only between such that do. Where the contents of the file end, what has none (.bss) belongs to it.
 */
export function loadedRange(file: SymbolFile, linkPage: bigint, read: (linkPage: bigint) => Uint8Array | undefined): LinkRange {
  const pages = pagesOf(file);
  const whole = wholeRange(file);
  const start = pages.findIndex((page) => page.linkPage >= linkPage);
  const follow = (step: 1 | -1): { reached: bigint; toTheEnd: boolean } => {
    let reached = linkPage;
    for (let i = start; i >= 0 && i < pages.length; i += step) {
      const page = pages[i]!;
      if (page.linkPage === linkPage) continue;
      const gap = step * Number(page.linkPage - reached);
      const bytes = gap > WIDE_GAP ? undefined : read(page.linkPage);
      if (bytes === undefined || !holds(page, bytes)) return { reached, toTheEnd: false };
      reached = page.linkPage;
    }
    return { reached, toTheEnd: true };
  };
  const up = follow(1);
  const down = follow(-1);
  return { low: down.toTheEnd ? whole.low : down.reached, high: up.toTheEnd ? whole.high : up.reached + PAGE };
}

/** Variables change and relocation sites are masked, so half of what is not zero must be equal; a page of zeros must be all zeros. */
function holds(known: KnownPage, bytes: Uint8Array): boolean {
  const { significant, equal, equalNonZero, nonZero } = comparePage(known, bytes);
  return nonZero === 0 ? equal === significant : equalNonZero * 2 >= nonZero;
}

const images = new WeakMap<SymbolFile, readonly KnownPage[]>();

/** In order of address. */
function pagesOf(file: SymbolFile): readonly KnownPage[] {
  let pages = images.get(file);
  if (pages === undefined) {
    pages = knownPages(file, (section) => section.allocated).sort((a, b) => (a.linkPage < b.linkPage ? -1 : 1));
    images.set(file, pages);
  }
  return pages;
}
