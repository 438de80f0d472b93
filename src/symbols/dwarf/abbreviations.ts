import { ByteReader } from '../byte-reader.ts';
import * as dw from './constants.ts';
import { fixedFormSize } from './forms.ts';
import type { UnitFormat } from './forms.ts';
import type { DwarfContext } from './sections.ts';

/** The shape of one kind of debugging information entry (DWARF 5 section 7.5.3). */
export interface Abbreviation {
  readonly code: number;
  readonly tag: number;
  readonly role: Role;
  readonly hasChildren: boolean;
  /** Attribute, form, implicit constant; three numbers each. */
  readonly attributes: readonly number[];
  /** Size of all attribute values when no form varies, else -1. */
  readonly fixedSize: number;
}

/**
 * What an entry means to a search for functions. `codeless` entries never hold functions with code: their children can be jumped over;
 * structures are such in C, but not in C++ or Rust.
 */
export type Role = 'function' | 'inlined' | 'codeless' | 'structure' | 'other';

const ROLES: ReadonlyMap<number, Role> = new Map([
  [dw.DW_TAG_subprogram, 'function'],
  [dw.DW_TAG_inlined_subroutine, 'inlined'],
  [dw.DW_TAG_array_type, 'codeless'],
  [dw.DW_TAG_enumeration_type, 'codeless'],
  [dw.DW_TAG_subroutine_type, 'codeless'],
  [dw.DW_TAG_call_site, 'codeless'],
  [dw.DW_TAG_GNU_call_site, 'codeless'],
  [dw.DW_TAG_structure_type, 'structure'],
  [dw.DW_TAG_union_type, 'structure'],
  [dw.DW_TAG_class_type, 'structure'],
]);

/** One abbreviation table, read only as far as codes have been asked for: a unit's first entry needs little of it. */
export class AbbreviationTable {
  readonly #reader: ByteReader;
  readonly #context: DwarfContext;
  readonly #format: UnitFormat;
  readonly #byCode = new Map<number, Abbreviation>();
  #complete = false;

  constructor(context: DwarfContext, offset: number, format: UnitFormat) {
    this.#context = context;
    this.#format = format;
    this.#reader = new ByteReader(context.section.abbrev, '.debug_abbrev');
    this.#reader.seek(offset);
  }

  get(code: number): Abbreviation | undefined {
    let found = this.#byCode.get(code);
    while (found === undefined && !this.#complete) {
      const next = this.#readNext();
      if (next === undefined) this.#complete = true;
      else if (next.code === code) found = next;
    }
    return found;
  }

  all(): Iterable<Abbreviation> {
    while (!this.#complete) if (this.#readNext() === undefined) this.#complete = true;
    return this.#byCode.values();
  }

  #readNext(): Abbreviation | undefined {
    const reader = this.#reader;
    const start = reader.pos;
    const code = reader.uleb();
    if (code === 0) return undefined;
    const tag = reader.uleb();
    const hasChildren = reader.u8() !== 0;
    const attributes: number[] = [];
    let fixedSize = 0;
    for (;;) {
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (attribute === 0 && form === 0) break;
      attributes.push(attribute, form, form === dw.DW_FORM_implicit_const ? reader.sleb() : 0);
      const size = fixedFormSize(form, this.#format);
      fixedSize = size < 0 || fixedSize < 0 ? -1 : fixedSize + size;
    }
    this.#context.budget.spend(reader.pos - start, '.debug_abbrev');
    const abbreviation: Abbreviation = { code, tag, role: ROLES.get(tag) ?? 'other', hasChildren, attributes, fixedSize };
    // The first definition of a code counts, as in gdb and binutils.
    if (!this.#byCode.has(code)) this.#byCode.set(code, abbreviation);
    return abbreviation;
  }
}
