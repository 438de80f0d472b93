import { ByteReader } from '../byte-reader.ts';
import type { Abbreviation, AbbreviationTable } from './abbreviations.ts';
import * as dw from './constants.ts';
import { FormReader, isAddressIndexForm, isConstantForm, isStringIndexForm } from './forms.ts';
import type { UnitFormat } from './forms.ts';
import { readRangeList } from './range-lists.ts';
import type { DwarfContext } from './sections.ts';

export interface AttributeValue {
  readonly form: number;
  readonly value: number;
}

/** Attributes of one entry, by number; only those asked for are kept. */
export type Attributes = Map<number, AttributeValue>;

export interface Entry {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: Attributes;
}

/** One compilation unit: its header, and the attributes of its first entry that everything else depends on. */
export class Unit implements UnitFormat {
  readonly context: DwarfContext;
  readonly offset: number;
  readonly end: number;
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
  readonly abbreviations: AbbreviationTable;
  /** Offset of the entry after the unit's own, or undefined when it has no children. */
  readonly firstChild: number | undefined;
  readonly compilationDirectory: string;
  readonly name: string;
  readonly lineOffset: number | undefined;
  readonly language: number;
  /** Start, end, start, end ... of its code; empty when its first entry does not say. */
  readonly ranges: readonly number[];
  /** Base for offsets in range lists: undefined stands for absolute address 0. */
  readonly lowPc: number | undefined;
  readonly #strOffsetsBase: number;
  readonly #addrBase: number;
  readonly #rnglistsBase: number;

  constructor(context: DwarfContext, header: UnitHeader, abbreviationTable: (offset: number, format: UnitFormat) => AbbreviationTable) {
    this.context = context;
    this.offset = header.offset;
    this.end = header.end;
    this.version = header.version;
    this.offsetSize = header.offsetSize;
    this.addressSize = header.addressSize;
    this.abbreviations = abbreviationTable(header.abbreviationOffset, header);
    const reader = this.reader(header.firstEntry);
    const root = this.readEntry(reader, ROOT_ATTRIBUTES);
    this.firstChild = root?.hasChildren ? reader.pos : undefined;
    const attributes = root?.attributes ?? new Map<number, AttributeValue>();
    const number = (attribute: number) => attributes.get(attribute)?.value;
    // Without a base the tables start after their first header, as in a .dwo file (DWARF 5 section 7.26).
    const headerSize = this.offsetSize === 8 ? 16 : 8;
    this.#strOffsetsBase = number(dw.DW_AT_str_offsets_base) ?? headerSize;
    this.#addrBase = number(dw.DW_AT_addr_base) ?? headerSize;
    this.#rnglistsBase = number(dw.DW_AT_rnglists_base) ?? headerSize + 4;
    this.compilationDirectory = this.stringOf(attributes.get(dw.DW_AT_comp_dir)) ?? '';
    this.name = this.stringOf(attributes.get(dw.DW_AT_name)) ?? '';
    this.lineOffset = number(dw.DW_AT_stmt_list);
    this.language = number(dw.DW_AT_language) ?? 0;
    const low = attributes.get(dw.DW_AT_low_pc);
    const lowPc = low && this.addressOf(low);
    this.lowPc = lowPc === context.base.zero ? undefined : lowPc;
    this.ranges = this.rangesOf(attributes);
  }

  reader(position: number): ByteReader {
    const reader = new ByteReader(this.context.section.info, '.debug_info', this.offset, this.end);
    reader.seek(position);
    return reader;
  }

  /** Reads the entry at the cursor. Undefined for the null entry that ends a list of siblings. */
  readEntry(reader: ByteReader, wanted: ReadonlySet<number>): Entry | undefined {
    const code = reader.uleb();
    if (code === 0) return undefined;
    const abbreviation = this.abbreviations.get(code) ?? reader.fail(`abbreviation ${code} is not in the unit's table`);
    const attributes: Attributes = new Map();
    const form = new FormReader();
    const list = abbreviation.attributes;
    this.#pay(list);
    for (let i = 0; i < list.length; i += 3) {
      form.read(reader, list[i + 1]!, list[i + 2]!, this, this.context.base);
      if (wanted.has(list[i]!)) attributes.set(list[i]!, { form: form.form, value: form.value });
    }
    return { tag: abbreviation.tag, hasChildren: abbreviation.hasChildren, attributes };
  }

  /** Moves behind an entry's attributes; returns what its DW_AT_sibling refers to, or 0 without one. */
  skipAttributes(reader: ByteReader, { attributes }: Abbreviation): number {
    this.#pay(attributes);
    const form = new FormReader();
    let sibling = 0;
    for (let i = 0; i < attributes.length; i += 3) {
      form.read(reader, attributes[i + 1]!, attributes[i + 2]!, this, this.context.base);
      if (attributes[i] === dw.DW_AT_sibling) sibling = this.referenceOf(form) ?? 0;
    }
    return sibling;
  }

  addressOf({ form, value }: AttributeValue): number {
    if (!isAddressIndexForm(form)) return value;
    return this.#indexed(this.context.section.addr, '.debug_addr', this.indexedAddressAt(value)).address(this.addressSize, this.context.base);
  }

  /** Where in .debug_addr an address stands that is given by index. */
  indexedAddressAt(index: number): number {
    return this.#addrBase + index * this.addressSize;
  }

  addressAtIndex(index: number): number {
    return this.addressOf({ form: dw.DW_FORM_addrx, value: index });
  }

  stringOf(attribute: AttributeValue | undefined): string | undefined {
    if (attribute === undefined) return undefined;
    const { form, value } = attribute;
    if (form === dw.DW_FORM_strp) return this.context.strings.at(value);
    if (form === dw.DW_FORM_string) return this.context.infoStrings.at(value);
    if (form === dw.DW_FORM_line_strp) return this.context.lineStrings.at(value);
    if (!isStringIndexForm(form)) return undefined;
    const offsets = this.#indexed(this.context.section.str_offsets, '.debug_str_offsets', this.#strOffsetsBase + value * this.offsetSize);
    return this.context.strings.at(offsets.sized(this.offsetSize));
  }

  /** The offset in .debug_info that a reference leads to; undefined for one into another file or to a type signature. */
  referenceOf({ form, value }: AttributeValue): number | undefined {
    if (form === dw.DW_FORM_ref_addr) return value;
    return form >= dw.DW_FORM_ref1 && form <= dw.DW_FORM_ref_udata ? this.offset + value : undefined;
  }

  /** DW_AT_low_pc with DW_AT_high_pc, or DW_AT_ranges (DWARF 5 section 2.17). Discarded code (below the base) is left out. */
  rangesOf(attributes: Attributes): number[] {
    const list = attributes.get(dw.DW_AT_ranges);
    if (list !== undefined) return readRangeList(this, this.#rangeListOffset(list));
    const low = attributes.get(dw.DW_AT_low_pc);
    const high = attributes.get(dw.DW_AT_high_pc);
    if (low === undefined || high === undefined) return [];
    const start = this.addressOf(low);
    const end = isConstantForm(high.form) ? start + high.value : this.addressOf(high);
    return start >= 0 && end > start ? [start, end] : [];
  }

  /** An entry of one byte may have thousands of attributes of none: what counts is their number. */
  #pay(attributes: readonly number[]): void {
    this.context.budget.spend(attributes.length / 3, '.debug_info');
  }

  /** Where in .debug_rnglists the offset of a list stands that is given by index, and what it counts from. */
  indexedRangeListAt(index: number): { at: number; base: number } {
    return { at: this.#rnglistsBase + index * this.offsetSize, base: this.#rnglistsBase };
  }

  #rangeListOffset({ form, value }: AttributeValue): number {
    if (form !== dw.DW_FORM_rnglistx) return value;
    const { at, base } = this.indexedRangeListAt(value);
    return base + this.#indexed(this.context.section.rnglists, '.debug_rnglists', at).sized(this.offsetSize);
  }

  #indexed(section: Uint8Array, where: string, offset: number): ByteReader {
    const reader = new ByteReader(section, where);
    reader.seek(offset);
    return reader;
  }
}

const ROOT_ATTRIBUTES: ReadonlySet<number> = new Set([
  dw.DW_AT_name,
  dw.DW_AT_comp_dir,
  dw.DW_AT_stmt_list,
  dw.DW_AT_language,
  dw.DW_AT_low_pc,
  dw.DW_AT_high_pc,
  dw.DW_AT_ranges,
  dw.DW_AT_str_offsets_base,
  dw.DW_AT_addr_base,
  dw.DW_AT_rnglists_base,
]);

/** DWARF 5 section 7.5.1. */
export interface UnitHeader extends UnitFormat {
  readonly offset: number;
  readonly end: number;
  readonly type: number;
  readonly abbreviationOffset: number;
  /** Where that offset itself stands. */
  readonly abbreviationOffsetAt: number;
  readonly firstEntry: number;
}

/** Reads the header at the cursor and moves to the next unit. */
export function readUnitHeader(reader: ByteReader): UnitHeader {
  const offset = reader.pos;
  const { length, offsetSize } = readInitialLength(reader);
  const end = reader.pos + length;
  if (end > reader.end) reader.fail(`unit of ${length} bytes does not end inside its section`, offset);
  const version = reader.u16();
  if (version < 2 || version > 5) reader.fail(`DWARF version ${version} is not 2 to 5`, offset);
  let type = dw.DW_UT_compile;
  let addressSize: number;
  let abbreviationOffset: number;
  let abbreviationOffsetAt = reader.pos;
  if (version >= 5) {
    type = reader.u8();
    addressSize = reader.u8();
    abbreviationOffsetAt = reader.pos;
    abbreviationOffset = reader.sized(offsetSize);
    if (type === dw.DW_UT_skeleton || type === dw.DW_UT_split_compile) reader.skip(8);
    else if (type === dw.DW_UT_type || type === dw.DW_UT_split_type) reader.skip(8 + offsetSize);
  } else {
    abbreviationOffset = reader.sized(offsetSize);
    addressSize = reader.u8();
  }
  if (addressSize !== 4 && addressSize !== 8) reader.fail(`address size ${addressSize} is neither 4 nor 8`, offset);
  const firstEntry = reader.pos;
  if (firstEntry > end) reader.fail('unit is shorter than its header', offset);
  reader.seek(end);
  return { offset, end, version, type, offsetSize, addressSize, abbreviationOffset, abbreviationOffsetAt, firstEntry };
}

/** DWARF 5 section 7.4: 32-bit and 64-bit formats. */
export function readInitialLength(reader: ByteReader): { length: number; offsetSize: 4 | 8 } {
  const length = reader.u32();
  if (length < 0xfffffff0) return { length, offsetSize: 4 };
  if (length !== 0xffffffff) reader.fail(`initial length 0x${length.toString(16)} is reserved`);
  return { length: reader.size64(), offsetSize: 8 };
}
