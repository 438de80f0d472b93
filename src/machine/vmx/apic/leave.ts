import type { Cpu } from '../../cpu/cpu.ts';
import { APIC_WRITE, VIRTUAL_INTERRUPT } from '../state.ts';

/** A VM exit: what was recognized or due ends with the guest. RVI and SVI are in the VMCS. */
export function leaveVirtualApic(cpu: Cpu): void {
  cpu.setU32(VIRTUAL_INTERRUPT, 0);
  cpu.setU32(APIC_WRITE, 0);
}
