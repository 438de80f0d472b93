import type { Section, SymbolFile } from './symbol-file.ts';

export const PAGE_SIZE = 4096;

/** One page of an image as it lies in memory, with which of its bytes are code that stays the same wherever it is loaded. */
export interface KnownPage {
  readonly file: SymbolFile;
  readonly linkPage: bigint;
  readonly content: Uint8Array;
  /** 1 for a byte that counts; undefined when all do. */
  readonly mask: Uint8Array | undefined;
}

/**
 * The pages of a file's sections that count; if not told otherwise the executable ones, as data sections change at run time. Relocation sites
 * change at load time, and bytes outside all sections are whatever the loader left there: they never count.
 */
export function knownPages(file: SymbolFile, counts: (section: Section) => boolean = (section) => section.executable): KnownPage[] {
  const pages = new Map<bigint, { content: Uint8Array; mask: Uint8Array | undefined }>();
  const maskOf = (page: { mask: Uint8Array | undefined }) => (page.mask ??= new Uint8Array(PAGE_SIZE).fill(1));
  for (const section of file.sections) {
    if (!counts(section)) continue;
    const { address, bytes } = section;
    for (let done = 0; done < bytes.length;) {
      const at = address + BigInt(done);
      const linkPage = at & ~0xfffn;
      const offset = Number(at - linkPage);
      const size = Math.min(PAGE_SIZE - offset, bytes.length - done);
      const part = bytes.subarray(done, done + size);
      done += size;
      let page = pages.get(linkPage);
      if (page === undefined && size === PAGE_SIZE) {
        pages.set(linkPage, { content: part, mask: undefined });
        continue;
      }
      // A page that two sections claim in whole is damage; the first stays.
      if (page?.mask === undefined && page !== undefined) continue;
      if (page === undefined) pages.set(linkPage, (page = { content: new Uint8Array(PAGE_SIZE), mask: new Uint8Array(PAGE_SIZE) }));
      page.content.set(part, offset);
      page.mask!.fill(1, offset, offset + size);
    }
  }
  for (const { address, size } of file.relocationSites) {
    for (let i = 0; i < size; i++) {
      const at = address + BigInt(i);
      const page = pages.get(at & ~0xfffn);
      if (page !== undefined) maskOf(page)[Number(at & 0xfffn)] = 0;
    }
  }
  return [...pages].map(([linkPage, page]) => ({ file, linkPage, ...page }));
}

export interface Comparison {
  /** Bytes that count. */
  readonly significant: number;
  /** Of these, not zero in the file. */
  readonly nonZero: number;
  /** Of these, equal. */
  readonly equal: number;
  /** Of these, not zero: zeros are everywhere in memory and prove nothing. */
  readonly equalNonZero: number;
}

export function comparePage({ content, mask }: KnownPage, page: Uint8Array): Comparison {
  let significant = 0;
  let equal = 0;
  let nonZero = 0;
  let equalNonZero = 0;
  for (let i = 0; i < PAGE_SIZE; i++) {
    if (mask !== undefined && mask[i] === 0) continue;
    significant++;
    const byte = content[i];
    if (byte !== 0) nonZero++;
    if (byte !== page[i]) continue;
    equal++;
    if (byte !== 0) equalNonZero++;
  }
  return { significant, nonZero, equal, equalNonZero };
}
