import { CR0, type Cpu } from '../cpu.ts';
import { nm, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import * as L from '../layout.ts';
import { checkPendingX87 } from './unit.ts';

/** MMX instructions are undefined when emulation is asked for, unlike x87 ones: SDM Vol. 3, 12.1. */
export function checkMmx(cpu: Cpu): void {
  if ((cpu.cr0bits & CR0.EM) !== 0) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
  checkPendingX87(cpu);
}

/** EMMS empties the registers: SDM Vol. 1, 9.6. */
function emms(cpu: Cpu): void {
  checkMmx(cpu);
  cpu.setU32(L.FTW, 0xffff);
}

export const mmxInstructions: HelperTable = { emms };
