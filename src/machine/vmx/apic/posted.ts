import type { Cpu } from '../../cpu/cpu.ts';
import type { PhysAddr } from '../../memory/address.ts';
import { Pin } from '../controls.ts';
import { F } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';
import { readVirtual, Reg, rvi, setRvi, writeVirtual } from './registers.ts';
import { evaluate } from './virtual-interrupts.ts';

/** The posted-interrupt descriptor: SDM Vol. 3, table 30-1. 256 requests (PIR), then the outstanding-notification bit. */
const NOTIFICATION = 32;
const OUTSTANDING = 1;

export const postsInterrupts = (vmcs: Vmcs): boolean => (vmcs.num(F.pinControls) & Pin.postedInterrupts) !== 0;

/**
 * An external interrupt was acknowledged: with the notification vector, what was posted becomes requested and no VM exit follows.
 * SDM Vol. 3, 30.6. False: it is another interrupt.
 */
export function processPosted(cpu: Cpu, vmcs: Vmcs, vector: number): boolean {
  if (vector !== vmcs.num(F.postedNotificationVector)) return false;
  const { memory } = cpu.machine;
  const descriptor: PhysAddr = Number(vmcs.big(F.postedDescriptorAddress));
  memory.write(descriptor + NOTIFICATION, 4, memory.read(descriptor + NOTIFICATION, 4) & ~OUTSTANDING);
  cpu.irq.endOfInterrupt?.();
  let highest = 0;
  for (let n = 0; n < 8; n++) {
    const requests = memory.read(descriptor + n * 4, 4);
    if (requests === 0) continue;
    memory.write(descriptor + n * 4, 4, 0);
    writeVirtual(cpu, vmcs, Reg.irr + n * 16, readVirtual(cpu, vmcs, Reg.irr + n * 16) | requests);
    highest = n * 32 + 31 - Math.clz32(requests);
  }
  setRvi(vmcs, Math.max(rvi(vmcs), highest));
  evaluate(cpu, vmcs);
  return true;
}
