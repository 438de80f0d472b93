import type { Cpu } from '../cpu/cpu.ts';
import { currentDelivery } from '../cpu/system/deliver.ts';
import type { PhysAddr } from '../memory/address.ts';
import { F } from './fields.ts';
import { ExitReason } from './reasons.ts';
import type { Vmcs } from './vmcs.ts';

/** Virtualization exceptions: SDM Vol. 3, 26.5.7. The information area's layout: table 26-1. */
const Area = { reason: 0, busy: 4, qualification: 8, linear: 16, guestPhysical: 24, eptpIndex: 32 } as const;

const area = (vmcs: Vmcs): PhysAddr => Number(vmcs.big(F.veInfoAddress));

/** True when an EPT violation that is convertible becomes #VE: protected mode, no event being delivered, area not in use (26.5.7.1). */
export function becomesException(cpu: Cpu, vmcs: Vmcs): boolean {
  return !cpu.realMode && currentDelivery[cpu.index] === undefined && cpu.machine.memory.read(area(vmcs) + Area.busy, 4) === 0;
}

export interface VeInformation {
  readonly qualification: number;
  readonly linear: bigint;
  readonly guestPhysical: PhysAddr;
}

/** SDM Vol. 3, 26.5.7.2: what the guest's handler finds. The area stays busy until software writes 0 there. */
export function writeVeInformation(cpu: Cpu, vmcs: Vmcs, info: VeInformation): void {
  const { memory } = cpu.machine;
  const at = area(vmcs);
  memory.write(at + Area.reason, 4, ExitReason.eptViolation);
  memory.write(at + Area.busy, 4, 0xffff_ffff);
  memory.write64(at + Area.qualification, BigInt(info.qualification));
  memory.write64(at + Area.linear, info.linear);
  memory.write64(at + Area.guestPhysical, BigInt(info.guestPhysical));
  memory.write(at + Area.eptpIndex, 2, vmcs.num(F.eptpIndex));
}
