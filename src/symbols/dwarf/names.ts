import * as dw from './constants.ts';
import type { AttributeValue, Attributes, Entry, Unit } from './unit.ts';

export interface FunctionNames {
  /** As in the source. */
  readonly name: string;
  /** As the linker sees it, where that differs (C++, Rust). */
  readonly linkageName: string | undefined;
}

const WANTED: ReadonlySet<number> = new Set([
  dw.DW_AT_name,
  dw.DW_AT_linkage_name,
  dw.DW_AT_MIPS_linkage_name,
  dw.DW_AT_abstract_origin,
  dw.DW_AT_specification,
]);

/** Resolves the names of entries, following an instance to its abstract origin and a definition to its declaration. */
export class NameResolver {
  readonly #unitHolding: (offset: number) => Unit | undefined;
  readonly #cache = new Map<number, FunctionNames>();

  constructor(unitHolding: (offset: number) => Unit | undefined) {
    this.#unitHolding = unitHolding;
  }

  namesOf(entry: number): FunctionNames {
    let names = this.#cache.get(entry);
    if (names === undefined) this.#cache.set(entry, (names = this.#read(entry)));
    return names;
  }

  #read(entry: number): FunctionNames {
    let name: string | undefined;
    let linkageName: string | undefined;
    let at: number | undefined = entry;
    // Instance, abstract instance, declaration: three steps in practice. The bound stops a damaged file's circle.
    for (let steps = 0; at !== undefined && steps < 8 && name === undefined; steps++) {
      const unit: Unit | undefined = this.#unitHolding(at);
      const found: Entry | undefined = unit?.readEntry(unit.reader(at), WANTED);
      if (unit === undefined || found === undefined) break;
      const attributes: Attributes = found.attributes;
      name = unit.stringOf(attributes.get(dw.DW_AT_name));
      linkageName ??= unit.stringOf(attributes.get(dw.DW_AT_linkage_name) ?? attributes.get(dw.DW_AT_MIPS_linkage_name));
      const next: AttributeValue | undefined = attributes.get(dw.DW_AT_abstract_origin) ?? attributes.get(dw.DW_AT_specification);
      at = next && unit.referenceOf(next);
    }
    return { name: name ?? linkageName ?? '<unnamed>', linkageName };
  }
}
