import { swapgs, syscall, sysret } from './fast-calls.ts';
import { cli } from './flags.ts';
import { ioHelpers } from './io.ts';
import type { Quick } from './quick.ts';
import { int3, intN } from './software-interrupts.ts';

/** Instructions that have a quick way, by row name, or by that and the operand size. Its number in the record is the place here, from 1 on. */
export const quickHelpers: Readonly<Record<string, (q: Quick) => void>> = {
  cli,
  swapgs,
  syscall,
  sysret64: sysret,
  int_n: intN,
  int3,
  ...ioHelpers,
  iret64: (q) => q.f.return(q.run('iret')),
};

const numbers = new Map(Object.keys(quickHelpers).map((name, n) => [name, n + 1]));

/** The number of an instruction's quick way for the helper's record; 0: it has none. */
export const quickNumber = (name: string, opsize: number): number => numbers.get(name) ?? numbers.get(`${name}${opsize}`) ?? 0;
