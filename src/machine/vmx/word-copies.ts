import type { Cpu } from '../cpu/cpu.ts';
import type { VmcsField } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/**
 * VM entries and exits move some hundred words between the VMCS and the CPU block, nearly all of them unchanged: which, is a
 * table of pairs (word of the CPU block, word of the VMCS), so that a transition is a loop without bigints.
 */
export type WordCopies = Uint16Array;

/** A slot of the CPU block that holds 32 bits, and a field of at most as many. */
export const narrow = (slot: number, f: VmcsField<16 | 32>): readonly number[] => [slot >> 2, f.offset >> 2];
/** A slot of 64 bits and a field of 64 bits or natural width. */
export const wide = (slot: number, f: VmcsField<64 | 'natural'>): readonly number[] => [
  slot >> 2,
  f.offset >> 2,
  (slot >> 2) + 1,
  (f.offset >> 2) + 1,
];
export const wordCopies = (...pairs: readonly (readonly number[])[]): WordCopies => Uint16Array.from(pairs.flat());

export function loadWords(cpu: Cpu, vmcs: Vmcs, copies: WordCopies): void {
  const { u32 } = cpu.m;
  const to = cpu.block >> 2;
  const from = vmcs.word;
  for (let n = 0; n < copies.length; n += 2) u32[to + copies[n]!] = u32[from + copies[n + 1]!]!;
}

/** The caller calls `vmcs.touch` when all is written. */
export function saveWords(cpu: Cpu, vmcs: Vmcs, copies: WordCopies): void {
  const { u32 } = cpu.m;
  const from = cpu.block >> 2;
  const to = vmcs.word;
  for (let n = 0; n < copies.length; n += 2) u32[to + copies[n + 1]!] = u32[from + copies[n]!]!;
}
