import { readFileSync } from 'node:fs';
import type { LoadedLibrary } from '../gdbstub/target.ts';
import type { SymbolFileContent, SymbolServer } from '../gdbstub/machine/symbol-server.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import { peekTranslate } from '../machine/cpu/mmu/walk.ts';
import type { Machine } from '../machine/machine.ts';
import { PAGE_SIZE } from '../machine/memory/layout.ts';
import { gdbView, partialGdbView } from '../symbols/gdb-view.ts';
import { covers, inRange, join, touch } from '../symbols/link-range.ts';
import type { LinkRange } from '../symbols/link-range.ts';
import { loadedRange, wholeRange } from '../symbols/loaded-range.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { Symbolizer } from '../symbols/symbolizer.ts';

/** A file where it runs: `bias` is run address minus link address, `range` what of it is there. */
export interface Placed {
  readonly file: SymbolFile;
  readonly bias: bigint;
  readonly range: LinkRange;
}

/**
 * Knows which files run where, from the identity of the pages that are executed. A file seen at an address not seen before
 * stops the machine for the debugger, which re-reads the library list.
 */
export class RunSymbols implements SymbolServer {
  readonly symbolizer: Symbolizer;
  readonly program: SymbolFile | undefined;
  /** Called when a file was found at a new place, before its first instruction there executes. */
  onPlaced: (placed: Placed) => void = () => {};
  readonly #machine: Machine;
  #placed: readonly Placed[] = [];
  /** By the name that gdb knows. */
  readonly #views = new Map<string, Uint8Array>();
  readonly #generations = new Map<number, number>();
  readonly #files: readonly SymbolFile[];

  constructor(machine: Machine, files: readonly SymbolFile[]) {
    this.#machine = machine;
    this.#files = files;
    this.symbolizer = new Symbolizer({
      read: (page) => machine.memory.peek(page * PAGE_SIZE, PAGE_SIZE),
      generation: (page) => this.#generations.get(page) ?? 0,
    });
    for (const file of files) this.symbolizer.addFile(file);
    // The hypervisor is the program: of several ELF files the one with the most code.
    this.program = files.filter((f) => f.format !== 'pe32+').sort((a, b) => codeSize(b) - codeSize(a))[0];
    if (files.length > 0) machine.observe({ codePage: (cpu, page, linear) => this.#seen(cpu, page, linear) });
  }

  placed(): readonly Placed[] {
    return this.#placed;
  }

  execFile(): SymbolFileContent | undefined {
    const { program } = this;
    return program && new Served(nameOf(program), () => this.#view(program));
  }

  libraries(): readonly (LoadedLibrary & SymbolFileContent)[] {
    return this.#placed.filter((p) => !this.#isProgram(p)).map((p) => this.#library(p));
  }

  /** Run addresses of a symbol that are known so far: where its file was seen, and the program's link addresses. */
  addressesOf(symbol: string): bigint[] {
    const places: Placed[] = [...this.#placed];
    const { program } = this;
    if (program && !places.some((p) => this.#isProgram(p))) places.push({ file: program, bias: 0n, range: wholeRange(program) });
    const found = places.flatMap(({ file, bias, range }) =>
      lookUp(file, symbol)
        .filter((address) => inRange(range, address))
        .map((address) => BigInt.asUintN(64, address + bias)),
    );
    return [...new Set(found)];
  }

  /** Every name that starts or ends a suggestion with. */
  knows(symbol: string): boolean {
    return this.#files.some((f) => lookUp(f, symbol).length > 0);
  }
  names(): string[] {
    return this.#files.flatMap((f) => [...f.symbols().keys()]);
  }

  /** After a system reset nothing is known to run anywhere. */
  clear(): void {
    this.#placed = [];
  }

  #seen(cpu: Cpu, page: number, linear: bigint): void {
    const number = page / PAGE_SIZE;
    this.#generations.set(number, (this.#generations.get(number) ?? 0) + 1);
    const location = this.symbolizer.locate(page);
    if (!location) return;
    const { file, linkAddress } = location;
    const bias = (linear & ~0xfffn) - linkAddress;
    const here = this.#placed.filter((p) => p.file === file && p.bias === bias);
    if (here.some(({ range }) => inRange(range, linkAddress))) return;
    // More of the file than was there at first: the placement grows.
    let range = this.#rangeAround(cpu, file, bias, linkAddress);
    const joined = here.filter((p) => touch(p.range, range));
    for (const p of joined) range = join(range, p.range);
    const placed = { file, bias, range };
    this.#placed = [...this.#placed.filter((p) => !joined.includes(p)), placed];
    this.onPlaced(placed);
    this.#machine.stopForImage(cpu.index);
  }

  /** A PE image is always loaded whole, and the program at its link address is what gdb is told in any case. */
  #rangeAround(cpu: Cpu, file: SymbolFile, bias: bigint, linkPage: bigint): LinkRange {
    if (file.format === 'pe32+' || (file === this.program && bias === 0n)) return wholeRange(file);
    const read = (at: bigint): Uint8Array | undefined => {
      const physical = peekTranslate(cpu, BigInt.asUintN(64, at + bias));
      return physical === undefined ? undefined : this.#machine.memory.peek(physical, PAGE_SIZE);
    };
    return this.#apartFromProgram(loadedRange(file, linkPage, read), bias, linkPage);
  }

  /** Where a copy that lies below the program would reach into it (a large .bss does), the program is believed. */
  #apartFromProgram({ low, high }: LinkRange, bias: bigint, linkPage: bigint): LinkRange {
    const { program } = this;
    const limit = program === undefined ? high : wholeRange(program).low - bias;
    return { low, high: limit > linkPage && limit < high ? limit : high };
  }

  #isProgram({ file, bias }: Placed): boolean {
    return file === this.program && bias === 0n;
  }

  /** A file of which a part is in memory is one of its own for gdb, with a name that says where it is: `bitvisor.elf@0x3ff5d000-0x3ff6c000`. */
  #library({ file, bias, range }: Placed): Served {
    const runs = (address: bigint): bigint => BigInt.asUintN(64, address + bias);
    if (covers(range, wholeRange(file))) return new Served(nameOf(file), () => this.#view(file), [runs(firstAddress(file))]);
    const name = `${nameOf(file)}@0x${runs(range.low).toString(16)}-0x${runs(range.high).toString(16)}`;
    return new Served(name, () => this.#partialView(name, file, range), [runs(range.low)]);
  }

  #view(file: SymbolFile): Uint8Array {
    let view = this.#views.get(nameOf(file));
    if (!view) this.#views.set(nameOf(file), (view = gdbView(readFileSync(file.path!))));
    return view;
  }

  #partialView(name: string, file: SymbolFile, range: LinkRange): Uint8Array {
    let view = this.#views.get(name);
    if (!view) this.#views.set(name, (view = partialGdbView(this.#view(file), range)));
    return view;
  }
}

/** A file that gdb may read; what it gets is made when it does. */
class Served implements LoadedLibrary, SymbolFileContent {
  readonly name: string;
  readonly segments: readonly bigint[];
  readonly #make: () => Uint8Array;

  constructor(name: string, make: () => Uint8Array, segments: readonly bigint[] = []) {
    this.name = name;
    this.segments = segments;
    this.#make = make;
  }

  get bytes(): Uint8Array {
    return this.#make();
  }
}

const nameOf = (file: SymbolFile): string => file.path ?? file.name;

const codeSize = (f: SymbolFile): number => f.sections.reduce((n, s) => n + (s.executable ? s.size : 0), 0);

/** What a library's segment address refers to: the first loadable segment (ELF), the lowest section (PE). */
function firstAddress(file: SymbolFile): bigint {
  if (file.format !== 'pe32+') return file.imageBase;
  return file.sections.filter((s) => s.allocated).reduce((low, s) => (s.address < low ? s.address : low), 1n << 64n);
}

function lookUp(file: SymbolFile, symbol: string): readonly bigint[] {
  const functions = file.findFunction(symbol);
  return functions.length > 0 ? functions : (file.symbols().get(symbol) ?? []);
}
