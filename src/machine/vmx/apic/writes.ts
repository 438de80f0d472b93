import type { Cpu } from '../../cpu/cpu.ts';
import { Secondary } from '../controls.ts';
import { secondaryControls } from '../execution-controls.ts';
import { vmExit } from '../exit.ts';
import { ExitReason } from '../reasons.ts';
import type { Vmcs } from '../vmcs.ts';
import { readVirtual, Reg, writeVirtual } from './registers.ts';
import { requestVirtualInterrupt, virtualizeEoi, virtualizeTpr } from './virtual-interrupts.ts';

/** APIC-write VM exit: trap-like, with the offset of the register. SDM Vol. 3, 30.4.3.3. */
function apicWriteExit(cpu: Cpu, offset: number): true {
  vmExit(cpu, { reason: ExitReason.apicWrite, qualification: BigInt(offset) });
  return true;
}

/** VICR_LO asks for a fixed, edge-triggered interrupt to self, whose vector is at least 16: SDM Vol. 3, 30.1.5. */
const isSelfIpi = (icr: number): boolean => (icr & 0xfff3_b700) === 0 && ((icr >> 18) & 3) === 1 && (icr & 0xf0) !== 0;

/**
 * APIC-write emulation, when the instruction that wrote the virtual-APIC page is complete: SDM Vol. 3, 30.4.3.2. True: a VM exit was
 * performed.
 */
export function emulateApicWrite(cpu: Cpu, vmcs: Vmcs, offset: number): boolean {
  const register = offset & 0xff0;
  const delivery = (secondaryControls(vmcs) & Secondary.virtualInterruptDelivery) !== 0;
  switch (register) {
    case Reg.tpr:
      writeVirtual(cpu, vmcs, Reg.tpr, readVirtual(cpu, vmcs, Reg.tpr) & 0xff);
      return virtualizeTpr(cpu, vmcs);
    case Reg.eoi:
      if (!delivery) return apicWriteExit(cpu, offset);
      writeVirtual(cpu, vmcs, Reg.eoi, 0);
      return virtualizeEoi(cpu, vmcs);
    case Reg.icrLow: {
      const icr = readVirtual(cpu, vmcs, Reg.icrLow);
      if (!delivery || !isSelfIpi(icr)) return apicWriteExit(cpu, offset);
      requestVirtualInterrupt(cpu, vmcs, icr & 0xff);
      return false;
    }
    case Reg.icrHigh:
      writeVirtual(cpu, vmcs, Reg.icrHigh, readVirtual(cpu, vmcs, Reg.icrHigh) & 0xff00_0000);
      return false;
    default:
      return apicWriteExit(cpu, offset);
  }
}
