import { FEATURES, type Feature, type RegisterRow } from './registers.ts';
import type { EnumType, FlagsType } from './flags.ts';

const VECTOR_TYPES = `    <vector id="v4f" type="ieee_single" count="4"/>
    <vector id="v2d" type="ieee_double" count="2"/>
    <vector id="v16i8" type="int8" count="16"/>
    <vector id="v8i16" type="int16" count="8"/>
    <vector id="v4i32" type="int32" count="4"/>
    <vector id="v2i64" type="int64" count="2"/>
    <union id="vec128">
      <field name="v4_float" type="v4f"/>
      <field name="v2_double" type="v2d"/>
      <field name="v16_int8" type="v16i8"/>
      <field name="v8_int16" type="v8i16"/>
      <field name="v4_int32" type="v4i32"/>
      <field name="v2_int64" type="v2i64"/>
      <field name="uint128" type="uint128"/>
    </union>
`;

function typeXml(type: FlagsType | EnumType): string {
  if (type.kind === 'enum') {
    const values = type.values.map(([name, value]) => `      <evalue name="${name}" value="${value}"/>\n`).join('');
    return `    <enum id="${type.id}" size="4">\n${values}    </enum>\n`;
  }
  // A field of one bit is printed by its name alone, one of several bits with its value.
  const fields = type.fields.map(([name, first, last]) => `      <field name="${name}" start="${first}" end="${last ?? first}"/>\n`);
  return `    <flags id="${type.id}" size="${type.bytes}">\n${fields.join('')}    </flags>\n`;
}

function featureXml(feature: Feature, registers: readonly RegisterRow[]): string {
  const rows = registers.map((r, n) => [r, n] as const).filter(([r]) => r.feature === feature);
  if (rows.length === 0) return '';
  const types = new Set(rows.map(([r]) => r.type).filter((t) => typeof t !== 'string'));
  const reg = ([r, n]: readonly [RegisterRow, number]): string => {
    const type = typeof r.type === 'string' ? r.type : r.type.id;
    return `    <reg name="${r.name}" bitsize="${r.bits}" type="${type}" regnum="${n}"/>\n`;
  };
  const vectors = rows.some(([r]) => r.type === 'vec128') ? VECTOR_TYPES : '';
  return `  <feature name="${feature}">\n${vectors}${[...types].map(typeXml).join('')}${rows.map(reg).join('')}  </feature>\n`;
}

/**
 * The target description. The OS ABI is `none` and the Linux feature is absent: with either, gdb would take the machine
 * for a Linux process and ignore its library list.
 */
export const targetXml = (registers: readonly RegisterRow[]): string => `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0">
  <architecture>i386:x86-64</architecture>
  <osabi>none</osabi>
${FEATURES.map((f) => featureXml(f, registers)).join('')}</target>
`;
