/** Extended states: XCR0, XSAVE and its relatives. SDM Vol. 1, chapter 13. */
import { CR4, type Cpu } from '../cpu.ts';
import { gp, ud } from '../fault.ts';
import type { Helper, HelperTable } from '../helper.ts';
import * as L from '../layout.ts';
import { inUse, xcr0Bits } from './components.ts';
import { xrstor, xrstors } from './restore.ts';
import { xsave, xsavec, xsaveopt, xsaves } from './save.ts';

const [RAX, RCX, RDX] = [0, 1, 2] as const;

/** XGETBV: register 0 is XCR0, 1 is XCR0 & XINUSE. */
function xgetbv(cpu: Cpu): void {
  if ((cpu.cr4bits & CR4.OSXSAVE) === 0) throw ud();
  const which = cpu.gpr32(RCX);
  if (which > 1 || (which === 1 && !cpu.model.features.has('xgetbv1'))) throw gp();
  const xcr0 = cpu.u64(L.XCR0);
  const value = which === 0 ? xcr0 : xcr0 & inUse(cpu);
  cpu.setGpr32(RAX, Number(value & 0xffff_ffffn));
  cpu.setGpr32(RDX, Number(value >> 32n));
}

/** XSETBV: x87 always; AVX not without SSE; the two of MPX together. */
function xsetbv(cpu: Cpu): void {
  if ((cpu.cr4bits & CR4.OSXSAVE) === 0) throw ud();
  const value = (BigInt(cpu.gpr32(RDX)) << 32n) | BigInt(cpu.gpr32(RAX));
  if (cpu.cpl !== 0 || cpu.gpr32(RCX) !== 0 || (value & 1n) === 0n || (value & ~xcr0Bits(cpu.model)) !== 0n || (value & 6n) === 4n) throw gp();
  if ((value & 0x18n) === 8n || (value & 0x18n) === 0x10n) throw gp();
  cpu.setU64(L.XCR0, value);
}

/** #UD where the model does not have the instruction. */
const needs =
  (feature: string, helper: Helper): Helper =>
  (cpu, insn) => {
    if (!cpu.model.features.has(feature)) throw ud();
    helper(cpu, insn);
  };

export const xsaveInstructions: HelperTable = {
  xgetbv,
  xsetbv,
  xsave,
  xrstor,
  xsaveopt: needs('xsaveopt', xsaveopt),
  xsavec: needs('xsavec', xsavec),
  xsaves: needs('xsaves', xsaves),
  xrstors: needs('xsaves', xrstors),
};
