import type { ByteReader } from '../byte-reader.ts';
import type { LinkBase } from '../link-base.ts';
import * as dw from './constants.ts';

/** The sizes that decide how attribute values are stored (DWARF 5 sections 7.4 and 7.5.1). */
export interface UnitFormat {
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

// How a value is stored: 0 to 16 is its size in bytes, the rest one of these. Plain numbers in a table, because this is the inner loop of
// everything that reads debug information.
const ADDRESS = 32;
const OFFSET = 33;
const REFERENCE = 34;
const ULEB = 35;
const SLEB = 36;
const STRING = 37;
const IMPLICIT = 38;
const FLAG_PRESENT = 39;
const BLOCK_1 = 40;
const BLOCK_2 = 41;
const BLOCK_4 = 42;
const BLOCK_ULEB = 43;
const UNKNOWN = 0;

/** DWARF 5 section 7.5.6. */
const STORED: readonly (readonly [stored: number, forms: readonly number[]])[] = [
  [1, [dw.DW_FORM_data1, dw.DW_FORM_flag, dw.DW_FORM_ref1, dw.DW_FORM_strx1, dw.DW_FORM_addrx1]],
  [2, [dw.DW_FORM_data2, dw.DW_FORM_ref2, dw.DW_FORM_strx2, dw.DW_FORM_addrx2]],
  [3, [dw.DW_FORM_strx3, dw.DW_FORM_addrx3]],
  [4, [dw.DW_FORM_data4, dw.DW_FORM_ref4, dw.DW_FORM_ref_sup4, dw.DW_FORM_strx4, dw.DW_FORM_addrx4]],
  [8, [dw.DW_FORM_data8, dw.DW_FORM_ref8, dw.DW_FORM_ref_sup8, dw.DW_FORM_ref_sig8]],
  [16, [dw.DW_FORM_data16]],
  [ADDRESS, [dw.DW_FORM_addr]],
  [OFFSET, [dw.DW_FORM_strp, dw.DW_FORM_line_strp, dw.DW_FORM_sec_offset, dw.DW_FORM_strp_sup, dw.DW_FORM_GNU_ref_alt, dw.DW_FORM_GNU_strp_alt]],
  [REFERENCE, [dw.DW_FORM_ref_addr]],
  [ULEB, [dw.DW_FORM_udata, dw.DW_FORM_ref_udata, dw.DW_FORM_strx, dw.DW_FORM_addrx, dw.DW_FORM_loclistx, dw.DW_FORM_rnglistx]],
  [SLEB, [dw.DW_FORM_sdata]],
  [STRING, [dw.DW_FORM_string]],
  [IMPLICIT, [dw.DW_FORM_implicit_const]],
  [FLAG_PRESENT, [dw.DW_FORM_flag_present]],
  [BLOCK_1, [dw.DW_FORM_block1]],
  [BLOCK_2, [dw.DW_FORM_block2]],
  [BLOCK_4, [dw.DW_FORM_block4]],
  [BLOCK_ULEB, [dw.DW_FORM_block, dw.DW_FORM_exprloc]],
];

const storedAs = new Uint8Array(0x2000);
for (const [stored, forms] of STORED) for (const form of forms) storedAs[form] = stored;

const INDIRECT = dw.DW_FORM_indirect;
const IMPLICIT_CONST = dw.DW_FORM_implicit_const;

/**
 * Reads one attribute value. All are numbers: an address relative to the base, a constant, the offset of a string (in the section that the
 * form implies), an index, a reference, or for a block its length. `form` is the form that was met, an indirect one resolved.
 */
export class FormReader {
  form = 0;
  value = 0;

  read(reader: ByteReader, form: number, implicit: number, unit: UnitFormat, base: LinkBase): number {
    for (let indirections = 0; form === INDIRECT; indirections++) {
      if (indirections === 4) reader.fail('DW_FORM_indirect names itself again and again');
      form = reader.uleb();
      if (form === IMPLICIT_CONST) reader.fail('DW_FORM_indirect leads to DW_FORM_implicit_const');
    }
    this.form = form;
    this.value = readValue(reader, form, implicit, unit, base);
    return this.value;
  }
}

function readValue(reader: ByteReader, form: number, implicit: number, unit: UnitFormat, base: LinkBase): number {
  switch (storedAs[form]) {
    case 1:
      return reader.u8();
    case 2:
      return reader.u16();
    case 3:
      return reader.u24();
    case 4:
      return reader.u32();
    case 8:
      return reader.size64();
    case 16:
      reader.skip(16);
      return 0;
    case ADDRESS:
      return reader.address(unit.addressSize, base);
    case OFFSET:
      return reader.sized(unit.offsetSize);
    case REFERENCE:
      // DWARF 2 stored it as an address (DWARF 3 section 1.5.1 lists the change).
      return reader.sized(unit.version <= 2 ? unit.addressSize : unit.offsetSize);
    case ULEB:
      return reader.uleb();
    case SLEB:
      return reader.sleb();
    case STRING:
      return reader.skipString();
    case IMPLICIT:
      return implicit;
    case FLAG_PRESENT:
      return 1;
    case BLOCK_1:
      return block(reader, reader.u8());
    case BLOCK_2:
      return block(reader, reader.u16());
    case BLOCK_4:
      return block(reader, reader.u32());
    case BLOCK_ULEB:
      return block(reader, reader.uleb());
    default:
      return reader.fail(`attribute form 0x${form.toString(16)} is not in DWARF 5 section 7.5.6`);
  }
}

function block(reader: ByteReader, size: number): number {
  reader.skip(size);
  return size;
}

/** The size of a form whose values all have one size, else -1. */
export function fixedFormSize(form: number, unit: UnitFormat): number {
  const stored = storedAs[form] ?? UNKNOWN;
  if (stored === IMPLICIT || stored === FLAG_PRESENT) return 0;
  if (stored === ADDRESS) return unit.addressSize;
  if (stored === OFFSET) return unit.offsetSize;
  return stored !== UNKNOWN && stored <= 16 ? stored : -1;
}

/** DWARF 5 section 7.5.5, class `constant`: tells a DW_AT_high_pc that is a length from one that is an address. */
const CONSTANT_FORMS: ReadonlySet<number> = new Set([
  dw.DW_FORM_data1,
  dw.DW_FORM_data2,
  dw.DW_FORM_data4,
  dw.DW_FORM_data8,
  dw.DW_FORM_udata,
  dw.DW_FORM_sdata,
  dw.DW_FORM_implicit_const,
]);

export function isConstantForm(form: number): boolean {
  return CONSTANT_FORMS.has(form);
}

export function isAddressIndexForm(form: number): boolean {
  return form === dw.DW_FORM_addrx || (form >= dw.DW_FORM_addrx1 && form <= dw.DW_FORM_addrx4);
}

export function isStringIndexForm(form: number): boolean {
  return form === dw.DW_FORM_strx || (form >= dw.DW_FORM_strx1 && form <= dw.DW_FORM_strx4);
}
