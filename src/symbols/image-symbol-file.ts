import { Dwarf } from './dwarf/dwarf.ts';
import { dwarfContext } from './dwarf/sections.ts';
import { WorkBudget } from './dwarf/work-budget.ts';
import { SymbolFileError } from './errors.ts';
import { LinkBase } from './link-base.ts';
import { SymbolIndex } from './symbol-index.ts';
import type { InlineFrame, RawSymbol, RelocationSite, Section, SourceLine, SymbolAt, SymbolFile } from './symbol-file.ts';

export interface OpenOptions {
  readonly name: string;
  readonly path?: string;
  /** Unpacks zlib data of a known size, for compressed debug sections. The readers themselves import nothing of the host. */
  readonly inflate?: (packed: Uint8Array, size: number) => Uint8Array;
}

/** What the ELF and PE readers find in a file. */
export interface ImageContents {
  readonly format: SymbolFile['format'];
  readonly codeBits: 32 | 64;
  readonly entry: bigint;
  readonly imageBase: bigint;
  /** In order of index: a symbol's section is `sections[index]`. */
  readonly sections: readonly (Section & { readonly compressed: boolean })[];
  readonly relocationSites: readonly RelocationSite[];
  readonly symbols: readonly RawSymbol[];
}

const MOST_PROBLEMS = 100;

/** A symbol file made of sections, a symbol table and DWARF, whichever format these came in. */
export class ImageSymbolFile implements SymbolFile {
  readonly name: string;
  readonly path: string | undefined;
  readonly format: SymbolFile['format'];
  readonly codeBits: 32 | 64;
  readonly entry: bigint;
  readonly imageBase: bigint;
  readonly sections: readonly Section[];
  readonly relocationSites: readonly RelocationSite[];
  readonly hasDebugInformation: boolean;
  readonly #problems: SymbolFileError[] = [];
  readonly #base: LinkBase;
  readonly #symbols: SymbolIndex;
  readonly #dwarf: Dwarf;

  constructor(contents: ImageContents, options: OpenOptions) {
    this.name = options.name;
    this.path = options.path;
    this.format = contents.format;
    this.codeBits = contents.codeBits;
    this.entry = contents.entry;
    this.imageBase = contents.imageBase;
    this.sections = contents.sections;
    this.relocationSites = contents.relocationSites;
    this.#base = new LinkBase(lowestCode(contents.sections));
    this.#symbols = new SymbolIndex(contents.symbols, contents.sections, this.#base);
    const find = (name: string) => {
      const section = contents.sections.find((candidate) => candidate.name === name);
      return section?.compressed ? this.#unpack(section, options) : section?.bytes;
    };
    const context = dwarfContext(find, this.#base, (size) => new WorkBudget(size));
    this.hasDebugInformation = context.section.info.length > 0;
    this.#dwarf = new Dwarf(context, (problem) => this.#note(problem));
  }

  get problems(): readonly SymbolFileError[] {
    return this.#problems;
  }

  symbols(): ReadonlyMap<string, readonly bigint[]> {
    return this.#symbols.byName;
  }

  symbolAt(address: bigint): SymbolAt | undefined {
    return this.#symbols.at(address);
  }

  lineAt(address: bigint): SourceLine | undefined {
    return this.#dwarf.lineAt(this.#base.toOffset(address));
  }

  inlineChainAt(address: bigint): readonly InlineFrame[] {
    const chain = this.#dwarf.chainAt(this.#base.toOffset(address));
    if (chain.length > 0) return chain;
    // Assembly has lines but no functions.
    const symbol = this.symbolAt(address);
    return symbol === undefined ? [] : [{ name: symbol.name, ...this.lineAt(address) }];
  }

  findFunction(name: string): readonly bigint[] {
    const entries = new Set(this.#symbols.functionsNamed(name));
    for (const offset of this.#dwarf.functionsNamed(name)) entries.add(this.#base.toAddress(offset));
    return [...entries].sort((a, b) => (a < b ? -1 : 1));
  }

  addressesOfLine(file: string, line: number): readonly bigint[] {
    return this.#dwarf.addressesOfLine(file, line).map((offset) => this.#base.toAddress(offset));
  }

  #note(problem: SymbolFileError): void {
    if (this.#problems.length < MOST_PROBLEMS && !this.#problems.some((known) => known.message === problem.message)) this.#problems.push(problem);
  }

  /** gABI 4.1 chapter 4, "Section Compression". */
  #unpack(section: Section, { inflate }: OpenOptions): Uint8Array | undefined {
    const wide = this.format === 'elf64';
    const header = wide ? 24 : 12;
    const view = new DataView(section.bytes.buffer, section.bytes.byteOffset, section.bytes.byteLength);
    try {
      if (section.bytes.length < header) throw new SymbolFileError('compressed section is shorter than its header', section.name);
      const type = view.getUint32(0, true);
      const size = view.getUint32(wide ? 8 : 4, true);
      if (type !== 1 || inflate === undefined) {
        throw new SymbolFileError(`compression ${type} is not read: run objcopy --decompress-debug-sections`, section.name);
      }
      // Deflate cannot pack better than 1032 to 1; a greater claim is damage, and nothing is allocated for it.
      if (size > section.bytes.length * 1032) throw new SymbolFileError(`claims to unpack to ${size} bytes`, section.name);
      return inflate(section.bytes.subarray(header), size);
    } catch (error) {
      this.#note(error instanceof SymbolFileError ? error : new SymbolFileError(`does not unpack: ${String(error)}`, section.name));
      return undefined;
    }
  }
}

function lowestCode(sections: readonly Section[]): bigint {
  const code = sections.filter((section) => section.executable && section.size > 0);
  const candidates = code.length > 0 ? code : sections.filter((section) => section.allocated && section.size > 0);
  return candidates.reduce((lowest, { address }) => (address < lowest ? address : lowest), candidates[0]?.address ?? 0n);
}
