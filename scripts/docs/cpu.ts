import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import { integerRows } from '../../src/machine/cpu/isa/rows/integer.ts';
import { sseRows } from '../../src/machine/cpu/isa/rows/sse.ts';
import { systemRows } from '../../src/machine/cpu/isa/rows/system.ts';
import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { cpuidBits } from '../../src/machine/cpu/models/cpuid-bits.ts';
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

const yes = (v: boolean): string => (v ? 'yes' : '');

export const cpuBlocks: Blocks = {
  'row-count': () =>
    `${rows.length} opcode rows: ${integerRows.length} general-purpose, ${systemRows.length} written as helpers, ${sseRows.length} SSE and SSE2.`,
  integer: () => instructionTable(integerRows),
  system: () => instructionTable(systemRows),
  sse: () => instructionTable(sseRows),
  models: () =>
    table(
      ['Model', 'What it is', 'Family, model, stepping', 'Physical address bits'],
      cpuModels.map((m) => [code(m.name), m.description, `${m.family}, ${hex(m.model)}, ${m.stepping}`, m.physicalBits]),
    ),
  features: () =>
    table(
      ['Feature', 'CPUID', ...cpuModels.map((m) => m.name)],
      cpuidBits
        .filter((b) => b.built)
        .map((b) => [
          code(b.feature),
          `${hex(b.leaf)} ${b.register.toUpperCase()} bit ${b.bit}`,
          ...cpuModels.map((m) => yes(m.features.has(b.feature))),
        ]),
    ),
  'not-built': () => codes(cpuidBits.filter((b) => !b.built).map((b) => b.feature)),
  adjustable: () => codes(adjustableFeatures.filter((name) => !vmxFeatures.some((f) => f.name === name))),
};
