/** One case for both sides: code, registers, flags, and the seed of the memory contents. */
export interface Case {
  readonly name: string;
  readonly code: Uint8Array;
  readonly seed: bigint;
  readonly gpr: readonly bigint[];
  readonly flags: number;
  readonly xmm: readonly bigint[]; // 32 halves, low first
  /** RFLAGS bits that the SDM leaves undefined for this instruction and these operands. */
  readonly undefinedFlags: number;
}

/** What is compared. */
export interface Outcome {
  readonly gpr: readonly bigint[];
  readonly flags: number;
  readonly rip: bigint;
  /** Exception vector, or -1. */
  readonly vector: number;
  readonly xmm: readonly bigint[];
  readonly changes: readonly { readonly at: number; readonly value: bigint }[];
}

export const CODE = 0x50_0000;
export const DATA = 0x60_0000;
export const DATA_SIZE = 0x2000;
/** As in harness.c: at most so many changed quadwords are reported. */
export const MAX_CHANGES = 8;
