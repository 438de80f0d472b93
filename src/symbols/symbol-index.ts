import { IntervalIndex } from './interval-index.ts';
import type { LinkBase } from './link-base.ts';
import type { RawSymbol, Section, SymbolAt } from './symbol-file.ts';

/** Symbol table lookups in both directions. Each index is built when first used. */
export class SymbolIndex {
  readonly #symbols: readonly RawSymbol[];
  readonly #sections: readonly Section[];
  readonly #base: LinkBase;
  #byName: ReadonlyMap<string, readonly bigint[]> | undefined;
  #byAddress: IntervalIndex<{ symbol: RawSymbol; size: number }> | undefined;

  constructor(symbols: readonly RawSymbol[], sections: readonly Section[], base: LinkBase) {
    this.#symbols = symbols;
    this.#sections = sections;
    this.#base = base;
  }

  get byName(): ReadonlyMap<string, readonly bigint[]> {
    if (this.#byName !== undefined) return this.#byName;
    const byName = new Map<string, bigint[]>();
    for (const { name, address } of this.#symbols) {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [address]);
      else if (!known.includes(address)) known.push(address);
    }
    return (this.#byName = byName);
  }

  at(address: bigint): SymbolAt | undefined {
    this.#byAddress ??= new IntervalIndex(placed(this.#symbols, this.#sections, this.#base));
    const found = this.#byAddress.find(this.#base.toOffset(address));
    if (found === undefined) return undefined;
    const { symbol, size } = found;
    return { name: symbol.name, address: symbol.address, offset: Number(address - symbol.address), kind: symbol.kind, size };
  }

  functionsNamed(name: string): bigint[] {
    const found = new Set<bigint>();
    if (this.byName.has(name)) for (const symbol of this.#symbols) if (symbol.name === name && this.#isCode(symbol)) found.add(symbol.address);
    return [...found];
  }

  /** COFF types no data symbols: a label is code where its section is. */
  #isCode({ kind, section }: RawSymbol): boolean {
    return kind === 'function' || (kind === 'label' && section !== undefined && this.#sections[section]?.executable === true);
  }
}

interface Placed {
  start: number;
  end: number;
  value: { symbol: RawSymbol; size: number };
}

/** Gives each symbol its extent; of several at one address the best name wins. */
function placed(symbols: readonly RawSymbol[], sections: readonly Section[], base: LinkBase): Placed[] {
  const usable = symbols.filter((symbol) => symbol.section !== undefined && sections[symbol.section]?.allocated && !isAssemblerLocal(symbol.name));
  const keyed = usable.map((symbol) => ({ symbol, start: base.toOffset(symbol.address), rank: rank(symbol) }));
  keyed.sort((a, b) => a.start - b.start || b.rank - a.rank);
  const best = keyed.filter((entry, i) => i === 0 || keyed[i - 1]!.start !== entry.start);
  return best.map(({ symbol, start }, i) => {
    const section = sections[symbol.section!]!;
    const sectionEnd = base.toOffset(section.address) + section.size;
    const next = best[i + 1]?.start ?? Infinity;
    // A symbol may stand exactly at its section's end (linker script marks); it then names nothing but that one address.
    const end = symbol.size > 0 ? start + symbol.size : Math.max(Math.min(next, sectionEnd), start);
    return { start, end, value: { symbol, size: end - start } };
  });
}

function rank(symbol: RawSymbol): number {
  const kind = symbol.kind === 'function' ? 8 : symbol.kind === 'object' ? 4 : 0;
  return kind + (symbol.size > 0 ? 2 : 0) + (symbol.global ? 1 : 0);
}

/** `.L5` and the like are the compiler's own labels; tools hide them (gas manual, "Local Symbol Names"). */
function isAssemblerLocal(name: string): boolean {
  return name === '' || name.startsWith('.L');
}
