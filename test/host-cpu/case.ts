import type { Row } from '../../src/machine/cpu/isa/row.ts';

/** Code size, and for 16 and 32-bit code the segments: flat ones, or based and limited ones with a 16 or 32-bit stack. */
export type Mode = '64' | '32' | '32 based' | '32 small stack' | '16' | '16 big stack';

/** One case for both sides: code, registers, flags, and the seed of the memory contents. */
export interface Case {
  readonly name: string;
  /** The row that a single case is made of. */
  readonly row?: Row;
  /** Offset of its memory operand in the data pages. */
  readonly target?: number | undefined;
  readonly mode: Mode;
  readonly code: Uint8Array;
  /** Offset of the code in the code pages. */
  readonly start: number;
  /** Code size at the end: a far transfer may change it. */
  readonly endBits: 16 | 32 | 64;
  readonly seed: bigint;
  readonly gpr: readonly bigint[];
  readonly flags: number;
  readonly xmm: readonly bigint[]; // 32 halves, low first
  /** Upper halves of the YMM registers, in the same way; all zero when left out. */
  readonly ymmHigh?: readonly bigint[];
  /** MXCSR_DEFAULT when left out. */
  readonly mxcsr?: number;
  /** The first 160 bytes of an FXSAVE image (its MXCSR does not count); FNINIT's state when left out, and then it is not compared. */
  readonly x87?: Uint8Array;
  /** Bytes of the data pages that are not as the seed says: at most MAX_PATCH. */
  readonly patch?: Patch;
  /** RFLAGS bits that the SDM leaves undefined for this instruction and these operands. */
  readonly undefinedFlags: number;
  /** Which memory contents count: where it faults in the middle of several writes, or where processors differ, not all. */
  readonly memory: 'exact' | 'unless faulted' | 'ignored';
}

export interface Patch {
  /** Offset in the data pages. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What is compared. */
export interface Outcome {
  readonly gpr: readonly bigint[];
  readonly flags: number;
  readonly rip: bigint;
  /** Exception vector, -1 when the code ran to its end, ENDLESS. */
  readonly vector: number;
  readonly error: number;
  readonly cr2: bigint;
  /** ES CS SS DS GS selectors; CS only after an exception. */
  readonly selectors: readonly number[];
  readonly xmm: readonly bigint[];
  readonly ymmHigh: readonly bigint[];
  readonly mxcsr: number;
  readonly x87: Uint8Array;
  readonly changes: readonly { readonly at: number; readonly value: bigint }[];
}

/** Two pages of code, writable. Two of data, then one read-only, then nothing. */
export const CODE = 0x50_0000;
export const CODE_SIZE = 0x2000;
export const DATA = 0x60_0000;
export const DATA_SIZE = 0x2000;
export const READ_ONLY = DATA + DATA_SIZE;
export const READ_ONLY_SEED = 0x5eed;
/** Seeds of memory contents that a case may name are below this: both sides keep the contents of each. */
export const SEEDS = 16;
/** Vector of a case that does not come to an end. */
export const ENDLESS = 255;
export const MAX_CODE = 256;
export const MAX_PATCH = 64;
/** MXCSR and, by its first 160 bytes, the FXSAVE image after reset: SDM Vol. 1, 10.5 and 10.2.3. */
export const MXCSR_DEFAULT = 0x1f80;
export const X87_SIZE = 160;
export const x87Default = (): Uint8Array => Uint8Array.from({ length: X87_SIZE }, (_, n) => (n === 0 ? 0x7f : n === 1 ? 3 : 0));
/** As in harness.c: at most so many changed quadwords are reported. */
export const MAX_CHANGES = 160;

/** The local descriptor table, as harness.c sets it up with modify_ldt. Index n has the selector n * 8 + 7. */
export interface Segment {
  readonly base: number;
  readonly limit: number;
  /** D/B, and 0 data, 1 expand-down data, 2 code; read-only, or execute-only; not present. */
  readonly big: boolean;
  readonly contents: 0 | 1 | 2;
  readonly restricted: boolean;
  readonly absent: boolean;
}

const segment = (base: number, limit: number, big = true, contents: Segment['contents'] = 0, restricted = false, absent = false): Segment =>
  ({ base, limit, big, contents, restricted, absent }); // prettier-ignore

export const ldt = {
  code16: segment(CODE, 0xffff, false, 2),
  code32: segment(CODE, 0xffff, true, 2),
  ds: segment(DATA, 0x3fff),
  es: segment(DATA + 0x800, 0x37ff),
  ss16: segment(DATA, 0x3fff, false),
  ss32: segment(DATA - 0x2_0000, 0x2_3fff),
  expandDown: segment(DATA - 0x800, 0x9ff, false, 1),
  readOnly: segment(DATA, 0x3fff, true, 0, true),
  executeOnly: segment(CODE, 0xffff, true, 2, true),
  absent: segment(DATA, 0xffff, true, 0, false, true),
} as const;
export const ldtEntries: readonly Segment[] = Object.values(ldt);
export const ldtSelector = (s: Segment): number => ldtEntries.indexOf(s) * 8 + 7;

/** Linux's user segments. */
export const USER = { code32: 0x23, data: 0x2b, code64: 0x33 } as const;

export interface Setup {
  readonly bits: 16 | 32 | 64;
  readonly cs: number;
  readonly codeBase: number;
  readonly ds: number;
  readonly es: number;
  readonly ss: number;
  readonly gs: number;
}

const based = (code: Segment, ss: Segment): Setup => ({
  bits: code.big ? 32 : 16,
  cs: ldtSelector(code),
  codeBase: CODE,
  ds: ldtSelector(ldt.ds),
  es: ldtSelector(ldt.es),
  ss: ldtSelector(ss),
  gs: ldtSelector(ldt.expandDown),
});

const { code32, code64, data } = USER;
/** In 64-bit mode GS's base is set apart: GS_BASE. */
export const setups: Readonly<Record<Mode, Setup>> = {
  '64': { bits: 64, cs: code64, codeBase: 0, ds: data, es: data, ss: data, gs: 0 },
  '32': { bits: 32, cs: code32, codeBase: 0, ds: data, es: data, ss: data, gs: ldtSelector(ldt.expandDown) },
  '32 based': based(ldt.code32, ldt.ss32),
  '32 small stack': based(ldt.code32, ldt.ss16),
  '16': based(ldt.code16, ldt.ss16),
  '16 big stack': based(ldt.code16, ldt.ss32),
};
export const GS_BASE = 0x1_2345_6000;

/** Where a segment register's offset 0 lies, for generators. */
export function segmentBase(mode: Mode, which: 'ds' | 'es' | 'ss' | 'gs'): number {
  if (mode === '64') return which === 'gs' ? GS_BASE : 0;
  const selector = setups[mode][which];
  return selector === USER.data ? 0 : ldtEntries[selector >> 3]!.base;
}
