import { comparePage, knownPages, PAGE_SIZE } from './known-page.ts';
import type { KnownPage } from './known-page.ts';
import type { LinkRange } from './link-range.ts';
import type { SymbolFile } from './symbol-file.ts';

const PAGE = BigInt(PAGE_SIZE);

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
  const { pages, first, last } = imageOf(file);
  const whole = wholeRange(file);
  const follow = (step: bigint, end: bigint): { reached: bigint; toTheEnd: boolean } => {
    let reached = linkPage;
    for (let at = linkPage + step; step > 0n ? at <= end : at >= end; at += step) {
      const page = pages.get(at);
      if (page === undefined) continue;
      const bytes = read(at);
      if (bytes === undefined || !holds(page, bytes)) return { reached, toTheEnd: false };
      reached = at;
    }
    return { reached, toTheEnd: true };
  };
  const up = follow(PAGE, last);
  const down = follow(-PAGE, first);
  return { low: down.toTheEnd ? whole.low : down.reached, high: up.toTheEnd ? whole.high : up.reached + PAGE };
}

/** Variables change and relocation sites are masked, so half of what is not zero must be equal; a page of zeros must be all zeros. */
function holds(known: KnownPage, bytes: Uint8Array): boolean {
  const { significant, equal, equalNonZero, nonZero } = comparePage(known, bytes);
  return nonZero === 0 ? equal === significant : equalNonZero * 2 >= nonZero;
}

interface Image {
  readonly pages: ReadonlyMap<bigint, KnownPage>;
  readonly first: bigint;
  readonly last: bigint;
}

const images = new WeakMap<SymbolFile, Image>();

function imageOf(file: SymbolFile): Image {
  let image = images.get(file);
  if (image === undefined) {
    const pages = new Map(knownPages(file, (section) => section.allocated).map((page) => [page.linkPage, page]));
    let first = file.imageBase;
    let last = file.imageBase;
    for (const page of pages.keys()) {
      if (page < first) first = page;
      if (page > last) last = page;
    }
    images.set(file, (image = { pages, first, last }));
  }
  return image;
}
