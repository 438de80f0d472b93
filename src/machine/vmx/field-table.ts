import type { CpuModel } from '../cpu/models/model.ts';
import { FIELD_TABLE, FIELD_TABLE_SIZE } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { hasVmxFeature } from './features.ts';
import { fieldExists, fields } from './fields.ts';

/**
 * The fields of a model for emitted VMREAD and VMWRITE of whole fields: 16 bits by encoding, 0 where there is no field. Of an encoding (SDM
 * Vol. 3, 25.11.2) width and type are bits 14:10, the index is bits 9:1, of which no field uses more than the lower five.
 */
export const FieldEncoding = { class: 10, indexBits: 5, index: 0x3e, used: 0x7c3e } as const;
export const FieldEntry = {
  /** The field's offset in the region, a multiple of 8. */
  offset: 0xff8,
  /** 64 minus the field's width, in units of 16 bits. */
  unused: 3,
  readable: 0x1000,
  writable: 0x2000,
} as const;

export function writeFieldTable({ u16 }: LinearMemory, model: CpuModel): void {
  u16.fill(0, FIELD_TABLE >> 1, (FIELD_TABLE + FIELD_TABLE_SIZE) >> 1);
  const writesAll = hasVmxFeature(model, 'vmwrite-any-field');
  for (const f of fields) {
    if (!fieldExists(model, f)) continue;
    if ((f.encoding & ~FieldEncoding.used) !== 0) throw new Error(`field-table: no place for ${f.title}`);
    const unused = f.width === 16 ? 3 : f.width === 32 ? 2 : 0;
    const at = ((f.encoding >> FieldEncoding.class) << FieldEncoding.indexBits) | ((f.encoding & FieldEncoding.index) >> 1);
    u16[(FIELD_TABLE >> 1) + at] = f.offset | unused | FieldEntry.readable | (f.access === 'rw' || writesAll ? FieldEntry.writable : 0);
  }
}
