import { Flag, type Cpu } from '../cpu.ts';
import { selectTlb } from '../mmu/tlb.ts';

/** CF PF AF ZF SF TF DF OF NT: what POPF and IRET may change at any privilege. */
export const COMMON_FLAGS = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.TF | Flag.DF | Flag.OF | Flag.NT;

export const iopl = (cpu: Cpu): number => (cpu.sysflags & Flag.IOPL) >> 12;

/** Changes the RFLAGS bits of `change` to those of `value`, with what depends on them. */
export function loadFlags(cpu: Cpu, value: number, change: number): void {
  const old = cpu.rflags;
  const next = (old & ~change) | (value & change);
  cpu.rflags = next;
  // At CPL 3 RFLAGS.AC turns alignment checking on, which chooses another TLB half.
  if (((old ^ next) & Flag.AC) !== 0) selectTlb(cpu);
  if ((next & ~old & Flag.IF) !== 0 && cpu.pending !== 0) cpu.machine.kick();
}
