import { readFileSync } from 'node:fs';
import type { LoadedLibrary } from '../gdbstub/target.ts';
import type { SymbolFileContent, SymbolServer } from '../gdbstub/machine/symbol-server.ts';
import type { Machine } from '../machine/machine.ts';
import { PAGE_SIZE } from '../machine/memory/layout.ts';
import { gdbView } from '../symbols/gdb-view.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { Symbolizer } from '../symbols/symbolizer.ts';

/** A file where it runs: `bias` is run address minus link address. */
export interface Placed {
  readonly file: SymbolFile;
  readonly bias: bigint;
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
  readonly #placed: Placed[] = [];
  readonly #views = new Map<SymbolFile, Uint8Array>();
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
    if (files.length > 0) machine.observe({ codePage: (cpu, page, linear) => this.#seen(cpu.index, page, linear) });
  }

  placed(): readonly Placed[] {
    return this.#placed;
  }

  execFile(): SymbolFileContent | undefined {
    return this.program && { name: this.#name(this.program), bytes: this.#view(this.program) };
  }

  libraries(): readonly (LoadedLibrary & SymbolFileContent)[] {
    return this.#placed
      .filter((p) => !(p.file === this.program && p.bias === 0n))
      .map(({ file, bias }) => ({ name: this.#name(file), bytes: this.#view(file), segments: [BigInt.asUintN(64, firstAddress(file) + bias)] }));
  }

  /** Run addresses of a symbol that are known so far: where its file was seen, and the program's link addresses. */
  addressesOf(symbol: string): bigint[] {
    const places: Placed[] = [...this.#placed];
    if (this.program && !places.some((p) => p.file === this.program && p.bias === 0n)) places.push({ file: this.program, bias: 0n });
    const found = places.flatMap(({ file, bias }) => lookUp(file, symbol).map((a) => BigInt.asUintN(64, a + bias)));
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
    this.#placed.length = 0;
  }

  #seen(cpu: number, page: number, linear: bigint): void {
    const number = page / PAGE_SIZE;
    this.#generations.set(number, (this.#generations.get(number) ?? 0) + 1);
    const location = this.symbolizer.locate(page);
    if (!location) return;
    const bias = (linear & ~0xfffn) - location.linkAddress;
    if (this.#placed.some((p) => p.file === location.file && p.bias === bias)) return;
    const placed = { file: location.file, bias };
    this.#placed.push(placed);
    this.onPlaced(placed);
    this.#machine.stopForImage(cpu);
  }

  #name(file: SymbolFile): string {
    return file.path ?? file.name;
  }

  /** What gdb is given of a file; made when gdb first asks. */
  #view(file: SymbolFile): Uint8Array {
    let view = this.#views.get(file);
    if (!view) this.#views.set(file, (view = gdbView(readFileSync(file.path!))));
    return view;
  }
}

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
