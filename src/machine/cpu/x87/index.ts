import type { Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { arithmetic } from './arithmetic.ts';
import { comparisons } from './compare.ts';
import { constants } from './constants.ts';
import { control } from './control.ts';
import { environment } from './environment.ts';
import { loadStore } from './load-store.ts';
import { mmxInstructions } from './mmx.ts';
import { scaling } from './scale.ts';
import { transcendentals } from './transcendental.ts';
import { withOperandFound } from './unit.ts';

/**
 * An instruction that emitted code declined, with its checks done and its memory operand (0: none) found in linear memory.
 * @returns whether that operand was written
 */
export const executeX87 = (cpu: Cpu, insn: Insn, operand: number): boolean => withOperandFound(cpu, insn, x87Instructions[insn.name]!, operand);

/** All x87 instructions and EMMS, by `Insn.name`. */
export const x87Instructions: HelperTable = {
  ...loadStore,
  ...arithmetic,
  ...scaling,
  ...comparisons,
  ...constants,
  ...transcendentals,
  ...control,
  ...environment,
  ...mmxInstructions,
};
