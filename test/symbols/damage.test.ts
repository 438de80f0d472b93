import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SymbolFileError } from '../../src/symbols/errors.ts';
import { gdbView, partialGdbView } from '../../src/symbols/gdb-view.ts';
import { openSymbolFile } from '../../src/symbols/open.ts';
import { PageIdentity } from '../../src/symbols/page-identity.ts';
import { buildElf, buildPe } from './programs.ts';
import { run, workshop } from './tools.ts';

const shop = workshop();
const source = shop.write(
  'small.c',
  '#define V __asm__ volatile\nstatic inline int f(int x) { V ("vmlaunch"); return x * 3; }\nint g(int x) { return f(x) + f(x + 1); }\nint *p; void _start(void) { for (;;) *p = g(*p); }\n',
);
buildElf(shop, 'dwarf5', ['-gdwarf-5', '-O2'], [source]);
buildElf(shop, 'dwarf4', ['-gdwarf-4', '-O1', '-ffunction-sections'], [source]);
buildElf(shop, 'compressed', ['-gdwarf-5', '-O2', '-gz=zlib'], [source]);
buildElf(shop, 'pie', ['-gdwarf-5', '-O2', '-static-pie', '-fpie'], [source]);
buildPe(shop, 'app.efi', ['-g', '-O2', '-Wl,--build-id'], [source]);
run('objcopy', ['-O', 'elf32-i386', shop.path('dwarf5'), shop.path('narrow')]);
run('objcopy', ['-O', 'elf64-x86-64', '--only-keep-debug', shop.path('dwarf5'), shop.path('only-debug')]);
const NAMES = ['dwarf5', 'dwarf4', 'compressed', 'pie', 'app.efi', 'narrow', 'only-debug'] as const;

const inflate = (packed: Uint8Array, size: number) => inflateSync(packed, { maxOutputLength: Math.max(size, 1) });

/** Asks everything that there is to ask. */
function exercise(bytes: Uint8Array): void {
  const file = openSymbolFile(bytes, { name: 'damaged', inflate });
  const addresses = [0n, file.entry, (1n << 64n) - 1n];
  for (const section of file.sections.slice(0, 20)) {
    addresses.push(section.address);
    for (let at = 0; at < Math.min(section.bytes.length, 64); at += 7) if (section.executable) addresses.push(section.address + BigInt(at));
  }
  for (const address of addresses) {
    file.symbolAt(address);
    file.lineAt(address);
    file.inlineChainAt(address);
  }
  for (const name of ['f', 'g', '_start', '']) file.findFunction(name);
  file.addressesOfLine('small.c', 3);
  for (const problem of file.problems) expect(problem).toBeInstanceOf(SymbolFileError);
  const identity = new PageIdentity();
  identity.add(file);
  identity.identify(new Uint8Array(4096).fill(0x42));
  const view = gdbView(bytes);
  const low = file.entry & ~0xfffn;
  for (const high of [low + 0x40n, low + 0x1000n]) partialGdbView(view, { low, high });
}

/** Runs it; a SymbolFileError is as good an answer as none, anything else, or taking long, is a failure. */
function survives(bytes: Uint8Array): 'opened' | 'refused' {
  const start = performance.now();
  let outcome: 'opened' | 'refused' = 'opened';
  try {
    exercise(bytes);
  } catch (error) {
    if (!(error instanceof SymbolFileError)) throw error;
    expect(error.message).toMatch(/^.+: .+/);
    outcome = 'refused';
  }
  expect(performance.now() - start).toBeLessThan(5000);
  return outcome;
}

/** Values that have broken parsers before. */
const evil = fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff);
// Evenly over the whole file: the usual bias to small numbers would only ever hit the header.
const place = fc.noBias(fc.integer({ min: 0, max: 2 ** 30 - 1 })).map((n) => n / 2 ** 30);
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('byte' as const), at: place, value: fc.integer({ min: 0, max: 255 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('word' as const), at: place, value: evil }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('head' as const), at: place, value: evil }) },
);

function damage(
  original: Uint8Array,
  from: number,
  to: number,
  changes: readonly { kind: 'byte' | 'word' | 'head'; at: number; value: number }[],
): Uint8Array {
  const bytes = original.slice();
  const view = new DataView(bytes.buffer);
  for (const { kind, at, value } of changes) {
    if (kind === 'head') view.setUint16(Math.floor(at * 256) & ~1, value & 0xffff, true);
    else if (kind === 'byte') bytes[from + Math.floor(at * (to - from))] = value;
    else view.setUint32(Math.min(from + Math.floor(at * (to - from)), bytes.length - 4), value, true);
  }
  return bytes;
}

describe.each(NAMES)('%s', (name) => {
  const original = shop.read(name);

  it('is intact before it is damaged', () => {
    expect(survives(original)).toBe('opened');
    expect(openSymbolFile(original, { name, inflate }).problems).toEqual([]);
  });

  it('damaged anywhere: an answer or a SymbolFileError', () => {
    const outcomes = { opened: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 8 }),
        (changes) => void outcomes[survives(damage(original, 0, original.length, changes))]++,
      ),
      { numRuns: 200, seed: 1 },
    );
    // Both paths are walked, or this proves nothing.
    expect(Math.min(outcomes.opened, outcomes.refused)).toBeGreaterThan(5);
  });

  it('damaged in one section at a time, with the section headers', () => {
    const file = openSymbolFile(original, { name, inflate });
    const sections = file.sections.filter((section) => section.bytes.length > 0);
    const outcomes = new Set<string>();
    for (const section of sections) {
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
          const inside = changes.filter((one) => one.kind !== 'head');
          outcomes.add(survives(damage(original, section.fileOffset, section.fileOffset + section.bytes.length, inside)));
        }),
        { numRuns: 40, seed: 2 },
      );
    }
    expect(outcomes).toContain('opened');
  });

  it('cut short at any length', () => {
    for (let length = 0; length < original.length; length += length < 512 ? 3 : 97) survives(original.subarray(0, length));
  });
});

describe('damage is named', () => {
  it('a section outside the file, with its name', () => {
    const bytes = shop.read('dwarf5');
    const file = openSymbolFile(bytes, { name: 'x' });
    const { index } = file.sections.find((section) => section.name === '.debug_line')!;
    const view = new DataView(bytes.buffer);
    view.setBigUint64(Number(view.getBigUint64(40, true)) + index * 64 + 24, 0x1234_5678n, true);
    expect(() => openSymbolFile(bytes, { name: 'x' })).toThrow(/^section \d+ \.debug_line: its bytes 0x12345678\.\..* lie outside the file/);
  });

  it('a bad unit costs its own answers and is listed once', () => {
    const bytes = shop.read('dwarf5');
    const file = openSymbolFile(bytes, { name: 'x' });
    const { fileOffset } = file.sections.find((section) => section.name === '.debug_info')!;
    bytes[fileOffset + 4] = 9;
    const damaged = openSymbolFile(bytes, { name: 'x' });
    for (let i = 0; i < 3; i++) expect(damaged.inlineChainAt(damaged.entry)).toEqual([{ name: '_start' }]);
    expect(damaged.problems.map(String)).toEqual(['SymbolFileError: .debug_info at offset 0x0: DWARF version 9 is not 2 to 5']);
  });

  it('an abbreviation with thousands of attributes of no size, used thousands of times', () => {
    const bytes = shop.read('dwarf5');
    const sections = openSymbolFile(bytes, { name: 'x' }).sections;
    // The two sections move to the end of the file, where there is room: 60,000 entries of one byte with 60,000 flags each.
    const count = 60_000;
    const abbrev = [1, 0x11, 1, 0, 0, 2, 0x1d, 0, ...Array.from({ length: count }, () => [0x3f, 0x19]).flat(), 0, 0, 0];
    const info = [0, 0, 0, 0, 5, 0, 1, 8, 0, 0, 0, 0, 1, ...new Array<number>(count).fill(2), 0];
    const length = info.length - 4;
    info.splice(0, 4, length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff, 0);
    const larger = new Uint8Array(bytes.length + abbrev.length + info.length);
    larger.set(bytes);
    larger.set(abbrev, bytes.length);
    larger.set(info, bytes.length + abbrev.length);
    const view = new DataView(larger.buffer);
    const replace = (name: string, offset: number, size: number) => {
      const header = Number(view.getBigUint64(40, true)) + sections.find((section) => section.name === name)!.index * 64;
      view.setBigUint64(header + 24, BigInt(offset), true);
      view.setBigUint64(header + 32, BigInt(size), true);
    };
    replace('.debug_abbrev', bytes.length, abbrev.length);
    replace('.debug_info', bytes.length + abbrev.length, info.length);
    replace('.debug_aranges', 0, 0);
    expect(survives(larger)).toBe('opened');
    const file = openSymbolFile(larger, { name: 'x' });
    file.findFunction('f');
    expect(file.problems.map(String).join()).toContain('gives up');
  });

  it('sections that claim the same bytes thousands of times', () => {
    const count = 2000;
    const bytes = new Uint8Array(64 + count * 64);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    const view = new DataView(bytes.buffer);
    view.setUint16(18, 62, true);
    view.setBigUint64(40, 64n, true);
    view.setUint16(58, 64, true);
    view.setUint16(60, count, true);
    for (let i = 1; i < count; i++) {
      view.setUint32(64 + i * 64 + 4, 1, true);
      view.setBigUint64(64 + i * 64 + 32, BigInt(bytes.length), true);
    }
    expect(() => openSymbolFile(bytes, { name: 'x' })).toThrow(/sections claim \d+ bytes of a file of \d+/);
  });
});
