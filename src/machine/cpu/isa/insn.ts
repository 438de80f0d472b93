import type { Helper } from '../helper.ts';

/**
 * A decoded instruction, as the decoder gives it to whoever wants details: helpers (instructions written in TypeScript),
 * VM-exit information, disassembly checks. Hot instructions are not kept in this form: they become records.
 */
export interface Insn {
  /** The SDM's mnemonic in lower case, with a suffix where one mnemonic has unlike forms: `mov_cr_r`, `call_far_m`. */
  readonly name: string;
  /** Length in bytes, prefixes included. */
  readonly length: number;
  /** Code size it was decoded for: 16, 32 or 64. */
  readonly mode: 16 | 32 | 64;
  /** Effective operand size in bits. 8 for byte forms. */
  readonly opsize: 8 | 16 | 32 | 64;
  /** Effective address size in bits. */
  readonly addrsize: 16 | 32 | 64;
  /** 0, 0xf2 or 0xf3: the last repeat prefix, where it is not part of the opcode. */
  readonly rep: number;
  readonly lock: boolean;
  readonly rex: number;
  /** Opcode byte (the last one) and ModRM byte (-1: none). */
  readonly opcode: number;
  readonly modrm: number;
  /** ModRM.reg and ModRM.rm with REX.R / REX.B; for opcodes with a register in their low bits, `rm` holds it. */
  readonly reg: number;
  readonly rm: number;
  /** True when ModRM names memory; then base/index are register numbers (-1 none, base 16 = RIP). */
  readonly isMemory: boolean;
  readonly base: number;
  readonly index: number;
  /** log2 of the scale. */
  readonly scale: number;
  /** Displacement, sign-extended (moffs: the absolute offset, which may need all 64 bits). */
  readonly disp: bigint;
  /** Effective segment of the memory operand (0..5 = ES CS SS DS FS GS) and whether a prefix chose it. */
  readonly segment: number;
  readonly segmentOverride: boolean;
  /** Immediate, sign-extended where the encoding says so; 0n without one. Far pointers: the offset. */
  readonly imm: bigint;
  /** Second immediate: ENTER's level, a far pointer's selector. */
  readonly imm2: number;
  /** The register in VEX.vvvv; not there without a VEX prefix. */
  readonly vvvv?: number;
  /** Bytes of the vectors, where that is 32 by VEX.L. */
  readonly vectorBytes?: 8 | 16 | 32;
  /** What executes it, once it was looked up by name. */
  run?: Helper | undefined;
}
