import type { Abbreviation } from '../abbreviations.ts';
import * as dw from '../constants.ts';
import { FormReader, isAddressIndexForm, isConstantForm } from '../forms.ts';
import type { Attributes, Unit } from '../unit.ts';
import { putSized, putUleb } from '../../byte-writer.ts';
import type { AddedRangeLists } from './range-lists.ts';
import { clip, inside } from './window.ts';
import type { Window } from './window.ts';

/** Sections that are changed in place; sizes and offsets stay. */
export interface Editable {
  readonly info: Uint8Array;
  readonly addr: Uint8Array;
  readonly rnglists: Uint8Array;
  readonly lists: AddedRangeLists;
}

/** A reference from one unit to another: its place in .debug_info, its size, and what it leads to. */
export interface CrossReference {
  readonly at: number;
  readonly size: number;
  readonly target: number;
}

export interface TrimmedUnit {
  /** Those that leave the unit. */
  readonly references: readonly CrossReference[];
  /** Where its DW_AT_stmt_list stands. */
  readonly lineAt: number | undefined;
  /** The new shape of its first entry, which has the code of the old. */
  readonly newRoot: Abbreviation | undefined;
}

/** The attributes of one entry that say where something is, with the places of their values. */
interface Places {
  readonly values: Attributes;
  readonly at: Map<number, number>;
  readonly size: Map<number, number>;
}

const PLACES: ReadonlySet<number> = new Set([dw.DW_AT_low_pc, dw.DW_AT_high_pc, dw.DW_AT_ranges, dw.DW_AT_location, dw.DW_AT_stmt_list]);
const BLOCKS: ReadonlySet<number> = new Set([dw.DW_FORM_exprloc, dw.DW_FORM_block, dw.DW_FORM_block1, dw.DW_FORM_block2, dw.DW_FORM_block4]);

/**
 * Edits the entries of a unit, in place, so that they claim no address outside the window: functions and blocks outside lose their addresses
 * (address 0, or an empty list, stands for discarded code), what reaches out of it is cut, and variables outside are shown as optimized out.
 */
export function trimUnit(unit: Unit, firstEntry: number, window: Window, edit: Editable): TrimmedUnit {
  const references: CrossReference[] = [];
  let lineAt: number | undefined;
  let newRoot: Abbreviation | undefined;
  const reader = unit.reader(firstEntry);
  const form = new FormReader();
  unit.context.budget.spend(unit.end - unit.offset, '.debug_info');
  while (reader.left > 0) {
    const entryAt = reader.pos;
    const code = reader.uleb();
    if (code === 0) continue;
    const abbreviation = unit.abbreviations.get(code) ?? reader.fail(`abbreviation ${code} is not in the unit's table`, entryAt);
    if (abbreviation.fixedSize >= 0 && !matters(abbreviation)) {
      reader.skip(abbreviation.fixedSize);
      continue;
    }
    const places: Places = { values: new Map(), at: new Map(), size: new Map() };
    const { attributes } = abbreviation;
    for (let i = 0; i < attributes.length; i += 3) {
      const at = reader.pos;
      form.read(reader, attributes[i + 1]!, attributes[i + 2]!, unit, unit.context.base);
      const size = reader.pos - at;
      if (form.form === dw.DW_FORM_ref_addr) references.push({ at, size, target: form.value });
      if (!PLACES.has(attributes[i]!)) continue;
      if (attributes[i + 1] === dw.DW_FORM_indirect) reader.fail('an address or a place by DW_FORM_indirect is not cut', at);
      places.values.set(attributes[i]!, { form: form.form, value: form.value });
      places.at.set(attributes[i]!, at);
      places.size.set(attributes[i]!, size);
    }
    const root = entryAt === firstEntry;
    if (root) lineAt = places.at.get(dw.DW_AT_stmt_list);
    if (root && startsBefore(unit, window)) newRoot = rangesInRoot(unit, abbreviation, places, window, edit);
    else if (places.values.has(dw.DW_AT_ranges)) trimRanges(unit, abbreviation, places, window, edit);
    else if (places.values.has(dw.DW_AT_low_pc)) trimAddresses(unit, places, window, edit);
    if (places.values.has(dw.DW_AT_location)) trimLocation(unit, places, window, edit);
  }
  return { references, lineAt, newRoot };
}

/** One stretch of code that begins before the window and reaches into it. */
function startsBefore({ ranges, lowPc }: Unit, { low }: Window): boolean {
  return ranges.length === 2 && lowPc === ranges[0] && ranges[0]! < low && ranges[1]! > low;
}

/**
 * The first address of a unit is also what its lists count from, so it must stay. Beside a range list it is no more than that (DWARF 5 section
 * 3.1.1): the list takes the place of DW_AT_high_pc, and what is left of it goes to an attribute that nobody knows.
 */
function rangesInRoot(unit: Unit, old: Abbreviation, { values, at, size }: Places, window: Window, edit: Editable): Abbreviation | undefined {
  const place = at.get(dw.DW_AT_high_pc);
  // Already a list.
  if (place === undefined) return undefined;
  const room = size.get(dw.DW_AT_high_pc)!;
  if (unit.language === dw.DW_LANG_Mips_Assembler && isConstantForm(values.get(dw.DW_AT_high_pc)!.form)) {
    // An assembler makes no lists, so the address may change, and its DW_AT_high_pc is as short as can be.
    putSized(edit.info, at.get(dw.DW_AT_low_pc)!, unit.addressSize, unit.context.base.toAddress(window.low));
    const length = Math.min(unit.ranges[1]!, window.high) - window.low;
    if (values.get(dw.DW_AT_high_pc)!.form === dw.DW_FORM_udata) putUleb(edit.info, place, room, length);
    else putSized(edit.info, place, room, length);
    return undefined;
  }
  if ((room !== 4 && room !== 8) || room < unit.offsetSize) unit.reader(place).fail(`a DW_AT_high_pc of ${room} bytes has no room for a list`);
  putSized(edit.info, place, room, 0);
  putSized(edit.info, place, unit.offsetSize, edit.lists.add(unit, clip(window, unit.ranges)));
  const attributes: number[] = [];
  for (let i = 0; i < old.attributes.length; i += 3) {
    const [attribute, ...rest] = old.attributes.slice(i, i + 3);
    if (attribute !== dw.DW_AT_high_pc) attributes.push(attribute!, ...rest);
    else {
      attributes.push(dw.DW_AT_ranges, unit.version >= 4 ? dw.DW_FORM_sec_offset : dw.DW_FORM_data4, 0);
      if (room > unit.offsetSize) attributes.push(dw.DW_AT_hi_user, dw.DW_FORM_data4, 0);
    }
  }
  return { ...old, attributes };
}

const known = new WeakMap<Abbreviation, boolean>();

function matters(abbreviation: Abbreviation): boolean {
  let answer = known.get(abbreviation);
  if (answer === undefined) {
    const { attributes } = abbreviation;
    answer = attributes.some((value, i) => (i % 3 === 0 && PLACES.has(value)) || (i % 3 === 1 && value === dw.DW_FORM_ref_addr));
    known.set(abbreviation, answer);
  }
  return answer;
}

/** A list that is cut is written anew. Of a function whose entry is elsewhere nothing stays: gdb would take a cold part for the entry. */
function trimRanges(unit: Unit, { role }: Abbreviation, { values, at, size }: Places, window: Window, edit: Editable): void {
  const old = unit.rangesOf(values);
  const entryElsewhere = role === 'function' && old.length > 0 && !inside(window, old[0]!);
  const kept = entryElsewhere ? [] : clip(window, old);
  if (kept.length === old.length && kept.every((address, i) => address === old[i])) return;
  const { form, value } = values.get(dw.DW_AT_ranges)!;
  const list = edit.lists.add(unit, kept);
  if (form === dw.DW_FORM_rnglistx) {
    const index = unit.indexedRangeListAt(value);
    putSized(edit.rnglists, index.at, unit.offsetSize, list - index.base);
  } else putSized(edit.info, at.get(dw.DW_AT_ranges)!, size.get(dw.DW_AT_ranges)!, list);
}

function trimAddresses(unit: Unit, { values, at, size }: Places, window: Window, edit: Editable): void {
  const { base } = unit.context;
  const setAddress = (attribute: number, address: bigint) => {
    const { form, value } = values.get(attribute)!;
    if (isAddressIndexForm(form)) putSized(edit.addr, unit.indexedAddressAt(value), unit.addressSize, address);
    else putSized(edit.info, at.get(attribute)!, size.get(attribute)!, address);
  };
  const low = unit.addressOf(values.get(dw.DW_AT_low_pc)!);
  const high = values.get(dw.DW_AT_high_pc);
  const length = high && isConstantForm(high.form);
  const setLength = (value: number) => {
    const room = size.get(dw.DW_AT_high_pc)!;
    const variable = high!.form === dw.DW_FORM_udata || high!.form === dw.DW_FORM_sdata;
    if (variable) putUleb(edit.info, at.get(dw.DW_AT_high_pc)!, room, value);
    else putSized(edit.info, at.get(dw.DW_AT_high_pc)!, room, value);
  };
  if (!inside(window, low)) {
    setAddress(dw.DW_AT_low_pc, 0n);
    if (length) setLength(0);
    else if (high) setAddress(dw.DW_AT_high_pc, 0n);
  } else if (high && (length ? low + high.value : unit.addressOf(high)) > window.high) {
    if (length) setLength(window.high - low);
    else setAddress(dw.DW_AT_high_pc, base.toAddress(window.high));
  }
}

/** A variable that is not there becomes a piece without a location, which is how DWARF 5 section 2.6.1.2 says "optimized out". */
function trimLocation(unit: Unit, { values, at, size }: Places, window: Window, edit: Editable): void {
  const { form, value: length } = values.get(dw.DW_AT_location)!;
  if (!BLOCKS.has(form) || length !== 1 + unit.addressSize) return;
  const start = at.get(dw.DW_AT_location)! + size.get(dw.DW_AT_location)! - length;
  if (edit.info[start] !== dw.DW_OP_addr) return;
  const reader = unit.reader(start + 1);
  if (inside(window, reader.address(unit.addressSize, unit.context.base))) return;
  edit.info[start] = dw.DW_OP_piece;
  putUleb(edit.info, start + 1, unit.addressSize, 0x7fff_ffff);
}
