import type { ByteReader } from '../byte-reader.ts';
import type { LinkBase } from '../link-base.ts';
import * as dw from './constants.ts';

/** The sizes that decide how attribute values are stored (DWARF 5 sections 7.4 and 7.5.1). */
export interface UnitFormat {
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

/**
 * Reads one attribute value. All are numbers: an address relative to the base, a constant, the offset of a string (in the section that the
 * form implies), an index, a reference, or for a block its length. `form` is the form that was met, an indirect one resolved.
 */
export class FormReader {
  form = 0;
  value = 0;

  read(reader: ByteReader, form: number, implicit: number, unit: UnitFormat, base: LinkBase): number {
    for (let indirections = 0; form === dw.DW_FORM_indirect; indirections++) {
      if (indirections === 4) reader.fail('DW_FORM_indirect names itself again and again');
      form = reader.uleb();
      if (form === dw.DW_FORM_implicit_const) reader.fail('DW_FORM_indirect leads to DW_FORM_implicit_const');
    }
    this.form = form;
    this.value = readValue(reader, form, implicit, unit, base);
    return this.value;
  }
}

function readValue(reader: ByteReader, form: number, implicit: number, unit: UnitFormat, base: LinkBase): number {
  switch (form) {
    case dw.DW_FORM_addr:
      return reader.address(unit.addressSize, base);
    case dw.DW_FORM_data1:
    case dw.DW_FORM_flag:
    case dw.DW_FORM_ref1:
    case dw.DW_FORM_strx1:
    case dw.DW_FORM_addrx1:
      return reader.u8();
    case dw.DW_FORM_data2:
    case dw.DW_FORM_ref2:
    case dw.DW_FORM_strx2:
    case dw.DW_FORM_addrx2:
      return reader.u16();
    case dw.DW_FORM_strx3:
    case dw.DW_FORM_addrx3:
      return reader.u24();
    case dw.DW_FORM_data4:
    case dw.DW_FORM_ref4:
    case dw.DW_FORM_ref_sup4:
    case dw.DW_FORM_strx4:
    case dw.DW_FORM_addrx4:
      return reader.u32();
    case dw.DW_FORM_data8:
    case dw.DW_FORM_ref8:
    case dw.DW_FORM_ref_sup8:
    case dw.DW_FORM_ref_sig8:
      return reader.size64();
    case dw.DW_FORM_data16:
      reader.skip(16);
      return 0;
    case dw.DW_FORM_udata:
    case dw.DW_FORM_ref_udata:
    case dw.DW_FORM_strx:
    case dw.DW_FORM_addrx:
    case dw.DW_FORM_loclistx:
    case dw.DW_FORM_rnglistx:
      return reader.uleb();
    case dw.DW_FORM_sdata:
      return reader.sleb();
    case dw.DW_FORM_string:
      return reader.skipString();
    case dw.DW_FORM_strp:
    case dw.DW_FORM_line_strp:
    case dw.DW_FORM_sec_offset:
    case dw.DW_FORM_strp_sup:
    case dw.DW_FORM_GNU_ref_alt:
    case dw.DW_FORM_GNU_strp_alt:
      return reader.sized(unit.offsetSize);
    case dw.DW_FORM_ref_addr:
      // DWARF 2 stored it as an address (DWARF 3 section 1.5.1 lists the change).
      return reader.sized(unit.version <= 2 ? unit.addressSize : unit.offsetSize);
    case dw.DW_FORM_flag_present:
      return 1;
    case dw.DW_FORM_implicit_const:
      return implicit;
    case dw.DW_FORM_block1:
      return block(reader, reader.u8());
    case dw.DW_FORM_block2:
      return block(reader, reader.u16());
    case dw.DW_FORM_block4:
      return block(reader, reader.u32());
    case dw.DW_FORM_block:
    case dw.DW_FORM_exprloc:
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
  switch (form) {
    case dw.DW_FORM_flag_present:
    case dw.DW_FORM_implicit_const:
      return 0;
    case dw.DW_FORM_data1:
    case dw.DW_FORM_flag:
    case dw.DW_FORM_ref1:
    case dw.DW_FORM_strx1:
    case dw.DW_FORM_addrx1:
      return 1;
    case dw.DW_FORM_data2:
    case dw.DW_FORM_ref2:
    case dw.DW_FORM_strx2:
    case dw.DW_FORM_addrx2:
      return 2;
    case dw.DW_FORM_data4:
    case dw.DW_FORM_ref4:
    case dw.DW_FORM_strx4:
    case dw.DW_FORM_addrx4:
      return 4;
    case dw.DW_FORM_data8:
    case dw.DW_FORM_ref8:
    case dw.DW_FORM_ref_sig8:
      return 8;
    case dw.DW_FORM_data16:
      return 16;
    case dw.DW_FORM_addr:
      return unit.addressSize;
    case dw.DW_FORM_strp:
    case dw.DW_FORM_line_strp:
    case dw.DW_FORM_sec_offset:
      return unit.offsetSize;
    default:
      return -1;
  }
}

/** DWARF 5 section 7.5.5, class `constant`: tells a DW_AT_high_pc that is a length from one that is an address. */
export function isConstantForm(form: number): boolean {
  return (
    form === dw.DW_FORM_data1 ||
    form === dw.DW_FORM_data2 ||
    form === dw.DW_FORM_data4 ||
    form === dw.DW_FORM_data8 ||
    form === dw.DW_FORM_udata ||
    form === dw.DW_FORM_sdata ||
    form === dw.DW_FORM_implicit_const
  );
}

export function isAddressIndexForm(form: number): boolean {
  return form === dw.DW_FORM_addrx || (form >= dw.DW_FORM_addrx1 && form <= dw.DW_FORM_addrx4);
}

export function isStringIndexForm(form: number): boolean {
  return form === dw.DW_FORM_strx || (form >= dw.DW_FORM_strx1 && form <= dw.DW_FORM_strx4);
}
