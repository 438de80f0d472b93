import { describe } from 'vitest';
import { CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { PageMark } from '../../src/machine/cpu/mmu/locate.ts';
import { skylake } from '../../src/machine/cpu/models/skylake.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { hasVmxFeature } from '../../src/machine/vmx/features.ts';
import { F, fieldExists, fields, REVISION_ID, VMCS_SIZE } from '../../src/machine/vmx/fields.ts';
import { SHADOW_REVISION } from '../../src/machine/vmx/shadow-vmcs.ts';
import { enterVmxOperation, NO_VMCS, setCurrentVmcs } from '../../src/machine/vmx/state.ts';
import { quickCases, type QuickCase } from './quick-cases.ts';

/** Two pages of RAM. */
const VMXON_REGION = 0x2_0000;
const VMCS = 0x2_1000;
const [RAX, RBX] = [0, 3];

type Random = () => bigint;

/** VMX root operation with a current VMCS of random bytes. */
function root(cpu: Cpu, random: Random, { memory }: Machine, revision = REVISION_ID): void {
  cpu.cr4 |= BigInt(CR4.VMXE);
  enterVmxOperation(cpu, BigInt(VMXON_REGION));
  for (let at = 0; at < VMCS_SIZE; at += 8) memory.write64(VMCS + at, random());
  memory.write(VMCS, 4, revision);
  setCurrentVmcs(cpu, BigInt(VMCS));
}

/** RAX names the field, RBX is the other operand. */
const VMREAD = { code: '0f 78 c3', row: 'vmread' } as const;
const VMWRITE = { code: '0f 79 c3', row: 'vmwrite' } as const;

const named =
  (encoding: bigint) =>
  (cpu: Cpu, random: Random, machine: Machine): void => {
    root(cpu, random, machine);
    cpu.setGpr(RAX, encoding);
  };

function watched(cpu: Cpu, random: Random, machine: Machine): void {
  named(BigInt(F.guestRip.encoding))(cpu, random, machine);
  machine.memory.pageMarks[VMCS >> 12] = PageMark.watched;
}

/** Encodings that name no whole field. */
const unusual: readonly (readonly [string, bigint])[] = [
  ['the upper half of a field', BigInt(F.eptPointer.encoding) + 1n],
  ['an index that no field has', 0x003en],
  ['an index beyond the table', 0x0040n],
  ['bit 12', 0x1000n],
  ['bit 15', 0x8000n],
  ['bit 32', 0x1_0000_0000n],
  ['bit 63', 0x8000_0000_0000_0000n],
];

/** Of each class and width the field with the highest encoding; test/vmx/field-table.test.ts looks at all. */
const oneOfEach = [...new Map(fields.map((f) => [`${f.class} ${f.width}`, f])).values()];

const states: readonly Pick<QuickCase, 'name' | 'cpl' | 'prepare'>[] = [
  { name: 'at CPL 3', cpl: 3, prepare: named(BigInt(F.guestRip.encoding)) },
  {
    name: 'outside VMX operation',
    prepare(cpu) {
      cpu.setGpr(RAX, BigInt(F.guestRip.encoding));
    },
  },
  {
    name: 'without a current VMCS',
    prepare(cpu, random, machine) {
      named(BigInt(F.guestRip.encoding))(cpu, random, machine);
      setCurrentVmcs(cpu, NO_VMCS);
    },
  },
];

for (const instruction of [VMREAD, VMWRITE]) {
  const { row } = instruction;
  const general = (what: (typeof states)[number]): QuickCase => ({ ...instruction, ...what, general: true });
  describe(`${row.toUpperCase()}: quick and general`, () => {
    quickCases([
      ...(row === 'vmwrite' ? [general({ name: 'to a watched page', prepare: watched })] : []),
      ...oneOfEach.map((f): QuickCase => ({
        ...instruction,
        name: f.title,
        prepare: named(BigInt(f.encoding)),
        ...(fieldExists(skylake, f) && (row === 'vmread' || f.access === 'rw' || hasVmxFeature(skylake, 'vmwrite-any-field')) ? {} : { general: true }),
      })),
      ...unusual.map(([name, encoding]) => general({ name, prepare: named(encoding) })),
      ...states.map(general),
      { ...instruction, name: 'with R8 to R15', code: row === 'vmread' ? '45 0f 78 c3' : '45 0f 79 c3', prepare: (cpu, random, machine) => (named(0n)(cpu, random, machine), cpu.setGpr(8, BigInt(F.guestRip.encoding))) },
      { ...instruction, name: 'of a shadow VMCS', prepare: (cpu, random, machine) => (root(cpu, random, machine, SHADOW_REVISION), cpu.setGpr(RAX, BigInt(F.guestRip.encoding))) },
      {
        ...instruction,
        name: 'with its operand in memory',
        code: row === 'vmread' ? '0f 78 03' : '0f 79 03',
        general: true,
        prepare(cpu, random, machine) {
          named(BigInt(F.guestRip.encoding))(cpu, random, machine);
          cpu.setGpr(RBX, 0x7000n);
        },
      },
    ]); // prettier-ignore
  });
}
