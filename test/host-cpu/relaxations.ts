import type { Case, Outcome } from './case.ts';

/**
 * What is not compared with the host, or not to the last bit: everything else is. The SDM leaves it open, or says something that an
 * AMD host does differently; the emulator goes by the SDM. Undefined RFLAGS bits have a table of their own (undefined-flags.ts).
 */
export interface Relaxation {
  readonly rows: RegExp;
  readonly why: string;
  /** When it holds, if not always. */
  readonly when?: (c: Case, host: Outcome, emulated: Outcome) => boolean;
  /** Bits of the x87 status word, and of RFLAGS. */
  readonly status?: number;
  readonly flags?: number;
  /** x87 registers may be so many units in the last place apart. */
  readonly ulps?: number;
  /** No x87 register is compared. */
  readonly registers?: 'ignored';
  /** Single-precision lanes of vectors may be apart by this much of their value. */
  readonly relative?: number;
  /** Bytes of the memory operand: pairs of offset and length, by operand size. */
  readonly memory?: (width: number) => readonly (readonly [at: number, length: number])[];
}

const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;
const CODES = C0 | C1 | C2 | C3;
const PE = 0x20;
const STACK_FAULT = 0x41;

const status = (image: Uint8Array): number => image[2]! | (image[3]! << 8);
/** An exception that is not masked is reported. */
const reported = (o: Outcome): boolean => (status(o.x87) & 0x80) !== 0;
/** IE and SF. */
const stackFault = (o: Outcome): boolean => (status(o.x87) & STACK_FAULT) === STACK_FAULT;

export const relaxations: readonly Relaxation[] = [
  {
    rows: /^fcmov/,
    status: C1,
    why: 'C1 is only said to be 0 after a stack underflow (SDM Vol. 2, FCMOVcc): AMD leaves it as it was',
  },
  { rows: /^ffreep?$/, status: CODES, why: 'C0 to C3 are undefined: SDM Vol. 2, FFREE' },
  { rows: /^fu?comip?$/, status: C1, why: 'C1 is set to 0 (SDM Vol. 2, FCOMI): AMD leaves it as it was' },
  {
    rows: /^f(u?com|icom|tst|xam|sin|cos|ptan|prem)/,
    when: (_c, host) => reported(host),
    status: CODES,
    flags: 0x8d5,
    why: 'with #IA or #D not masked the condition codes and flags are not set (SDM Vol. 2, FCOM): AMD sets them to unordered',
  },
  {
    rows: /^fld$|^fst|^fxch|^fi?(add|sub|mul|div)|^f(scale|xtract|rndint|sqrt)/,
    when: (_c, host, emulated) => stackFault(host) && stackFault(emulated),
    status: C1,
    why: 'of a stack overflow and an underflow at once C1 tells one: SDM Vol. 1, 8.5.1.1',
  },
  {
    rows: /^f(2xm1|cos|patan|ptan|sin|sincos|yl2x|yl2xp1)$/,
    ulps: 1,
    status: C1 | PE,
    why: 'transcendental functions are within 1 ulp (SDM Vol. 1, 8.3.10), and C1 and PE tell of bits beyond that',
  },
  {
    rows: /^fprem1?$/,
    when: (_c, host, emulated) => ((status(host.x87) | status(emulated.x87)) & C2) !== 0,
    status: CODES,
    registers: 'ignored',
    why: 'a partial remainder reduces the exponent by an amount that is the processor\'s own: SDM Vol. 2, FPREM',
  },
  {
    rows: /^v?r(cp|sqrt)[ps]s$/,
    relative: 2 ** -11,
    why: 'approximations: relative error of at most 1.5 * 2^-12 either way, SDM Vol. 2, RCPPS; the bits are the processor\'s own',
  },
  {
    rows: /^fn(stenv|save)$/,
    memory: (width) => [width === 16 ? [6, 8] : [12, 16]],
    why: 'pointers and opcode of the last instruction: AMD keeps them only for an exception that waits, and Intel does not keep the selectors (SDM Vol. 1, 8.1.8)',
  },
  {
    rows: /^f?x(save|savec|saveopt)$/,
    memory: () => [[6, 18], [28, 4]],
    why: 'as FNSTENV; and MXCSR_MASK, in which AMD has bit 17',
  },
]; // prettier-ignore

const byName = new Map<string, readonly Relaxation[]>();

export function relaxationsOf(name: string): readonly Relaxation[] {
  let list = byName.get(name);
  if (!list) byName.set(name, (list = relaxations.filter((r) => r.rows.test(name))));
  return list;
}
