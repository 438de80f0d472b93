/**
 * VM-exit instruction information and qualification for every form of operand: SDM Vol. 3, tables 28-8 to 28-14 read a second time,
 * bit by bit, and compared with what the exits store.
 */
import { describe, expect, it } from 'vitest';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import { Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, insn, Rig } from './rig.ts';

interface Table {
  readonly names: readonly string[];
  /** Bits 31:28 hold the register operand. */
  readonly register?: boolean;
  /** Register forms exist (bit 10). */
  readonly registerForm?: boolean;
  readonly bits?: Readonly<Record<string, number>>;
}

const tables: readonly Table[] = [
  { names: ['vmclear', 'vmptrld', 'vmptrst', 'vmxon'] },
  { names: ['vmread', 'vmwrite'], register: true, registerForm: true },
  { names: ['invept', 'invvpid', 'invpcid'], register: true },
  { names: ['sgdt', 'sidt', 'lgdt', 'lidt'], bits: { sgdt: 0 << 28, sidt: 1 << 28, lgdt: 2 << 28, lidt: 3 << 28 } },
  { names: ['sldt', 'str', 'lldt', 'ltr'], registerForm: true, bits: { sldt: 0 << 28, str: 1 << 28, lldt: 2 << 28, ltr: 3 << 28 } },
];
const reasons: Readonly<Record<string, number>> = {
  vmclear: 19, vmptrld: 21, vmptrst: 22, vmxon: 27, vmread: 23, vmwrite: 25, invept: 50, invvpid: 53, invpcid: 58, sgdt: 46, sidt: 46, lgdt: 46, lidt: 46,
  sldt: 47, str: 47, lldt: 47, ltr: 47,
}; // prettier-ignore

type Form = Partial<Insn>;
const SEGMENTS = [0, 1, 2, 3, 4, 5];

/** Base and index registers, scales, segments, address sizes, displacements; one thing varies at a time. */
const memoryForms: readonly Form[] = [
  ...Array.from({ length: 17 }, (_, n): Form => ({ base: n - 1, disp: 0x40n, segment: 3 })),
  ...Array.from({ length: 16 }, (_, n): Form => ({ base: 3, index: n === 4 ? 5 : n, scale: n & 3, disp: -1n, segment: 3 })),
  ...SEGMENTS.map((segment): Form => ({ base: 7, segment, segmentOverride: true })),
  { base: 6, disp: 8n, addrsize: 32, segment: 3 },
  { base: 16, disp: 0x1000n, segment: 3 },
  { base: -1, index: 9, scale: 3, disp: -0x8000_0000n, segment: 3 },
];
const registerForms: readonly Form[] = Array.from({ length: 16 }, (_, n) => ({ rm: n, isMemory: false }));

function expected(table: Table, i: Insn): bigint {
  let v = BigInt(table.bits?.[i.name] ?? 0);
  if (table.register) v |= BigInt(i.reg) << 28n;
  // SGDT..LIDT: the operand size is 64 bits in 64-bit mode, which the bit does not tell: 1 (table 28-10).
  if (i.name.endsWith('dt') && i.name !== 'sldt' && i.name !== 'lldt') v |= 1n << 11n;
  if (!i.isMemory) return v | (1n << 10n) | (BigInt(i.rm) << 3n);
  v |= (i.addrsize === 32 ? 1n : 2n) << 7n;
  v |= BigInt(i.segment) << 15n;
  v |= i.index < 0 ? 1n << 22n : (BigInt(i.index) << 18n) | BigInt(i.scale);
  v |= i.base < 0 || i.base === 16 ? 1n << 27n : BigInt(i.base) << 23n;
  return v;
}

function exitOf(name: string, form: Form): { rig: Rig; i: Insn; outcome: string } {
  const rig = new Rig('haswell').inGuest((r) => {
    r.primary(Primary.invlpgExiting);
    r.secondary(Secondary.descriptorTableExiting | Secondary.enableInvpcid);
  });
  const i = insn(name, { length: 7, isMemory: true, reg: name === 'invpcid' ? 11 : 9, ...form });
  return { rig, i, outcome: rig.run(i) };
}

const text = (f: Form): string =>
  f.isMemory === false
    ? `register ${f.rm}`
    : `base ${f.base}, index ${f.index ?? -1}, scale ${f.scale ?? 0}, segment ${f.segment}, address size ${f.addrsize ?? 64}, displacement ${f.disp ?? 0n}`;

for (const table of tables) {
  describe.each(table.names)('%s', (name) => {
    const forms = [...memoryForms, ...(table.registerForm ? registerForms : [])];
    it.each(forms.map((form) => [text(form), form] as const))('%s', (_, form) => {
      const { rig, i, outcome } = exitOf(name, form);
      expect(outcome).toBe(`exit ${reasons[name]}`);
      expect(rig.get(F.exitInstructionInfo)).toBe(expected(table, i));
      const displacement = i.base === 16 ? i.disp + BigInt(At.guestCode) + 7n : i.disp;
      expect(rig.get(F.exitQualification)).toBe(i.isMemory ? BigInt.asUintN(64, displacement) : 0n);
      expect(rig.get(F.exitInstructionLength)).toBe(7n);
    });
  });
}

describe('RDRAND and RDSEED (table 28-12)', () => {
  const cases = ['rdrand', 'rdseed'].flatMap((name) =>
    [16, 32, 64].flatMap((opsize) => [0, 1, 4, 7, 8, 15].map((rm) => [name, opsize, rm] as const)),
  );
  it.each(cases)('%s with operand size %d and register %d', (name, opsize, rm) => {
    const rig = new Rig().inGuest((r) => r.secondary(0));
    // Whether a model offers the control or not: the table is about the exit.
    rig.set(F.secondaryControls, Secondary.rdrandExiting | Secondary.rdseedExiting);
    expect(rig.run(insn(name, { opsize: opsize as 16 | 32 | 64, rm }))).toBe(name === 'rdrand' ? 'exit 57' : 'exit 61');
    expect(rig.get(F.exitInstructionInfo)).toBe(BigInt((rm << 3) | ({ 16: 0, 32: 1, 64: 2 }[opsize]! << 11)));
  });
});
