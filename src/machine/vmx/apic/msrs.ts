import type { Cpu } from '../../cpu/cpu.ts';
import { gp } from '../../cpu/fault.ts';
import { Secondary } from '../controls.ts';
import { secondaryControls } from '../execution-controls.ts';
import { vmExit } from '../exit.ts';
import { ExitReason } from '../reasons.ts';
import type { Vmcs } from '../vmcs.ts';
import { readVirtual, Reg, writeVirtual } from './registers.ts';
import { afterInstruction, requestVirtualInterrupt, virtualizeEoi, virtualizeTpr } from './virtual-interrupts.ts';

/** "Virtualize x2APIC mode": RDMSR and WRMSR of 800H-8FFH. SDM Vol. 3, 30.5. */
const Msr = { tpr: 0x808, eoi: 0x80b, icr: 0x830, selfIpi: 0x83f } as const;
const isX2apic = (index: number): boolean => index >>> 8 === 8;
const pageOffset = (index: number): number => (index & 0xff) << 4;

/** RDMSR: true when answered from the virtual-APIC page. */
export function readVirtualMsr(cpu: Cpu, vmcs: Vmcs, index: number): boolean {
  const secondary = secondaryControls(vmcs);
  if ((secondary & Secondary.virtualizeX2apic) === 0 || !isX2apic(index)) return false;
  if ((secondary & Secondary.apicRegisterVirtualization) === 0 && index !== Msr.tpr) return false;
  const offset = pageOffset(index);
  cpu.setGpr32(0, readVirtual(cpu, vmcs, offset));
  cpu.setGpr32(2, readVirtual(cpu, vmcs, offset + 4));
  return true;
}

/** WRMSR: true when it went to the virtual-APIC page. */
export function writeVirtualMsr(cpu: Cpu, vmcs: Vmcs, index: number): boolean {
  const secondary = secondaryControls(vmcs);
  if ((secondary & Secondary.virtualizeX2apic) === 0) return false;
  const delivery = (secondary & Secondary.virtualInterruptDelivery) !== 0;
  if (index !== Msr.tpr && !(delivery && (index === Msr.eoi || index === Msr.selfIpi))) return false;
  const [low, high] = [cpu.gpr32(0), cpu.gpr32(2)];
  if (high !== 0 || (index === Msr.eoi ? low !== 0 : low >>> 8 !== 0)) throw gp();
  return afterInstruction(cpu, () => {
    const offset = pageOffset(index);
    writeVirtual(cpu, vmcs, offset, low);
    writeVirtual(cpu, vmcs, offset + 4, 0);
    if (index === Msr.tpr) return virtualizeTpr(cpu, vmcs);
    if (index === Msr.eoi) return virtualizeEoi(cpu, vmcs);
    if (low >> 4 !== 0) {
      requestVirtualInterrupt(cpu, vmcs, low);
      return false;
    }
    vmExit(cpu, { reason: ExitReason.apicWrite, qualification: BigInt(Reg.selfIpi) });
    return true;
  });
}
