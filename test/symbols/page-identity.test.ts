import { beforeEach, describe, expect, it } from 'vitest';
import { PageIdentity } from '../../src/symbols/page-identity.ts';
import type { PageMatch } from '../../src/symbols/page-identity.ts';
import type { RelocationSite, Section, SymbolFile } from '../../src/symbols/symbol-file.ts';
import { Symbolizer } from '../../src/symbols/symbolizer.ts';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import { buildElf, buildPe } from './programs.ts';
import { workshop } from './tools.ts';

const PAGE = 4096;
const BASE = 0x4010_0000n;

/** Bytes that look like code: no two blocks alike. */
function noise(size: number, seed: number): Uint8Array {
  let state = seed * 2654435761 + 1;
  return Uint8Array.from({ length: size }, () => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16) & 0xff);
}

function section(address: bigint, bytes: Uint8Array, executable = true): Section {
  const common = { name: executable ? '.text' : '.data', size: bytes.length, fileOffset: 0, allocated: true, writable: !executable };
  return { index: 0, address, bytes, executable, ...common };
}

function fakeFile(name: string, sections: Section[], relocationSites: RelocationSite[] = [], symbols: [string, bigint][] = []): SymbolFile {
  return {
    name,
    path: undefined,
    format: 'elf64',
    codeBits: 64,
    entry: BASE,
    imageBase: BASE,
    sections,
    relocationSites,
    hasDebugInformation: false,
    problems: [],
    symbols: () => new Map(symbols.map(([symbol, address]) => [symbol, [address]])),
    symbolAt: () => undefined,
    lineAt: () => undefined,
    inlineChainAt: () => [],
    findFunction: () => [],
    addressesOfLine: () => [],
  };
}

function pageOf(bytes: Uint8Array, from: number): Uint8Array {
  const page = new Uint8Array(PAGE);
  page.set(bytes.subarray(from, from + PAGE));
  return page;
}

describe('PageIdentity', () => {
  // Three pages and a bit, starting 0x300 into its first page.
  const code = noise(3 * PAGE + 0x180, 1);
  const start = BASE + 0x300n;
  const sites: RelocationSite[] = [
    { address: BASE + 0x2100n, size: 8 },
    { address: BASE + 0x2ffcn, size: 8 },
  ];
  const file = fakeFile('a', [section(start, code), section(BASE + 0x3480n, noise(0x1800, 9), false)], sites);
  const image = new Uint8Array(6 * PAGE);
  image.set(code, 0x300);
  let identity: PageIdentity;

  beforeEach(() => {
    identity = new PageIdentity();
    identity.add(file);
  });

  const link = (found: PageMatch | undefined) => found && `${found.file.name} ${found.linkPage.toString(16)}`;

  it.each([
    ['first page, code from 0x300', 0, 'a 40100000'],
    ['whole page', 1, 'a 40101000'],
    ['page with relocation sites', 2, 'a 40102000'],
    ['last page, 0x480 bytes', 3, 'a 40103000'],
    ['page of data only', 4, undefined],
    ['empty page', 5, undefined],
  ])('%s', (_, number, expected) => {
    expect(link(identity.identify(pageOf(image, number * PAGE)))).toBe(expected);
  });

  it('bytes outside the section and at relocation sites do not matter', () => {
    for (const number of [0, 2, 3]) {
      const page = pageOf(image, number * PAGE);
      if (number === 0) page.fill(0xaa, 0, 0x300);
      if (number === 2) page.fill(0x55, 0x100, 0x108).fill(0x66, 0xffc);
      if (number === 3) page.fill(0x77, 0x480).fill(0x44, 0, 4);
      expect(link(identity.identify(page))).toBe(`a ${(BASE + BigInt(number * PAGE)).toString(16)}`);
    }
  });

  it('a page overwritten in part is recognized by the rest, one overwritten in most is not', () => {
    const page = pageOf(image, PAGE);
    page.set(noise(0x600, 77), 0x200);
    page[0xf00]! ^= 1;
    expect(link(identity.identify(page))).toBe('a 40101000');
    page.set(noise(0xd00, 78), 0x80);
    expect(identity.identify(page)).toBeUndefined();
  });

  it('foreign code, padding and a shifted page match nothing', () => {
    for (const page of [
      noise(PAGE, 5),
      new Uint8Array(PAGE).fill(0xcc),
      new Uint8Array(PAGE).fill(0x90),
      pageOf(image, PAGE + 16),
      pageOf(image, PAGE + 64),
    ]) {
      expect(identity.identify(page)).toBeUndefined();
    }
  });

  it('padding pages of a file do not match each other', () => {
    const padded = new PageIdentity();
    padded.add(fakeFile('padding', [section(BASE, new Uint8Array(2 * PAGE).fill(0xcc))]));
    expect(padded.identify(new Uint8Array(PAGE).fill(0xcc))).toBeUndefined();
  });

  it('a page with less than 64 bytes of code is found when all of them are there', () => {
    const tiny = fakeFile('tiny', [section(BASE + 0x7d0n, noise(40, 3))]);
    identity.add(tiny);
    const page = noise(PAGE, 50);
    page.set(noise(40, 3), 0x7d0);
    expect(link(identity.identify(page))).toBe('tiny 40100000');
    page[0x7d1]! ^= 0x10;
    expect(identity.identify(page)).toBeUndefined();
  });

  it('too few bytes are recognized only where the neighbour suggests them', () => {
    const tail = fakeFile('tail', [section(BASE, noise(PAGE + 10, 4))]);
    identity.add(tail);
    const page = pageOf(noise(PAGE + 10, 4), PAGE);
    expect(identity.identify(page)).toBeUndefined();
    const expected = { file: tail, linkPage: BASE + 0x1000n };
    expect(identity.identify(page, expected)).toEqual(expected);
    page[3]! ^= 1;
    expect(identity.identify(page, expected)).toBeUndefined();
  });

  it('equal pages of one file are told apart only by the neighbour', () => {
    const same = noise(PAGE, 8);
    const twice = new Uint8Array(2 * PAGE);
    twice.set(same);
    twice.set(same, PAGE);
    const doubled = fakeFile('doubled', [section(BASE, twice)]);
    identity.add(doubled);
    expect(identity.identify(same)).toBeUndefined();
    const second = { file: doubled, linkPage: BASE + 0x1000n };
    expect(identity.identify(same, second)).toEqual(second);
  });

  it('of two files with equal pages the one with symbols counts, then the first', () => {
    const copy = fakeFile('copy', [section(start, code)]);
    identity.add(copy);
    expect(link(identity.identify(pageOf(image, PAGE)))).toBe('a 40101000');
    identity.add(fakeFile('named', [section(start, code)], [], [['f', start]]));
    expect(link(identity.identify(pageOf(image, PAGE)))).toBe('named 40101000');
    expect(link(identity.identify(pageOf(image, 0)))).toBe('named 40100000');
  });

  it('of two builds the one with more equal bytes counts', () => {
    const rebuilt = code.slice();
    rebuilt.set(noise(200, 60), PAGE);
    identity.add(fakeFile('b', [section(start, rebuilt)]));
    expect(link(identity.identify(pageOf(image, PAGE)))).toBe('a 40101000');
    const other = new Uint8Array(6 * PAGE);
    other.set(rebuilt, 0x300);
    expect(link(identity.identify(pageOf(other, PAGE)))).toBe('b 40101000');
  });

  it('a page is 4096 bytes', () => {
    expect(() => identity.identify(new Uint8Array(100))).toThrow(RangeError);
  });
});

describe('Symbolizer', () => {
  const shop = workshop();
  const elf = loadSymbolFile(buildElf(shop, 'program', ['-g', '-O2', '-Wl,-Ttext-segment=0x40100000']));
  const pe = loadSymbolFile(buildPe(shop, 'app.efi', ['-g', '-O2']));
  const memory = new Uint8Array(64 * PAGE);
  const generations = new Map<number, number>();
  let reads = 0;
  const pages = {
    read(page: number) {
      reads++;
      return (page + 1) * PAGE <= memory.length ? memory.subarray(page * PAGE, (page + 1) * PAGE) : undefined;
    },
    generation: (page: number) => generations.get(page) ?? 0,
  };
  const write = (at: number, bytes: Uint8Array) => {
    memory.set(bytes, at);
    for (let page = Math.floor(at / PAGE); page * PAGE < at + bytes.length; page++) generations.set(page, (generations.get(page) ?? 0) + 1);
  };
  const load = (file: SymbolFile, at: number) => {
    for (const { allocated, address, bytes } of file.sections) if (allocated) write(at + Number(address - file.imageBase), bytes);
  };
  const at = (file: SymbolFile, bias: number, address: bigint) => bias + Number(address - file.imageBase);
  let symbolizer: Symbolizer;

  beforeEach(() => {
    memory.fill(0);
    generations.clear();
    symbolizer = new Symbolizer(pages);
    symbolizer.addFile(elf);
    symbolizer.addFile(pe);
    reads = 0;
  });

  it.each([
    ['ELF', elf, 0x5000],
    ['PE', pe, 0x9000],
  ])('names code of an %s file wherever it lies, and forgets it when it is gone', (_, file, bias) => {
    const [main] = file.symbols().get('vmm_main')!;
    const where = at(file, bias, main!);
    expect(symbolizer.describe(where)).toBeUndefined();
    load(file, bias);
    expect(symbolizer.locate(where)).toEqual({ file, linkAddress: main });
    const line = file.lineAt(main!)!.line;
    expect(symbolizer.describe(where)).toBe(`vmm_main (${shop.path('main.c')}:${line})`.replace(`${process.cwd()}/`, ''));
    expect(symbolizer.describe(where + 1)).toMatch(/^vmm_main\+0x1 \(.*main\.c:\d+\)$/);
    const [inlined] = file.findFunction('vt__vm_run_first');
    expect(symbolizer.describe(at(file, bias, inlined!))).toMatch(/^(\w+ in )*vt__vm_run_first in \w+(\+0x[0-9a-f]+)? \(.*\.[ch]:\d+\)$/);
    expect(symbolizer.frames(at(file, bias, inlined!)).map((frame) => frame.name)).toContain('vt__vm_run_first');
    memory.fill(0);
    for (const page of generations.keys()) generations.set(page, generations.get(page)! + 1);
    expect(symbolizer.describe(where)).toBeUndefined();
  });

  it('reads a page once as long as it does not change', () => {
    load(elf, 0x5000);
    const where = at(elf, 0x5000, elf.entry);
    for (let i = 0; i < 10; i++) expect(symbolizer.locate(where)?.file).toBe(elf);
    expect(reads).toBe(1);
    write(where + PAGE, new Uint8Array(1));
    symbolizer.locate(where);
    expect(reads).toBe(1);
  });

  it('the same code at two places, and where it has been seen', () => {
    load(elf, 0x5000);
    load(elf, 0x20000);
    for (const bias of [0x5000, 0x20000]) expect(symbolizer.locate(at(elf, bias, elf.entry))?.linkAddress).toBe(elf.entry);
    const linkAddress = elf.entry & ~0xfffn;
    expect(symbolizer.placements()).toEqual([
      { file: elf, physicalAddress: at(elf, 0x5000, linkAddress), linkAddress, size: PAGE },
      { file: elf, physicalAddress: at(elf, 0x20000, linkAddress), linkAddress, size: PAGE },
    ]);
  });

  it('a file added later names what was unknown', () => {
    const late = new Symbolizer(pages);
    load(elf, 0x5000);
    const where = at(elf, 0x5000, elf.entry);
    expect(late.locate(where)).toBeUndefined();
    late.addFile(elf);
    expect(late.locate(where)?.linkAddress).toBe(elf.entry);
  });

  it('a page placed by order keeps its name, memory that does not exist has none', () => {
    symbolizer.placePage(3, elf, elf.entry & ~0xfffn);
    expect(symbolizer.locate(3 * PAGE + 5)).toEqual({ file: elf, linkAddress: (elf.entry & ~0xfffn) + 5n });
    expect(symbolizer.locate(memory.length + 5)).toBeUndefined();
  });

  it('code of a file without symbols is named after the file', () => {
    const bare = fakeFile('bios.bin', [section(BASE, noise(PAGE, 90))]);
    symbolizer.addFile(bare);
    write(0x8000, noise(PAGE, 90));
    expect(symbolizer.describe(0x8123)).toBe('bios.bin+0x123');
  });
});
