import type { Cpu } from './cpu.ts';
import type { Insn } from './isa/insn.ts';

/**
 * An instruction written in TypeScript. The core sets `rip` and `nextRip` first; faults and ABANDONED are thrown before
 * anything is committed. A helper that sets `rip` sets `nextRip` to the same value (`setRip`), so that a jump to itself
 * is not mistaken for "rip unchanged, go on".
 */
export type Helper = (cpu: Cpu, insn: Insn) => void;

/** A table of helpers by `Insn.name`. */
export type HelperTable = Readonly<Record<string, Helper>>;
