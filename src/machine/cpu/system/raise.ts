import type { Cpu } from '../cpu.ts';
import { ABANDONED, type GuestEvent, type GuestFault } from '../fault.ts';
import { deliver } from './deliver.ts';

/** Delivers an event that an instruction asks for. INT3, INTO and INT1 are filtered by the exception bitmap, INT n is not: SDM Vol. 3, 25.2. */
export function raise(cpu: Cpu, event: GuestEvent): void {
  if (event.type !== 'software' && cpu.guest?.event(cpu, event)) throw ABANDONED;
  if (!deliver(cpu, event)) throw ABANDONED;
}

/**
 * Ends an instruction that switched tasks. A fault of the new task's context cannot be thrown: whoever catches a fault puts RIP back to the
 * instruction, which belongs to the old task.
 */
export function endTaskSwitch(cpu: Cpu, fault: GuestFault | undefined): void {
  if (!fault) return;
  raise(cpu, { vector: fault.vector, type: 'hardware', errorCode: fault.errorCode });
  throw ABANDONED;
}
