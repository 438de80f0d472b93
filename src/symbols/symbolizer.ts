import { PAGE_SIZE } from './known-page.ts';
import { PageIdentity } from './page-identity.ts';
import type { PageMatch } from './page-identity.ts';
import type { InlineFrame, SymbolFile } from './symbol-file.ts';

/** Physical memory as the symbolizer needs it; the machine is not imported here. Pages are numbered: physical address / 4096. */
export interface PhysicalPages {
  /** The 4096 bytes of a page; undefined where there is no memory. */
  read(page: number): Uint8Array | undefined;
  /** Changes whenever the page may have been written. */
  generation(page: number): number;
}

export interface CodeLocation {
  readonly file: SymbolFile;
  readonly linkAddress: bigint;
}

/** A run of physical pages that holds consecutive pages of a file. */
export interface Placement {
  readonly file: SymbolFile;
  readonly physicalAddress: number;
  readonly linkAddress: bigint;
  readonly size: number;
}

interface Identified {
  /** Undefined for a page placed by order, which is not looked at again. */
  readonly generation: number | undefined;
  readonly match: PageMatch | undefined;
}

/** Names of code by physical address: which page of which known file a page of memory is, found when first asked and again after it changed. */
export class Symbolizer {
  readonly #memory: PhysicalPages;
  readonly #identity = new PageIdentity();
  readonly #pages = new Map<number, Identified>();
  readonly #files: SymbolFile[] = [];

  constructor(memory: PhysicalPages) {
    this.#memory = memory;
  }

  get files(): readonly SymbolFile[] {
    return this.#files;
  }

  addFile(file: SymbolFile): void {
    this.#files.push(file);
    this.#identity.add(file);
    // What was unknown may be known now.
    for (const [page, { match }] of this.#pages) if (match === undefined) this.#pages.delete(page);
  }

  /** Says what a physical page holds, for code whose bytes do not tell. */
  placePage(page: number, file: SymbolFile, linkPage: bigint): void {
    this.#pages.set(page, { generation: undefined, match: { file, linkPage } });
  }

  locate(physicalAddress: number): CodeLocation | undefined {
    const match = this.#matchOf(Math.floor(physicalAddress / PAGE_SIZE));
    return match && { file: match.file, linkAddress: match.linkPage + BigInt(physicalAddress % PAGE_SIZE) };
  }

  /** Innermost first; empty where nothing is known. */
  frames(physicalAddress: number): readonly InlineFrame[] {
    const location = this.locate(physicalAddress);
    return location === undefined ? [] : location.file.inlineChainAt(location.linkAddress);
  }

  /** `vmm_main+0x10 (core/main.c:123)`; in inlined code `port_read in port_add in vmm_main+0x10 (core/port.h:7)`. */
  describe(physicalAddress: number): string | undefined {
    const location = this.locate(physicalAddress);
    return location && describeLocation(location);
  }

  /** Where files have been seen in memory so far, in order of physical address. */
  placements(): Placement[] {
    const pages = [...this.#pages].filter(([, { match }]) => match !== undefined).sort(([a], [b]) => a - b);
    const runs: Placement[] = [];
    for (const [page, identified] of pages) {
      const { file, linkPage } = identified.match!;
      const last = runs[runs.length - 1];
      const follows =
        last?.file === file && last.physicalAddress + last.size === page * PAGE_SIZE && last.linkAddress + BigInt(last.size) === linkPage;
      if (follows) runs[runs.length - 1] = { ...last, size: last.size + PAGE_SIZE };
      else runs.push({ file, physicalAddress: page * PAGE_SIZE, linkAddress: linkPage, size: PAGE_SIZE });
    }
    return runs;
  }

  #matchOf(page: number): PageMatch | undefined {
    const known = this.#pages.get(page);
    if (known !== undefined && known.generation === undefined) return known.match;
    const generation = this.#memory.generation(page);
    if (known?.generation === generation) return known.match;
    const bytes = this.#memory.read(page);
    const match = bytes && this.#identity.identify(bytes, known?.match ?? this.#neighbourSuggests(page));
    this.#pages.set(page, { generation, match });
    return match;
  }

  #neighbourSuggests(page: number): PageMatch | undefined {
    const before = this.#pages.get(page - 1)?.match;
    if (before !== undefined) return { file: before.file, linkPage: before.linkPage + BigInt(PAGE_SIZE) };
    const after = this.#pages.get(page + 1)?.match;
    return after && { file: after.file, linkPage: after.linkPage - BigInt(PAGE_SIZE) };
  }
}

export function describeLocation({ file, linkAddress }: CodeLocation): string {
  const chain = file.inlineChainAt(linkAddress);
  const symbol = file.symbolAt(linkAddress);
  const inner = chain[0];
  const outer = symbol?.name ?? chain[chain.length - 1]?.name;
  const base = symbol?.address ?? (outer === undefined ? file.imageBase : linkAddress);
  const offset = linkAddress - base;
  const place = `${outer ?? file.name}${offset > 0n ? `+0x${offset.toString(16)}` : ''}`;
  const inlined = chain.slice(0, -1).map((frame) => `${frame.name} in `);
  return `${inlined.join('')}${place}${inner?.shortFile === undefined ? '' : ` (${inner.shortFile}:${inner.line})`}`;
}
