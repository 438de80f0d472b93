import type { Cpu } from './cpu.ts';
import * as L from './layout.ts';
import { syncContext } from './mmu/contexts.ts';

/** Sets PKRU: rights that the TLB remembers are asked for anew. SDM Vol. 3, 4.6.2. */
export function writePkru(cpu: Cpu, value: number): void {
  if (cpu.u32(L.PKRU) === value) return;
  cpu.setU32(L.PKRU, value);
  syncContext(cpu);
}
