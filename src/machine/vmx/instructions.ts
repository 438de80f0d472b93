import type { Helper, HelperTable } from '../cpu/helper.ts';
import { accessInstructions } from './instructions/access.ts';
import { invalidateInstructions } from './instructions/invalidate.ts';
import { launchInstructions } from './instructions/launch.ts';
import { pointerInstructions } from './instructions/pointers.ts';
import { vmxonInstructions } from './instructions/vmxon.ts';

const all: HelperTable = { ...vmxonInstructions, ...pointerInstructions, ...accessInstructions, ...invalidateInstructions, ...launchInstructions };

/** The VMX instructions: SDM Vol. 3, chapter 31. Each tells the probe that it is executed. */
export const vmxInstructions: HelperTable = Object.fromEntries(
  Object.entries(all).map(([name, helper]): [string, Helper] => [
    name,
    (cpu, insn) => {
      cpu.machine.probe?.vmxInstruction?.(cpu, name);
      helper(cpu, insn);
    },
  ]),
);
