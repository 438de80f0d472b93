import { describe, expect, it } from 'vitest';
import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import { FIELD_TABLE, FIELD_TABLE_SIZE, RAM } from '../../src/machine/memory/layout.ts';
import { LinearMemory } from '../../src/machine/memory/linear-memory.ts';
import { hasVmxFeature } from '../../src/machine/vmx/features.ts';
import { FieldEncoding, FieldEntry, writeFieldTable } from '../../src/machine/vmx/field-table.ts';
import { componentOf } from '../../src/machine/vmx/fields.ts';

const linear = new LinearMemory(1 << 20);

describe('the table of fields for emitted VMREAD and VMWRITE', () => {
  it.each(cpuModels.map((m) => [m.name, m] as const))('%s: every encoding', (_, model) => {
    linear.u8.fill(0xff, FIELD_TABLE, FIELD_TABLE + FIELD_TABLE_SIZE);
    writeFieldTable(linear, model);
    const writesAll = hasVmxFeature(model, 'vmwrite-any-field');
    let entries = 0;
    for (let encoding = 0; encoding < 0x1_0000; encoding++) {
      const component = (encoding & 1) === 0 ? componentOf(model, BigInt(encoding)) : undefined;
      if ((encoding & ~FieldEncoding.used) !== 0) {
        expect(component, `encoding ${encoding.toString(16)}`).toBeUndefined();
        continue;
      }
      const at = ((encoding >> FieldEncoding.class) << FieldEncoding.indexBits) | ((encoding & FieldEncoding.index) >> 1);
      const entry = linear.u16[(FIELD_TABLE >> 1) + at]!;
      entries++;
      if (!component) {
        expect(entry, `encoding ${encoding.toString(16)}`).toBe(0);
        continue;
      }
      const { offset, width, access } = component.field;
      const bits = width === 'natural' ? 64 : width;
      expect(entry & FieldEntry.offset).toBe(offset);
      expect(64 - 16 * (entry & FieldEntry.unused)).toBe(bits);
      expect((entry & FieldEntry.readable) !== 0).toBe(true);
      expect((entry & FieldEntry.writable) !== 0).toBe(access === 'rw' || writesAll);
    }
    expect(entries).toBe(FIELD_TABLE_SIZE / 2);
    expect(RAM % 4096).toBe(0);
  });
});
