import type { Cpu } from '../cpu.ts';
import { Flag } from '../cpu.ts';
import { compare } from '../float/compare.ts';
import type { Relation } from '../float/compare.ts';
import type { Real } from '../float/real.ts';
import { Kind, zero } from '../float/real.ts';
import type { Helper, HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { readM16int, readM32, readM32int, readM64 } from './arithmetic.ts';
import { fpr, isEmpty, physical, Status } from './state.ts';
import { computing, env, isStEmpty, pop, setConditions, settle, st, stackFault } from './unit.ts';

/** Comparisons and FXAM: SDM Vol. 1, 8.3.6. */

const { C0, C1, C2, C3 } = Status;
/** Table 8-6. */
const codes: Readonly<Record<Relation, number>> = { greater: 0, less: C0, equal: C3, unordered: C0 | C2 | C3 };
/** Table 8-7. */
const flags: Readonly<Record<Relation, number>> = {
  greater: 0,
  less: Flag.CF,
  equal: Flag.ZF,
  unordered: Flag.CF | Flag.PF | Flag.ZF,
};
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

const toCodes = (cpu: Cpu, relation: Relation): void => setConditions(cpu, codes[relation]);
const toFlags = (cpu: Cpu, relation: Relation): void => {
  cpu.rflags = (cpu.rflags & ~ARITHMETIC) | flags[relation];
};

/** Compares ST(0). The outcome is told even when an exception is unmasked (whatever SDM Vol. 2 says, processors do); but then nothing is popped. */
function comparing(
  other: (cpu: Cpu, insn: Insn) => Real | undefined,
  quiet: boolean,
  pops: number,
  report: (cpu: Cpu, relation: Relation) => void = toCodes,
): Helper {
  return computing((cpu, insn) => {
    const b = other(cpu, insn);
    let relation: Relation = 'unordered';
    let done: boolean;
    if (isStEmpty(cpu, 0) || b === undefined) done = stackFault(cpu, 'underflow');
    else {
      relation = compare(env, st(cpu, 0), b, quiet);
      done = settle(cpu);
    }
    report(cpu, relation);
    if (done) pop(cpu, pops);
  });
}

const sti = (cpu: Cpu, insn: Insn): Real | undefined => (isStEmpty(cpu, insn.rm & 7) ? undefined : st(cpu, insn.rm & 7));
const st1 = (cpu: Cpu): Real | undefined => (isStEmpty(cpu, 1) ? undefined : st(cpu, 1));

/** FXAM: C1 is the sign, even of an empty register: SDM Vol. 2, table 3-42. */
const fxam = computing((cpu) => {
  const n = physical(cpu, 0);
  const sign = (fpr(cpu, n).high & 0x8000) !== 0 ? C1 : 0;
  cpu.setU32(L.FSW, (cpu.u32(L.FSW) & ~C1) | sign);
  setConditions(cpu, isEmpty(cpu, n) ? C3 | C0 : classCodes(st(cpu, 0)));
});

function classCodes(a: Real): number {
  if (a.kind === Kind.unsupported) return 0;
  if (a.kind === Kind.zero) return C3;
  if (a.kind === Kind.infinity) return C2 | C0;
  if (a.kind === Kind.finite) return a.denormal ? C3 | C2 : C2;
  return C0;
}

export const comparisons: HelperTable = {
  fcom: comparing(sti, false, 0),
  fcomp: comparing(sti, false, 1),
  fcompp: comparing(st1, false, 2),
  fucom: comparing(sti, true, 0),
  fucomp: comparing(sti, true, 1),
  fucompp: comparing(st1, true, 2),
  fcom_m32: comparing(readM32, false, 0),
  fcomp_m32: comparing(readM32, false, 1),
  fcom_m64: comparing(readM64, false, 0),
  fcomp_m64: comparing(readM64, false, 1),
  ficom_m16: comparing(readM16int, false, 0),
  ficomp_m16: comparing(readM16int, false, 1),
  ficom_m32: comparing(readM32int, false, 0),
  ficomp_m32: comparing(readM32int, false, 1),
  ftst: comparing(() => zero(0), false, 0),
  fcomi: comparing(sti, false, 0, toFlags),
  fcomip: comparing(sti, false, 1, toFlags),
  fucomi: comparing(sti, true, 0, toFlags),
  fucomip: comparing(sti, true, 1, toFlags),
  fxam,
};
