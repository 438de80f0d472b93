import { describe, expect, it } from 'vitest';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import type { SymbolFile } from '../../src/symbols/symbol-file.ts';
import { buildElf, buildPe } from './programs.ts';
import { run, workshop } from './tools.ts';

const shop = workshop();

/** Each address inside a function that the symbol table gives a size: between functions addr2line guesses, and so do not we. */
function addressesOfFunctions(path: string): bigint[] {
  const addresses: bigint[] = [];
  for (const line of run('nm', ['-S', '--defined-only', path]).split('\n')) {
    const match = /^([0-9a-f]+) ([0-9a-f]+) [tT] /.exec(line);
    if (match === null) continue;
    for (let at = BigInt(`0x${match[1]}`), end = at + BigInt(`0x${match[2]}`); at < end; at++) addresses.push(at);
  }
  return addresses;
}

/** `name file:line < caller file:line ...`, paths without "..", innermost first. */
function addr2line(tool: string, path: string, addresses: readonly bigint[]): string[] {
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const blocks = run(tool, ['-f', '-i', '-a', '-e', path], input).split(/^0x[0-9a-f]+\n/m);
  return blocks.slice(1).map((block) => {
    const lines = block.trim().split('\n');
    const frames: string[] = [];
    for (let i = 0; i < lines.length; i += 2)
      frames.push(`${lines[i]} ${lines[i + 1]!.replace(/ \(discriminator \d+\)$/, '').replace(/\/vt\/\.\.\//, '/')}`);
    return frames.join(' < ');
  });
}

function ours(file: SymbolFile, address: bigint): string {
  const frames = file.inlineChainAt(address).map(({ name, file: path, line }) => `${name} ${path ?? '??'}:${line ?? '?'}`);
  return frames.join(' < ');
}

describe('inline chains are those of addr2line -f -i at every byte of every function', () => {
  const cases: [name: string, flags: string[]][] = [
    ['dwarf4-O2', ['-gdwarf-4', '-O2']],
    ['dwarf5-O2', ['-gdwarf-5', '-O2']],
    ['dwarf4-O0', ['-gdwarf-4', '-O0']],
    ['dwarf4-Os-sections', ['-gdwarf-4', '-Os', '-ffunction-sections']],
    ['dwarf5-O3-sections', ['-gdwarf-5', '-O3', '-ffunction-sections']],
    ['dwarf5-high-half', ['-gdwarf-5', '-O2', '-mcmodel=kernel', '-Wl,-Ttext-segment=0xffffffff81000000']],
    ['dwarf4-high-half', ['-gdwarf-4', '-O2', '-mcmodel=kernel', '-Wl,-Ttext-segment=0xffffffff81000000']],
    ['dwarf5-compressed', ['-gdwarf-5', '-O2', '-gz=zlib']],
    ['dwarf5-static-pie', ['-gdwarf-5', '-O2', '-static-pie', '-fpie']],
  ];
  it.each(cases)('%s', (name, flags) => {
    const path = buildElf(shop, name, flags);
    const file = loadSymbolFile(path);
    const addresses = addressesOfFunctions(path);
    expect(addresses.length).toBeGreaterThan(500);
    const answers = addr2line('addr2line', path, addresses);
    const differences = addresses
      .map((address, i) => ({ address, ours: ours(file, address), theirs: answers[i] }))
      .filter((one) => one.ours !== one.theirs);
    expect(differences.slice(0, 5)).toEqual([]);
    expect(file.problems).toEqual([]);
  });

  it('64-bit DWARF format, which addr2line 2.40 does not read, says the same as the 32-bit one', () => {
    const usual = loadSymbolFile(buildElf(shop, 'format32', ['-gdwarf-5', '-O2']));
    const path = buildElf(shop, 'format64', ['-gdwarf-5', '-gdwarf64', '-O2']);
    const wide = loadSymbolFile(path);
    const addresses = addressesOfFunctions(path);
    expect(addresses.map((address) => ours(wide, address))).toEqual(addresses.map((address) => ours(usual, address)));
    expect(ours(wide, wide.entry)).toContain('main.c');
  });

  it('PE32+ of mingw', () => {
    const path = buildPe(shop, 'pe.efi', ['-g', '-O2']);
    const file = loadSymbolFile(path);
    const functions = ['vmm_main', 'vm_run', 'vm_stop', 'vmm_panic', 'slow_path'].map((name) => file.symbolAt(file.symbols().get(name)![0]!)!);
    const addresses = functions.flatMap(({ address }) => Array.from({ length: 32 }, (_, i) => address + BigInt(i)));
    const inside = addresses.filter((address) => file.lineAt(address) !== undefined);
    expect(inside.length).toBeGreaterThan(100);
    // mingw's addr2line finds no function name in a cold part that lies apart: its lines still count.
    const answers = addr2line('x86_64-w64-mingw32-addr2line', path, inside);
    for (const [i, address] of inside.entries()) expect(ours(file, address).replace(/^\S+ /, '')).toBe(answers[i]!.replace(/^\S+ /, ''));
  });
});
