import { beforeEach, describe, expect, it } from 'vitest';
import { RunSymbols } from '../../src/cli/run-symbols.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import { wholeRange } from '../../src/symbols/loaded-range.ts';
import { openSymbolFile } from '../../src/symbols/open.ts';
import { bareMachine } from '../support/bare-machine.ts';
import { buildManyFunctions } from './many-functions.ts';
import { workshop } from './tools.ts';

const PAGE = 0x1000;
const shop = workshop();
const path = buildManyFunctions(shop, 'vmm.elf', ['-O2', '-g', '-Wl,-Ttext-segment=0x400000']);
const file = loadSymbolFile(path);
const whole = wholeRange(file);
const text = file.sections.find((section) => section.name === '.text')!;
const textPage = text.address & ~0xfffn;

describe('where gdb is told that a file runs', () => {
  let machine: Machine;
  let symbols: RunSymbols;
  let stops: number;

  beforeEach(() => {
    machine = bareMachine();
    symbols = new RunSymbols(machine, [file]);
    stops = 0;
    symbols.onPlaced = () => void stops++;
  });

  /** Writes the pages of the file from one link address to another to where they are at a bias, as a loader does. */
  const load = (bias: bigint, from = whole.low, to = whole.high) => {
    for (const { allocated, address, bytes } of file.sections) {
      if (!allocated) continue;
      for (const [i, byte] of bytes.entries()) {
        const at = address + BigInt(i);
        if (at >= from && at < to) poke(at + bias, byte);
      }
    }
  };
  const poke = (at: bigint, byte: number) => machine.memory.poke(Number(at), Uint8Array.of(byte));
  const execute = (address: bigint) => {
    machine.cpus[0]!.rip = address;
    machine.step(0);
  };
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  const library = (low: bigint, high: bigint) => ({ name: `${path}@${hex(low)}-${hex(high)}`, segments: [low] });
  const libraries = () => symbols.libraries().map(({ name, segments }) => ({ name, segments }));

  const BIAS = 0x40_0000n;
  const page = (number: number) => textPage + BigInt(number * PAGE);
  /** The first function in a page. */
  const functions = [...file.symbols()].flatMap(([name, [address]]) => (/^(early|middle|late)_\d+$/.test(name) ? [address!] : []));
  const inPage = (number: number) => functions.filter((a) => a >= page(number) && a < page(number + 1)).reduce((a, b) => (a < b ? a : b));

  it('the whole file: by its own name', () => {
    load(BIAS);
    execute(inPage(1) + BIAS);
    expect(libraries()).toEqual([{ name: path, segments: [file.imageBase + BIAS] }]);
    expect(symbols.libraries()[0]!.bytes).toBe(symbols.execFile()!.bytes);
    expect(stops).toBe(1);
  });

  it('the program at its link address: no library', () => {
    load(0n);
    execute(inPage(1));
    expect(libraries()).toEqual([]);
    expect(symbols.placed()).toEqual([{ file, bias: 0n, range: whole }]);
  });

  it('its first pages: as far as they go, with the symbols that are there', () => {
    load(BIAS, whole.low, page(2));
    execute(inPage(0) + BIAS);
    expect(libraries()).toEqual([library(whole.low + BIAS, page(2) + BIAS)]);
    const view = openSymbolFile(symbols.libraries()[0]!.bytes, { name: 'view' });
    const there = [...file.symbols().values()].flat().filter((address) => address >= whole.low && address < page(2));
    // And the names of VMX instructions.
    expect(new Set([...view.symbols().values()].flat())).toEqual(new Set([...there, ...vmxIn(view)]));
    const named = (test: (address: bigint) => boolean) =>
      [...file.symbols()].find(([, [address]]) => functions.includes(address!) && test(address!))!;
    const [there0, [address0]] = named((address) => address < page(2));
    const [elsewhere, [address1]] = named((address) => address >= page(2));
    expect(symbols.addressesOf(there0)).toEqual([address0! + BIAS, address0]);
    expect(symbols.addressesOf(elsewhere)).toEqual([address1]);
    execute(inPage(1) + BIAS);
    expect(stops).toBe(1);
  });

  it('when more is loaded later, the library gives way to a larger one', () => {
    load(BIAS, whole.low, page(2));
    execute(inPage(0) + BIAS);
    load(BIAS, page(2), page(4));
    execute(inPage(1) + BIAS);
    expect(libraries()).toEqual([library(whole.low + BIAS, page(2) + BIAS)]);
    execute(inPage(3) + BIAS);
    expect(libraries()).toEqual([library(whole.low + BIAS, page(4) + BIAS)]);
    load(BIAS);
    execute(inPage(4) + BIAS);
    expect(libraries()).toEqual([{ name: path, segments: [file.imageBase + BIAS] }]);
    expect(stops).toBe(3);
  });

  it('parts with something else between them: two libraries', () => {
    load(BIAS);
    for (let i = 0; i < PAGE; i++) poke(page(2) + BIAS + BigInt(i), (i * 7) & 0xff);
    execute(inPage(1) + BIAS);
    execute(inPage(3) + BIAS);
    expect(libraries()).toEqual([library(whole.low + BIAS, page(2) + BIAS), library(page(3) + BIAS, whole.high + BIAS)]);
  });

  it('pages in the middle', () => {
    load(BIAS, page(1), page(3));
    execute(inPage(2) + BIAS);
    expect(libraries()).toEqual([library(page(1) + BIAS, page(3) + BIAS)]);
  });

  it('a copy whose variables would reach into the program ends before it', () => {
    const bias = -((whole.high - whole.low) & ~0xfffn);
    load(bias);
    execute(inPage(1) + bias);
    expect(whole.high + bias > whole.low).toBe(true);
    expect(libraries()).toEqual([library(whole.low + bias, whole.low)]);
  });

  it('after a reset nothing runs anywhere', () => {
    load(BIAS);
    execute(inPage(1) + BIAS);
    symbols.clear();
    expect(libraries()).toEqual([]);
  });
});

function vmxIn(view: ReturnType<typeof openSymbolFile>): bigint[] {
  return ['vmcall', 'vmlaunch'].flatMap((name) => view.symbols().get(name) ?? []);
}
