import type { Cpu } from '../cpu.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';

/**
 * Where the last non-control instruction was, what it was and where its operand was, for the handler of #MF: SDM Vol. 1, 8.1.8 and 8.1.9.
 * The opcode is noted for every instruction, not only for those with an unmasked exception: what it is then is the processor's own.
 */

/** Processors that report this CPUID bit have no FCS and FDS any more: SDM Vol. 1, 8.1.8. */
const DEPRECATED = 'zero-fcs-fds';

export function setX87Selectors(cpu: Cpu, fcs: number, fds: number): void {
  const none = cpu.model.features.has(DEPRECATED);
  cpu.setU32(L.FCS, none ? 0 : fcs & 0xffff);
  cpu.setU32(L.FDS, none ? 0 : fds & 0xffff);
}

/** Notes an instruction; `operand`: the offset of its memory operand, when it has one. */
export function notePointers(cpu: Cpu, insn: Insn, operand: bigint): void {
  cpu.setU64(L.FIP, cpu.rip);
  cpu.setU32(L.FOP, ((insn.opcode & 7) << 8) | insn.modrm);
  if (insn.isMemory) cpu.setU64(L.FDP, operand);
  if (cpu.model.features.has(DEPRECATED)) return;
  cpu.setU32(L.FCS, cpu.segments[L.CS]!.selector);
  if (insn.isMemory) cpu.setU32(L.FDS, cpu.segments[insn.segment]!.selector);
}

export function initX87Pointers(cpu: Cpu): void {
  cpu.setU32(L.FOP, 0);
  cpu.setU64(L.FIP, 0n);
  cpu.setU64(L.FDP, 0n);
  cpu.setU32(L.FCS, 0);
  cpu.setU32(L.FDS, 0);
}
