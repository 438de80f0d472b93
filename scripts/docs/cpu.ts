import { featuresOf } from '../../src/machine/cpu/isa/features.ts';
import { avxRows, vectorHelperRows } from '../../src/machine/cpu/isa/rows/avx.ts';
import { bitManipulationRows } from '../../src/machine/cpu/isa/rows/bit-manipulation.ts';
import { floatRows } from '../../src/machine/cpu/isa/rows/float.ts';
import { f16cRows, fmaRows } from '../../src/machine/cpu/isa/rows/fma.ts';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import { integerRows } from '../../src/machine/cpu/isa/rows/integer.ts';
import { mmxRows } from '../../src/machine/cpu/isa/rows/mmx.ts';
import { cryptoRows, sseIntegerRows } from '../../src/machine/cpu/isa/rows/sse-integer.ts';
import { sseRows } from '../../src/machine/cpu/isa/rows/sse.ts';
import { systemRows } from '../../src/machine/cpu/isa/rows/system.ts';
import { x87Rows } from '../../src/machine/cpu/isa/rows/x87.ts';
import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { cpuidBits } from '../../src/machine/cpu/models/cpuid-bits.ts';
import { dependencies } from '../../src/machine/cpu/models/dependencies.ts';
import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import { adjustableFeatures } from '../../src/machine/cpu/models/parse.ts';
import { vmxFeatures } from '../../src/machine/vmx/features.ts';
import type { Blocks } from './blocks.ts';
import { code, codes, hex, table } from './table.ts';

function instructionTable(list: readonly Row[]): string {
  const byName = new Map<string, Row[]>();
  for (const row of list) byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  return table(
    ['Name', 'Encodings and operands', 'LOCK'],
    [...byName].map(([name, own]) => [
      code(name),
      own.map((r) => code([r.encoding, ...r.operands].join(' '))).join(', '),
      own.some((r) => r.lock) ? 'yes' : '',
    ]),
  );
}

/** Legacy and VEX encodings of one operation side by side; those of 128 and of 256 bits in one. */
function vectorTable(list: readonly Row[]): string {
  const names = new Set(list.map((r) => r.name));
  const byName = new Map<string, { readonly legacy: string[]; readonly vex: Map<string, string[]> }>();
  for (const row of list) {
    const legacyName = row.vex && names.has(row.name.slice(1)) ? row.name.slice(1) : row.name;
    let entry = byName.get(legacyName);
    if (!entry) byName.set(legacyName, (entry = { legacy: [], vex: new Map() }));
    if (!row.vex) {
      entry.legacy.push(code([row.encoding, ...row.operands].join(' ')));
      continue;
    }
    const [, length = '', rest = ''] = /^VEX\.(\w+)\.(.*)$/.exec(row.encoding) ?? [];
    const operands = row.operands.map((o) =>
      o.replace(/^(W)(16|32)(a?)$/, (_m, w: string, n: string, a: string) => (Number(n) === row.vectorBytes ? `${w}x${a}` : o)),
    );
    const key = [rest, ...operands].join(' ');
    entry.vex.set(key, [...(entry.vex.get(key) ?? []), length]);
  }
  return table(
    ['Name', 'Legacy', 'VEX'],
    [...byName].map(([name, { legacy, vex }]) => [
      code(name),
      legacy.join(', '),
      [...vex].map(([key, lengths]) => code(`VEX.${lengths.join('/')}.${key}`)).join(', '),
    ]),
  );
}

/** The groups of rows as docs/cpu.md has them. */
const groups: Readonly<Record<string, readonly Row[]>> = {
  integer: integerRows,
  bits: bitManipulationRows,
  system: systemRows,
  fpu: x87Rows,
  mmx: mmxRows,
  sse: sseRows,
  'sse-integer': sseIntegerRows,
  crypto: cryptoRows,
  avx: [...avxRows, ...vectorHelperRows],
  float: floatRows,
  fma: [...fmaRows, ...f16cRows],
};

const yes = (v: boolean): string => (v ? 'yes' : '');

export const cpuBlocks: Blocks = {
  'row-count': () => {
    const vex = rows.filter((r) => r.vex).length;
    return `${rows.length} opcode rows, ${vex} of them VEX-encoded.`;
  },
  ...Object.fromEntries(
    Object.entries(groups).map(([name, list]) => [
      name,
      () => (list.some((r) => r.traits.vector || r.vex) ? vectorTable(list) : instructionTable(list)),
    ]),
  ),
  models: () =>
    table(
      ['Model', 'What it is', 'Family, model, stepping', 'Physical address bits'],
      cpuModels.map((m) => [code(m.name), m.description, `${m.family}, ${hex(m.model)}, ${m.stepping}`, m.physicalBits]),
    ),
  features: () =>
    table(
      ['Feature', 'CPUID', 'Needs', 'Opcode rows', ...cpuModels.map((m) => m.name)],
      cpuidBits
        .filter((b) => b.built)
        .map((b) => [
          code(b.feature),
          `${hex(b.leaf)} ${b.register.toUpperCase()} bit ${b.bit}`,
          dependencies[b.feature] === undefined ? '' : code(dependencies[b.feature]!),
          rows.filter((r) => featuresOf(r).includes(b.feature)).length || '',
          ...cpuModels.map((m) => yes(m.features.has(b.feature))),
        ]),
    ),
  'not-built': () => codes(cpuidBits.filter((b) => !b.built).map((b) => b.feature)),
  adjustable: () => codes(adjustableFeatures.filter((name) => !vmxFeatures.some((f) => f.name === name))),
};
