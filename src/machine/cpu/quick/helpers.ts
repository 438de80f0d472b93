import * as L from '../layout.ts';
import { clts, movFromControl } from './control-registers.ts';
import { syscall, sysret } from './fast-calls.ts';
import { clac, cli, popf, pushf, stac, sti } from './flags.ts';
import { ioHelpers } from './io.ts';
import { invlpg, movToCr } from './paging.ts';
import type { Quick } from './quick.ts';
import { movFromSegment, rdmsr, readBase, swapgs, writeBase, wrmsr } from './segment-registers.ts';
import { int3, intN } from './software-interrupts.ts';
import { rdtsc, rdtscp } from './time.ts';
import { vmread, vmwrite } from './vmcs-access.ts';

/** Instructions that have a quick way, by row name, or by that and the operand size. Its number in the record is the place here, from 1 on. */
export const quickHelpers: Readonly<Record<string, (q: Quick) => void>> = {
  cli,
  sti,
  clac,
  stac,
  pushf64: pushf,
  popf64: popf,
  syscall,
  sysret64: sysret,
  swapgs,
  rdmsr,
  wrmsr,
  rdtsc,
  rdtscp,
  clts,
  mov_r_cr: movFromControl,
  mov_rm_sreg16: movFromSegment(16),
  mov_rm_sreg32: movFromSegment(32),
  mov_rm_sreg64: movFromSegment(64),
  rdfsbase32: readBase(L.FS, 32),
  rdfsbase64: readBase(L.FS, 64),
  rdgsbase32: readBase(L.GS, 32),
  rdgsbase64: readBase(L.GS, 64),
  wrfsbase32: writeBase(L.FS, 32),
  wrfsbase64: writeBase(L.FS, 64),
  wrgsbase32: writeBase(L.GS, 32),
  wrgsbase64: writeBase(L.GS, 64),
  int_n: intN,
  int3,
  vmread,
  vmwrite,
  invlpg,
  mov_cr_r: movToCr,
  iret64: (q) => q.f.return(q.run('iret')),
  ...ioHelpers,
};

const numbers = new Map(Object.keys(quickHelpers).map((name, n) => [name, n + 1]));

/** The number of an instruction's quick way for the helper's record; 0: it has none. */
export const quickNumber = (name: string, opsize: number): number => numbers.get(name) ?? numbers.get(`${name}${opsize}`) ?? 0;
