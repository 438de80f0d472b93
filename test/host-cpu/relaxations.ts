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
  /** Where a page fault was is not compared. */
  readonly address?: 'ignored';
  /** No x87 register is compared. */
  readonly registers?: 'ignored';
  /** Single-precision lanes of vectors may be apart by this much of their value. */
  readonly relative?: number;
  /** Bytes of the memory operand: pairs of offset and length, by operand size. */
  readonly memory?: (width: number) => readonly (readonly [at: number, length: number])[];
}

const C1 = 0x200;

export const relaxations: readonly Relaxation[] = [
  { rows: /^fu?comip?$/, status: C1, why: 'C1 is set to 0 (SDM Vol. 2, FCOMI): AMD leaves it as it was' },
  {
    rows: /^f(2xm1|cos|patan|ptan|sin|sincos|yl2x|yl2xp1)$/,
    ulps: 1,
    status: C1,
    why: 'transcendental functions are within 1 ulp (SDM Vol. 1, 8.3.10), and C1 tells of bits beyond that',
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
    rows: /^f?x(save|rstor)\w*$|^f(n?save|rstor|n?stenv|ldenv)$/,
    address: 'ignored',
    why: 'which part of an area in two pages is looked at first is the processor\'s own: AMD begins at the end',
  },
  {
    rows: /^xsaveopt$/,
    memory: () => [[0, 1024]],
    why: 'components that were not changed since their XRSTOR need not be written, and it is the processor that notices: SDM Vol. 1, 13.6',
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
