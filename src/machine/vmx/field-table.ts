import type { CpuModel } from '../cpu/models/model.ts';
import { hasVmxFeature } from './features.ts';
import { fieldExists, fields } from './fields.ts';

/**
 * The fields of a model by encoding, for VMREAD and VMWRITE of whole fields: one 16-bit entry for each even encoding below `ENCODINGS`, 0
 * where there is no field. "High" access to 64-bit fields (odd encodings) has none either.
 */
export const ENCODINGS = 0x8000;
export const FieldEntry = {
  /** The field's offset in the region, a multiple of 8. */
  offset: 0xff8,
  /** 64 minus the field's width, in units of 16 bits. */
  unused: 3,
  readable: 0x1000,
  writable: 0x2000,
} as const;

const tables = new WeakMap<CpuModel, Uint16Array>();

export function fieldTable(model: CpuModel): Uint16Array {
  let table = tables.get(model);
  if (table) return table;
  tables.set(model, (table = new Uint16Array(ENCODINGS / 2)));
  const writesAll = hasVmxFeature(model, 'vmwrite-any-field');
  for (const f of fields) {
    if (!fieldExists(model, f)) continue;
    const unused = f.width === 16 ? 3 : f.width === 32 ? 2 : 0;
    table[f.encoding / 2] = f.offset | unused | FieldEntry.readable | (f.access === 'rw' || writesAll ? FieldEntry.writable : 0);
  }
  return table;
}
