import { describe, expect, it } from 'vitest';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import { openSymbolFile } from '../../src/symbols/open.ts';
import { readPeTables } from '../../src/symbols/pe/pe-file.ts';
import { buildElf, buildPe } from './programs.ts';
import { run, workshop } from './tools.ts';

const shop = workshop();

/** `nm` lines as [address, name], of defined symbols. */
function nm(tool: string, path: string): [bigint, string][] {
  const lines = run(tool, ['--defined-only', path]).split('\n');
  return lines.map((line) => /^([0-9a-f]+) . (.+)$/.exec(line)).flatMap((match) => (match === null ? [] : [[BigInt(`0x${match[1]}`), match[2]!]]));
}

function pairs(symbols: ReadonlyMap<string, readonly bigint[]>): string[] {
  return [...symbols].flatMap(([name, addresses]) => addresses.map((address) => `${address.toString(16)} ${name}`)).sort();
}

describe('ELF', () => {
  const path = buildElf(shop, 'program', ['-g', '-O2', '-Wl,-Ttext-segment=0x40100000']);
  const narrow = shop.path('narrow');
  run('objcopy', ['-O', 'elf32-i386', path, narrow]);
  const real32 = shop.path('real32');
  run('gcc', [
    '-m32',
    '-O2',
    '-g',
    '-ffreestanding',
    '-nostdlib',
    '-static',
    '-fno-pie',
    '-no-pie',
    '-o',
    real32,
    shop.path('main.c'),
    shop.path('vt/run.c'),
  ]);
  const stripped = shop.path('narrow-stripped');
  run('strip', ['-o', stripped, narrow]);
  const stripped32 = shop.path('real32-stripped');
  run('strip', ['-o', stripped32, real32]);

  it.each([
    ['ELF64', path],
    ['ELF32 with 64-bit code', narrow],
    ['ELF32', real32],
  ])('%s: symbols are those of nm, sections those of readelf', (_, file) => {
    const ours = loadSymbolFile(file);
    const expected = new Set(nm('nm', file).map(([address, name]) => `${address.toString(16)} ${name}`));
    expect(pairs(ours.symbols())).toEqual([...expected].sort());
    const rows = [...run('readelf', ['-SW', file]).matchAll(/^ +\[ *(\d+)\] (\S+) +(\S+) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) \S+ +([A-Z]*) /gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const [, index, name, type, address, offset, size, flags] of rows) {
      const section = ours.sections[Number(index)]!;
      expect(section).toMatchObject({ name, address: BigInt(`0x${address}`), size: parseInt(size!, 16), fileOffset: parseInt(offset!, 16) });
      expect(section.bytes.length).toBe(type === 'NOBITS' ? 0 : section.size);
      expect([section.allocated, section.executable, section.writable]).toEqual(['A', 'X', 'W'].map((flag) => flags!.includes(flag)));
    }
    const entry = /Entry point address: +(0x[0-9a-f]+)/.exec(run('readelf', ['-h', file]));
    expect(ours.entry).toBe(BigInt(entry![1]!));
  });

  it.each([
    ['ELF64', path, 'elf64', 64],
    ['ELF32 with 64-bit code, by its DWARF', narrow, 'elf32', 64],
    ['ELF32 with 64-bit code, stripped, by its REX prefixes', stripped, 'elf32', 64],
    ['ELF32 with 32-bit code', real32, 'elf32', 32],
    ['ELF32 with 32-bit code, stripped', stripped32, 'elf32', 32],
  ])('%s: which code it holds', (_, file, format, codeBits) => {
    expect(loadSymbolFile(file)).toMatchObject({ format, codeBits });
  });

  it('symbolAt: the symbol, the offset in it, and nothing between and beyond', () => {
    const file = loadSymbolFile(path);
    const [main] = file.symbols().get('vmm_main')!;
    const { size } = file.symbolAt(main!)!;
    expect(file.symbolAt(main! + 5n)).toEqual({ name: 'vmm_main', address: main, offset: 5, kind: 'function', size });
    expect(file.symbolAt(main! + BigInt(size))?.name).not.toBe('vmm_main');
    expect(file.symbolAt(file.symbols().get('port')![0]! + 8n)).toMatchObject({ name: 'port', offset: 8, kind: 'object', size: 512 });
    for (const nowhere of [0n, file.imageBase, 0xffff_ffff_ffff_fff0n, 1n << 63n]) expect(file.symbolAt(nowhere)).toBeUndefined();
  });

  it('dynamic relocations of a PIE are relocation sites', () => {
    const source = shop.write('pointers.c', 'int x; int *px = &x, *qx = &x; void _start(void) { for (;;) *px += *qx; }');
    const pie = buildElf(shop, 'pie', ['-static-pie', '-fpie', '-O1'], [source]);
    const expected = [...run('readelf', ['-rW', pie]).matchAll(/^([0-9a-f]{16}) .*R_X86_64_RELATIVE/gm)].map((match) => BigInt(`0x${match[1]}`));
    expect(expected.length).toBeGreaterThan(0);
    expect(loadSymbolFile(pie).relocationSites).toEqual(expected.map((address) => ({ address, size: 8 })));
  });
});

describe('PE32+', () => {
  const pointers = shop.write('pointers-pe.c', 'extern int y; int x; int *px = &x; int *qx; void f(void) { qx = px; } void (*pf)(void) = f;');
  const sources = [shop.path('main.c'), shop.path('vt/run.c'), pointers];
  const path = buildPe(shop, 'app.efi', ['-g', '-O2', '-Wl,--build-id=0x00112233445566778899aabbccddeeff', '-Wl,--image-base,0x10000000'], sources);
  const file = loadSymbolFile(path);

  it('sections with long names, entry and base are those of objdump', () => {
    const rows = [
      ...run('x86_64-w64-mingw32-objdump', ['-hw', path]).matchAll(/^ +(\d+) (\S+) +([0-9a-f]{8}) +([0-9a-f]{16}) +\S+ +([0-9a-f]{8}) +\S+ +(.*)$/gm),
    ];
    expect(rows.map((row) => row[2])).toContain('.debug_info');
    for (const [, index, name, size, address, offset, flags] of rows) {
      const section = file.sections[Number(index)]!;
      expect(section).toMatchObject({ name, address: BigInt(`0x${address}`), executable: flags!.includes('CODE') });
      if (!flags!.includes('CONTENTS')) expect(section.bytes.length).toBe(0);
      else {
        expect(section.bytes.length).toBe(parseInt(size!, 16));
        expect(section.fileOffset).toBe(parseInt(offset!, 16));
      }
    }
    const [, start] = /^start address (0x[0-9a-f]+)/m.exec(run('x86_64-w64-mingw32-objdump', ['-f', path]))!;
    expect([file.entry, file.imageBase, file.format]).toEqual([BigInt(start!), 0x10000000n, 'pe32+']);
  });

  it('symbols are those of nm', () => {
    const ours = new Set(pairs(file.symbols()));
    const theirs = nm('x86_64-w64-mingw32-nm', path).filter(([, name]) => !name.startsWith('.'));
    expect(theirs.length).toBeGreaterThan(20);
    for (const [address, name] of theirs) expect(ours).toContain(`${address.toString(16)} ${name}`);
    expect(file.symbolAt(file.symbols().get('vmm_main')![0]! + 4n)).toMatchObject({ name: 'vmm_main', offset: 4, kind: 'function' });
  });

  it('base relocations are those of objdump', () => {
    const text = run('x86_64-w64-mingw32-objdump', ['-p', path]);
    const expected = [...text.matchAll(/reloc +\d+ offset +\S+ \[([0-9a-f]+)\] DIR64/g)].map((match) => BigInt(`0x${match[1]}`) + 0x10000000n);
    expect(expected.length).toBeGreaterThan(1);
    expect(file.relocationSites).toEqual(expected.map((address) => ({ address, size: 8 })));
  });

  it('the debug directory holds the build id', () => {
    const [entry] = readPeTables(shop.read('app.efi')).debugDirectory;
    expect(entry).toMatchObject({ type: 2, file: '', identifier: '00112233445566778899aabbccddeeff' });
  });

  it('stripped: sections stay, symbols are gone', () => {
    run('x86_64-w64-mingw32-strip', ['-o', shop.path('stripped.efi'), path]);
    const bare = loadSymbolFile(shop.path('stripped.efi'));
    expect(bare.symbols().size).toBe(0);
    expect(bare.sections.find((section) => section.executable)?.name).toBe('.text');
    expect(bare.inlineChainAt(bare.entry)).toEqual([]);
  });
});

describe('what is not read is refused with its reason', () => {
  const elf = (changes: Record<number, number>) => {
    const bytes = new Uint8Array(64);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    bytes[18] = 62;
    for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
    return bytes;
  };
  const cases: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /neither an ELF nor a PE/],
    ['text', new TextEncoder().encode('#!/bin/sh\n'), /neither an ELF nor a PE/],
    ['big-endian', elf({ 5: 2 }), /big-endian/],
    ['a class 3', elf({ 4: 3 }), /class 3/],
    ['ARM', elf({ 18: 183 }), /machine 183/],
    ['a header cut short', elf({}).subarray(0, 40), /ELF header at offset 0x/],
    ['a section table outside the file', elf({ 41: 0x10, 58: 64, 60: 3 }), /section headers .* lie outside/],
    ['a program header of odd size', elf({ 54: 7, 56: 1 }), /program header size 7/],
    ['a DOS program', Uint8Array.from([0x4d, 0x5a, ...new Array<number>(62).fill(0)]), /no PE signature/],
    ['a DOS program cut short', Uint8Array.from([0x4d, 0x5a]), /PE header at offset 0x/],
  ];
  it.each(cases)('%s', (_, bytes, message) => {
    expect(() => openSymbolFile(bytes, { name: 'x' })).toThrow(
      expect.objectContaining({ name: 'SymbolFileError', message: expect.stringMatching(message) }),
    );
  });
});
