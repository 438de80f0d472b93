import type { InlineFrame, SymbolFile } from '../../src/symbols/symbol-file.ts';
import { CODE } from '../support/bare-machine.ts';

/** Places in code, by name; `emit` appends bytes, `call` and the like take the name of a function or label. */
export class Asm {
  readonly bytes: number[] = [];
  readonly labels = new Map<string, number>();
  readonly #fixups: { at: number; target: string; relative: boolean }[] = [];

  emit(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }
  label(name: string): this {
    this.labels.set(name, this.bytes.length);
    return this;
  }
  #to(opcode: number[], target: string, relative: boolean): this {
    this.emit(...opcode);
    this.#fixups.push({ at: this.bytes.length, target, relative });
    return this.emit(0, 0, 0, 0);
  }
  call = (target: string): this => this.#to([0xe8], target, true);
  jmp = (target: string): this => this.#to([0xe9], target, true);
  jnz = (target: string): this => this.#to([0x0f, 0x85], target, true);
  /** mov eax, imm32 */
  movEax = (target: string): this => this.#to([0xb8], target, false);
  ret = (): this => this.emit(0xc3);
  hlt = (): this => this.emit(0xf4);

  resolve(base: number): void {
    for (const { at, target, relative } of this.#fixups) {
      const place = this.labels.get(target);
      if (place === undefined) throw new Error(`no label ${target}`);
      const value = relative ? place - (at + 4) : base + place;
      for (let n = 0; n < 4; n++) this.bytes[at + n] = (value >> (n * 8)) & 0xff;
    }
  }
}

export interface ToyFunction {
  readonly name: string;
  readonly body: (asm: Asm) => void;
  /** Calls inlined into it, outermost first: from one label to another. */
  readonly inlined?: readonly { readonly name: string; readonly from: string; readonly to: string }[];
}

export interface ToyProgram {
  readonly bytes: Uint8Array;
  readonly file: SymbolFile;
  readonly addressOf: (name: string) => bigint;
}

/** Code at CODE with a symbol file that knows it: each function is one line of `toy.c`, in their order. */
export function toyProgram(functions: readonly ToyFunction[]): ToyProgram {
  const asm = new Asm();
  const extents = functions.map(({ name, body, inlined }, n) => {
    while (asm.bytes.length % 32 !== 0) asm.emit(0x60 + (asm.bytes.length % 7)); // never executed; makes the page recognisable
    const start = asm.bytes.length;
    asm.label(name);
    body(asm);
    return { name, start, end: asm.bytes.length, line: (n + 1) * 10, inlined: inlined ?? [] };
  });
  asm.resolve(CODE);
  const bytes = Uint8Array.from(asm.bytes);
  const at = (address: bigint) => extents.find((e) => Number(address) - CODE >= e.start && Number(address) - CODE < e.end);
  const inlineChainAt = (address: bigint): InlineFrame[] => {
    const around = at(address);
    if (!around) return [];
    const offset = Number(address) - CODE;
    const inside = around.inlined.filter((i) => offset >= asm.labels.get(i.from)! && offset < asm.labels.get(i.to)!);
    const chain = [around.name, ...inside.map((i) => i.name)].map((name, n) => ({ name, file: '/toy.c', shortFile: 'toy.c', line: around.line + n }));
    return chain.reverse();
  };
  const section = {
    index: 1,
    name: '.text',
    address: BigInt(CODE),
    size: bytes.length,
    bytes,
    fileOffset: 0,
    allocated: true,
    executable: true,
    writable: false,
  };
  const file: SymbolFile = {
    name: 'toy.elf',
    path: undefined,
    format: 'elf64',
    codeBits: 64,
    entry: BigInt(CODE),
    imageBase: BigInt(CODE),
    sections: [section],
    relocationSites: [],
    hasDebugInformation: true,
    problems: [],
    symbols: () => new Map(extents.map((e) => [e.name, [BigInt(CODE + e.start)]])),
    symbolAt: (address) => {
      const e = at(address);
      return (
        e && { name: e.name, address: BigInt(CODE + e.start), offset: Number(address) - CODE - e.start, kind: 'function', size: e.end - e.start }
      );
    },
    lineAt: (address) => inlineChainAt(address)[0] as { file: string; shortFile: string; line: number } | undefined,
    inlineChainAt,
    findFunction: (name) => extents.filter((e) => e.name === name).map((e) => BigInt(CODE + e.start)),
    addressesOfLine: () => [],
  };
  return { bytes, file, addressOf: (name) => BigInt(CODE + asm.labels.get(name)!) };
}
