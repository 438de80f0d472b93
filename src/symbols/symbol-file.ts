import type { SymbolFileError } from './errors.ts';

/** What every reader of symbols offers, whatever the file's format. All addresses are link-time addresses, before any load bias. */
export interface SymbolFile {
  readonly name: string;
  readonly path: string | undefined;
  readonly format: 'elf64' | 'elf32' | 'pe32+';
  /** How its code decodes: BitVisor's ELF32 holds 64-bit code. */
  readonly codeBits: 32 | 64;
  readonly entry: bigint;
  /** PE: ImageBase. ELF: the page of the lowest loadable segment. */
  readonly imageBase: bigint;
  readonly sections: readonly Section[];
  /** Bytes that a loader changes when it moves the image, so that they cannot identify it. */
  readonly relocationSites: readonly RelocationSite[];
  readonly hasDebugInformation: boolean;
  /** Damage met so far in lazily read debug information. Lookups never throw; what they could not read is listed here. */
  readonly problems: readonly SymbolFileError[];

  symbols(): ReadonlyMap<string, readonly bigint[]>;
  symbolAt(address: bigint): SymbolAt | undefined;
  lineAt(address: bigint): SourceLine | undefined;
  /** The function at an address and the calls inlined around it, innermost first. Each frame's line is where it is at that address. */
  inlineChainAt(address: bigint): readonly InlineFrame[];
  /** Entry addresses of a function: its own code and every inlined copy, as gdb's `break NAME` finds them. */
  findFunction(name: string): readonly bigint[];
  /** Where the code of a source line starts. `file` is a whole path or its last components. */
  addressesOfLine(file: string, line: number): readonly bigint[];
}

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly address: bigint;
  /** Size in memory. */
  readonly size: number;
  /** The bytes the file has for it: none for .bss, fewer than `size` where the rest is zero-filled. */
  readonly bytes: Uint8Array;
  readonly fileOffset: number;
  readonly allocated: boolean;
  readonly executable: boolean;
  readonly writable: boolean;
}

export interface RelocationSite {
  readonly address: bigint;
  readonly size: number;
}

export interface SymbolAt {
  readonly name: string;
  readonly address: bigint;
  readonly offset: number;
  readonly kind: RawSymbol['kind'];
  /** Size of the symbol; where the file records none, the distance to the next symbol or the section's end. */
  readonly size: number;
}

export interface SourceLine {
  /** Absolute where the compiler recorded its directory. */
  readonly file: string;
  /** `file` relative to the compilation directory, for display. */
  readonly shortFile: string;
  readonly line: number;
}

export interface InlineFrame extends Partial<SourceLine> {
  readonly name: string;
}

/** One row of a symbol table, ELF or COFF. */
export interface RawSymbol {
  readonly name: string;
  readonly address: bigint;
  /** 0 when the table records none. */
  readonly size: number;
  readonly kind: 'function' | 'object' | 'label';
  readonly global: boolean;
  /** Index into `sections`, undefined for absolute symbols. */
  readonly section: number | undefined;
}
