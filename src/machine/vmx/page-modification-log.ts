import type { Cpu } from '../cpu/cpu.ts';
import type { PhysAddr } from '../memory/address.ts';
import { F } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/** Entries of the 4-KByte log; the index counts down from the last one. */
const LAST_INDEX = 511;

/**
 * Page-modification logging: SDM Vol. 3, 29.3.6. Called before a dirty flag for EPT is set. False: the log is full, and nothing was
 * written (a VM exit is due).
 */
export function logModification(cpu: Cpu, vmcs: Vmcs, guestPhysical: PhysAddr): boolean {
  const index = vmcs.num(F.pmlIndex);
  if (index > LAST_INDEX) return false;
  const page = guestPhysical - (guestPhysical % 4096);
  cpu.machine.memory.write64(Number(vmcs.big(F.pmlAddress)) + index * 8, BigInt(page));
  vmcs.setNum(F.pmlIndex, (index - 1) & 0xffff);
  return true;
}
