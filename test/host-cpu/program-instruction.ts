import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { littleEndian } from './addressing.ts';
import type { Mode } from './case.ts';
import { DATA, segmentBase, setups } from './case.ts';
import { widthOf } from './generate.ts';
import type { Random } from './random.ts';
import { isPrivileged, testedRows } from './tested-rows.ts';
import { relaxationsOf } from './relaxations.ts';
import { undefinedFlags } from './undefined-flags.ts';
import { vexPrefix } from './vex-prefix.ts';

/**
 * Instructions for programs: they keep to registers that nothing else needs and to memory around rBX, so that a program
 * runs on. rBX, rSP, rSI and rDI stay.
 */
export const HOME = DATA + 0x800;
export const FREE = [0, 1, 2, 5, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const LOGIC = /^(and|or|xor|test)$/;

const rowsOf = new Map<Mode, Row[]>();

/** Rows that programs are made of. Strings, stack operations and branches have pieces of their own (program.ts). */
export function programRows(mode: Mode): Row[] {
  let list = rowsOf.get(mode);
  if (!list) {
    const unfit = /^(bound|into|int3|ud|leave|enter|pusha|popa|pushf|pop_rm|push_sreg|xlat|clflush|cmpxchg8b|fldcw|v?ldmxcsr)$/;
    // What is not compared to the last bit spoils what comes after it.
    const exact = (r: Row): boolean => relaxationsOf(r.name).length === 0 && !r.vsib;
    list = testedRows(mode).filter((r) => !r.branch && !r.stack && !r.string && !isPrivileged(r) && !unfit.test(r.name) && exact(r));
    rowsOf.set(mode, list);
  }
  return list;
}

/** One instruction, with a comparison after it when it leaves flags undefined. `free`: registers it may change. */
export function programInstruction(mode: Mode, random: Random, free: readonly number[] = FREE): number[] {
  const long = mode === '64';
  const code16 = setups[mode].bits === 16;
  let row = random.pick(programRows(mode));
  while (/^i?div$/.test(row.name) && !random.chance(8)) row = random.pick(programRows(mode));
  const usable = free.filter((n) => long || n < 8);
  const vector = row.operands.some((o) => /^[VWPQ]/.test(o));
  const memory =
    row.hasModrm &&
    row.modrmByte < 0 &&
    row.form !== 'register' &&
    !(/^bt/.test(row.name) && row.operands[1] === 'Gv') &&
    (row.form === 'memory' || random.chance(2));
  const opsizePrefix = row.prefix < 0 && !(long && row.force64) && random.chance(4);
  let rex = long && random.chance(2) ? 0x40 | (random.chance(2) ? 8 : 0) : 0;
  const width = widthOf(row, long, code16, rex, opsizePrefix);
  const bytes = (o: string): boolean => o[1] === 'b' || (width === 8 && o.length === 1);

  /** A register field; extended ones set their REX bit. Without REX the byte registers 4-6 are AH, CH, DH. */
  const register = (operand: string, bit: number): number => {
    if (/^[VWPQ]/.test(operand)) return random.below(8);
    if (bytes(operand) && rex === 0) return random.pick([0, 1, 2, 4, 5, 6].filter((n) => usable.includes(n & 3)));
    const n = random.pick(usable.filter((r) => r < 8 || long));
    if (n >= 8) {
      if (rex === 0 && row.operands.some(bytes)) return random.pick(usable.filter((r) => r < 3));
      rex |= 0x40 | bit;
    } else if (bytes(operand) && n === 5 && rex === 0) return 0;
    return n & 7;
  };
  const reg = row.extension >= 0 ? row.extension : row.hasModrm ? register(row.operands.find((o) => /^[GVP]/.test(o)) ?? 'G', 4) : 0;
  const rm = !memory && row.hasModrm ? register(row.operands.find((o) => /^[ERWQ]/.test(o)) ?? 'E', 1) : 0;
  const plus = row.plusRegister ? register(row.operands[0]!, 1) : 0;

  const out: number[] = [];
  if (memory && row.lock && random.chance(6)) out.push(0xf0);
  if (opsizePrefix) out.push(0x66);
  if (row.vex) {
    const vvvv = row.operands.some((o) => o[0] === 'B') ? random.pick(usable) : undefined;
    out.push(...vexPrefix(row, long, random, { extended: rex & 7, vvvv }).bytes);
  } else {
    if (row.prefix > 0) out.push(row.prefix);
    if (rex) out.push(rex);
    if (row.map > 0) out.push(0x0f);
    if (row.map > 1) out.push(row.map === 2 ? 0x38 : 0x3a);
  }
  out.push(row.opcode | plus);
  if (row.modrmByte >= 0) out.push(row.modrmByte);
  else if (row.hasModrm)
    out.push(...(memory ? operandNearHome(mode, random, reg, vector ? Math.max(row.traits.memoryBytes, 16) : 1) : [0xc0 | (reg << 3) | rm]));
  if (row.operands.some((o) => o[0] === 'O')) out.push(...littleEndian(HOME + random.below(0x400) - segmentBase(mode, 'ds'), setups[mode].bits / 8));

  const double = width === 16 && /^sh[lr]d$/.test(row.name);
  if (double && row.operands[2] === 'Cb') return [0x90];
  for (const o of row.operands) {
    if (o === 'Ib' || o[0] === 'L') out.push(double ? random.below(17) : Number(random.value() & 0xffn));
    else if (o === 'Ibs') out.push(Number(random.value() & 0xffn));
    else if (o === 'Iz') out.push(...littleEndian(random.value(), width === 16 ? 2 : 4));
    else if (o === 'Iv') out.push(...littleEndian(random.value(), width / 8));
  }
  const leaves = LOGIC.test(row.name) ? 0 : undefinedFlags(row.name, row.operands.at(-1) === '1' ? 1 : 33, width);
  return leaves === 0 ? out : [...out, 0x39, 0xc2]; // cmp edx, eax
}

/** [rBX + displacement]. */
function operandNearHome(mode: Mode, random: Random, reg: number, alignment: number): number[] {
  let disp = random.below(0x700) - 0x380;
  disp &= -alignment;
  if (disp >= -128 && disp < 128) return [0x40 | (reg << 3) | (setups[mode].bits === 16 ? 7 : 3), disp & 0xff];
  return setups[mode].bits === 16 ? [0x80 | (reg << 3) | 7, ...littleEndian(disp, 2)] : [0x80 | (reg << 3) | 3, ...littleEndian(disp, 4)];
}
