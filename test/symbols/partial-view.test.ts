import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { gdbView, partialGdbView } from '../../src/symbols/gdb-view.ts';
import { wholeRange } from '../../src/symbols/loaded-range.ts';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import { openSymbolFile } from '../../src/symbols/open.ts';
import { buildManyFunctions } from './many-functions.ts';
import { buildElf } from './programs.ts';
import { gdb, run, workshop } from './tools.ts';

const shop = workshop();
const BASE = 0x40100000n;

const build = (flags: readonly string[]): string => buildManyFunctions(shop, 'many', ['-Wl,-Ttext-segment=0x40100000', ...flags]);

interface Case {
  readonly name: string;
  readonly flags: readonly string[];
  /** Link range in pages from the base of the text. */
  readonly from: number;
  readonly to: number;
}

const ROUNDS: readonly (readonly [string, readonly string[]])[] = [
  ['-O2', ['-O2', '-g']],
  ['-O0', ['-O0', '-g']],
  ['-O2, one section a function: range lists', ['-O2', '-g', '-ffunction-sections']],
  ['DWARF 4', ['-O2', '-gdwarf-4', '-ffunction-sections']],
  ['DWARF 4 with types apart', ['-O1', '-gdwarf-4', '-fdebug-types-section']],
  ['DWARF 5 with types apart', ['-O1', '-gdwarf-5', '-fdebug-types-section']],
  ['link-time optimization: references between units', ['-O2', '-g', '-flto', '-ffunction-sections']],
  ['64-bit DWARF', ['-O2', '-g', '-gdwarf64']],
  ['without debug information', ['-O2']],
];
const CASES: readonly Case[] = ROUNDS.flatMap(([name, flags]) => [
  { name: `${name}: the first two pages`, flags, from: 0, to: 2 },
  { name: `${name}: the third and fourth page`, flags, from: 2, to: 4 },
]);

const hex = (value: bigint) => `0x${value.toString(16)}`;

describe.each(CASES)('a part of a file, $name', ({ flags, from, to }) => {
  let whole = '';
  let part = '';
  let low = 0n;
  let high = 0n;
  /** Where functions start that reach into the range from below: only the symbol table could name them, and it does not. */
  let begin = 0n;

  beforeAll(() => {
    const number = ROUNDS.findIndex(([, used]) => used === flags);
    whole = shop.path(`whole${number}`);
    if (from === 0) shop.write(`whole${number}`, gdbView(new Uint8Array(readFileSync(build(flags)))));
    const text = loadSymbolFile(whole).sections.find((section) => section.name === '.text')!;
    expect(text.size).toBeGreaterThan(0x4000);
    low = (text.address & ~0xfffn) + BigInt(from * 0x1000);
    high = (text.address & ~0xfffn) + BigInt(to * 0x1000);
    part = shop.write('part', partialGdbView(new Uint8Array(readFileSync(whole)), { low, high }));
    begin = [...symbols(whole).values()].flat().filter((symbol) => symbol.address >= low).reduce((first, { address }) => (address < first ? address : first), high); // prettier-ignore
  });

  const symbols = (path: string) => {
    const found = new Map<string, { address: bigint; line: string }[]>();
    for (const line of run('nm', [path]).trimEnd().split('\n')) {
      const [address, , name] = line.split(' ');
      found.set(name!, [...(found.get(name!) ?? []), { address: BigInt(`0x${address}`), line }]);
    }
    return found;
  };

  it('readelf finds nothing to complain about', () => {
    expect(run('sh', ['-c', 'readelf -aW "$0" 2>&1 >/dev/null', part])).toBe('');
    const complaints = (path: string) =>
      run('sh', ['-c', 'readelf -W --debug-dump=info,abbrev,decodedline,Ranges,frames "$0" 2>&1 >/dev/null', path]);
    // What link-time optimization leaves behind displeases it already in the whole file.
    expect(complaints(whole)).toContain(complaints(part));
  });

  it('has the symbols of the range and no others', () => {
    const expected = [...symbols(whole).values()].flat().filter(({ address }) => address >= low && address < high);
    expect(expected.length).toBeGreaterThan(5);
    expect([...symbols(part).values()].flat().map(({ line }) => line).sort()).toEqual(expected.map(({ line }) => line).sort()); // prettier-ignore
  });

  it('has the code of the range and nothing allocated outside', () => {
    const text = (path: string) => loadSymbolFile(path).sections.find((section) => section.name === '.text')!;
    const [old, cut] = [text(whole), text(part)];
    const start = old.address > low ? old.address : low;
    expect(cut.address).toBe(start);
    expect(cut.bytes).toEqual(old.bytes.slice(Number(start - old.address), Number(high - old.address)));
    for (const { allocated, address, size } of loadSymbolFile(part).sections) {
      if (allocated) expect(address >= low && address + BigInt(size) <= high).toBe(true);
    }
    expect(wholeRange(loadSymbolFile(part))).toEqual({ low, high });
  });

  it('addr2line says the same inside, and nothing outside', () => {
    const addresses: string[] = [];
    for (let at = BASE; at < high + 0x4000n; at += 13n) addresses.push(hex(at));
    const ask = (path: string) => run('addr2line', ['-fiae', path], addresses.join('\n')).split(/^(?=0x)/m).map((text) => text.replace(/ \(discriminator \d+\)/g, '').replace(/\.cold$/gm, '').replace(/^.*:\?$/gm, '??:?')); // prettier-ignore
    const expected = ask(whole);
    const answers = ask(part);
    let compared = 0;
    for (const [i, answer] of answers.entries()) {
      const at = BigInt(addresses[i]!);
      if (at >= begin && at < high) {
        expect(answer).toBe(expected[i]);
        compared++;
      } else if (at < low || at >= high) expect(answer.split('\n').slice(1, 3)).toEqual(['??', '??:0']);
    }
    expect(compared).toBeGreaterThan(500);
  });

  it('gdb breaks only inside, on lines that are the same, and knows no other code', () => {
    const all = [...symbols(whole)].flatMap(([name, [first]]) => (/^(early|middle|late)_\d+$/.test(name) ? [{ name, address: first!.address }] : []));
    const inside = all.filter(({ address }) => address >= low && address < high - 64n);
    const outside = all.filter(({ address }) => address < low || address >= high);
    expect(inside.length).toBeGreaterThan(5);
    expect(outside.length).toBeGreaterThan(5);
    const questions = inside.flatMap(({ name, address }) => [`info line ${name}`, `info symbol ${hex(address + 4n)}`, `break ${name}`]);
    expect(gdb(part, questions)).toBe(gdb(whole, questions));
    const ends = [...outside.slice(0, 3), ...outside.slice(-3)].map(({ address }) => hex(address));
    const unknown = gdb(part, ends.flatMap((at) => [`info symbol ${at}`, `info line *${at}`])); // prettier-ignore
    expect(unknown).toBe(ends.map((at) => `No symbol matches ${at}.\nNo line number information available for address ${at}\n`).join('')); // prettier-ignore
    expect(gdb(part, outside.map(({ name }) => `break ${name}`)).match(/not defined|No symbol table is loaded/g)).toHaveLength(outside.length); // prettier-ignore
  });

  it('every address in the debug information lies in the range', () => {
    const told = run('readelf', ['-W', '--debug-dump=info,Ranges,frames', part]);
    for (const [, at] of told.matchAll(/(?:DW_AT_low_pc +: |pc=)(?:0x)?([0-9a-f]+)/g)) {
      const address = BigInt(`0x${at}`);
      if (address !== 0n) expect(address >= low && address < high, told.split('\n').find((line) => line.includes(at!))).toBe(true); // prettier-ignore
    }
    for (const [line, at] of told.matchAll(/DW_AT_location .*DW_OP_addr: ([0-9a-f]+)\)$/gm)) {
      expect(BigInt(`0x${at}`) >= low && BigInt(`0x${at}`) < high, line).toBe(true);
    }
    expect(openSymbolFile(shop.read('part'), { name: 'part' }).problems).toEqual([]);
  });
});

describe('a part of an assembler unit that begins before it', () => {
  const lines = Array.from({ length: 0x1800 }, (_, i) => (i % 0x400 === 0 ? `\t.globl asm_${i}\nasm_${i}:\tnop` : '\tnop'));
  const source = shop.write('tail.s', `\t.text\n${lines.join('\n')}\n\t.section .note.GNU-stack,"",@progbits\n`);

  it.each(['-gdwarf-5', '-gdwarf-4'])('%s: the same lines inside, none outside', (flag) => {
    const file = buildElf(shop, 'asm', ['-Wl,-Ttext-segment=0x40100000', flag, '-Wl,-e,asm_0'], [source]);
    const text = loadSymbolFile(file).sections.find((section) => section.name === '.text')!;
    const range = { low: text.address + 0x1000n, high: text.address + 0x1400n };
    expect(range.low & 0xfffn).toBe(0n);
    const part = shop.write('asm-part', partialGdbView(shop.read('asm'), range));
    const ask = (path: string, addresses: bigint[]) => run('addr2line', ['-fiae', path], addresses.map(hex).join('\n'));
    const inside = [range.low, range.low + 5n, range.high - 1n];
    expect(ask(part, inside)).toBe(ask(file, inside));
    expect(ask(part, inside)).toMatch(/asm_4096\n.*tail\.s:\d+\n/);
    expect(ask(part, [range.low - 1n, range.high])).not.toMatch(/asm_|tail/);
    expect(gdb(part, ['info line asm_4096', 'break asm_4096'])).toBe(gdb(file, ['info line asm_4096', 'break asm_4096']));
    expect(gdb(part, [`info line *${hex(range.low - 4n)}`, 'break asm_0'])).toMatch(
      /^No line number information.*\n(Function "asm_0"|.*not defined)/,
    );
  });
});
