import { Flag, type Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { GuestFault, ud, Vector } from '../fault.ts';
import { setArithmeticFlags } from '../flags.ts';
import type { Insn } from '../isa/insn.ts';

/** Decimal adjustments, invalid in 64-bit mode. Flags the SDM leaves undefined are set from the result, as processors do. */

const has = (cpu: Cpu, flag: number): boolean => (cpu.rflags & flag) !== 0;

/** SF, ZF and PF of an 8-bit result. */
function resultFlags(value: number): number {
  let parity = value & 0xff;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return ((parity & 1) === 0 ? Flag.PF : 0) | ((value & 0xff) === 0 ? Flag.ZF : 0) | (value & 0x80);
}

const legacy =
  (helper: Helper): Helper =>
  (cpu, insn) => {
    if (cpu.code64) throw ud();
    helper(cpu, insn);
  };

/** AAA and AAS: SDM Vol. 2. */
function asciiAdjust(cpu: Cpu, sign: 1 | -1): void {
  const ax = cpu.gpr16(0);
  const adjust = (ax & 15) > 9 || has(cpu, Flag.AF);
  const adjusted = adjust ? (ax + sign * 0x106) & 0xffff : ax;
  cpu.setGpr16(0, adjusted & 0xff0f);
  setArithmeticFlags(cpu, (adjust ? Flag.AF | Flag.CF : 0) | (resultFlags(adjusted & 0x0f) & (Flag.PF | Flag.ZF)));
}

/** DAA and DAS: SDM Vol. 2. */
function decimalAdjust(cpu: Cpu, sign: 1 | -1): void {
  const al = cpu.gpr8(0, 0);
  const cf = has(cpu, Flag.CF);
  let value = al;
  let flags = 0;
  if ((al & 15) > 9 || has(cpu, Flag.AF)) {
    value += sign * 6;
    flags |= Flag.AF | (cf || value < 0 || (sign > 0 && value > 0xff) ? Flag.CF : 0);
  }
  if (al > 0x99 || cf) {
    value += sign * 0x60;
    flags |= Flag.CF;
  } else if (sign > 0) {
    // DAA clears CF here, whatever the first step carried: only AL > 99H or CF can carry.
    flags &= ~Flag.CF;
  }
  cpu.setGpr8(0, 0, value & 0xff);
  setArithmeticFlags(cpu, flags | resultFlags(value));
}

function aam(cpu: Cpu, insn: Insn): void {
  const divisor = Number(insn.imm & 0xffn);
  if (divisor === 0) throw new GuestFault(Vector.DE);
  const al = cpu.gpr8(0, 0);
  const low = al % divisor;
  cpu.setGpr16(0, (Math.floor(al / divisor) << 8) | low);
  setArithmeticFlags(cpu, resultFlags(low));
}

function aad(cpu: Cpu, insn: Insn): void {
  const ax = cpu.gpr16(0);
  const low = ((ax & 0xff) + (ax >> 8) * Number(insn.imm & 0xffn)) & 0xff;
  cpu.setGpr16(0, low);
  setArithmeticFlags(cpu, resultFlags(low));
}

export const decimalInstructions: HelperTable = {
  aaa: legacy((cpu) => asciiAdjust(cpu, 1)),
  aas: legacy((cpu) => asciiAdjust(cpu, -1)),
  daa: legacy((cpu) => decimalAdjust(cpu, 1)),
  das: legacy((cpu) => decimalAdjust(cpu, -1)),
  aam: legacy(aam),
  aad: legacy(aad),
  salc: legacy((cpu) => cpu.setGpr8(0, 0, has(cpu, Flag.CF) ? 0xff : 0)),
};
