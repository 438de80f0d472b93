import type { Cpu } from '../cpu.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { exceptionPending } from './state.ts';

/**
 * Where the last non-control instruction was, what it was and where its operand was, for the handler of #MF: SDM Vol. 1, 8.1.8 and 8.1.9.
 * The opcode is only noted of an instruction that leaves an unmasked exception (8.1.9.1, fopcode compatibility mode off). The emitted forms
 * of common instructions do the same (semantics/x87/stack.ts).
 */

/** Processors that report this CPUID bit have no FCS and FDS any more, and store zeros: SDM Vol. 1, 8.1.8. */
const DEPRECATED = 'zero-fcs-fds';

export function x87Selectors(cpu: Cpu): { readonly fcs: number; readonly fds: number } {
  if (cpu.model.features.has(DEPRECATED)) return { fcs: 0, fds: 0 };
  return { fcs: cpu.u32(L.FCS) & 0xffff, fds: cpu.u32(L.FDS) & 0xffff };
}

export function setX87Selectors(cpu: Cpu, fcs: number, fds: number): void {
  cpu.setU32(L.FCS, fcs & 0xffff);
  cpu.setU32(L.FDS, fds & 0xffff);
}

/** Notes an instruction; `operand`: the offset of its memory operand, when it has one. */
export function notePointers(cpu: Cpu, insn: Insn, operand: bigint): void {
  cpu.setU64(L.FIP, cpu.rip);
  if (exceptionPending(cpu)) cpu.setU32(L.FOP, ((insn.opcode & 7) << 8) | insn.modrm);
  cpu.setU32(L.FCS, cpu.segments[L.CS]!.selector);
  if (!insn.isMemory) return;
  cpu.setU64(L.FDP, operand);
  cpu.setU32(L.FDS, cpu.segments[insn.segment]!.selector);
}

export function initX87Pointers(cpu: Cpu): void {
  cpu.setU32(L.FOP, 0);
  cpu.setU64(L.FIP, 0n);
  cpu.setU64(L.FDP, 0n);
  setX87Selectors(cpu, 0, 0);
}
