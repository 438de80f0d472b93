import { takeDebugCauses, trapNoted } from '../breakpoint-registers.ts';
import { Activity, Interruptibility, type Cpu } from '../cpu.ts';
import { ABANDONED, GuestFault, Vector, type GuestEvent } from '../fault.ts';
import { deliverLong } from './deliver-long.ts';
import { deliverProtected } from './deliver-protected.ts';
import { deliverReal } from './deliver-real.ts';
import { combine, eventWord, pushedFlags, returnRip } from './event-rules.ts';

/**
 * The event being delivered on each CPU, by index: a VM exit that happens meanwhile records it as IDT-vectoring information
 * (SDM Vol. 3, 27.2.4). Undefined while none is, and for the double fault and triple fault themselves.
 */
export const currentDelivery: (GuestEvent | undefined)[] = [];

function deliverOnce(cpu: Cpu, event: GuestEvent): void {
  if (cpu.quick?.deliver(cpu.block, eventWord(event), event.errorCode ?? 0)) {
    cpu.ripWritten = true;
    return;
  }
  const flags = pushedFlags(cpu, event);
  const rip = returnRip(cpu, event);
  if (cpu.realMode) deliverReal(cpu, event, flags, rip);
  else if (cpu.longMode) deliverLong(cpu, event, flags, rip);
  else deliverProtected(cpu, event, flags, rip);
}

function shutdown(cpu: Cpu): void {
  currentDelivery[cpu.index] = undefined;
  if (cpu.guest?.tripleFault(cpu)) return;
  cpu.activity = Activity.shutdown;
  cpu.machine.request('triple-fault');
}

/** Delivers an event and what it leads to. True when a handler was reached, false after a VM exit or shutdown. */
function deliverChain(cpu: Cpu, first: GuestEvent): boolean {
  for (let event = first; ;) {
    currentDelivery[cpu.index] = event;
    try {
      deliverOnce(cpu, event);
      afterDelivery(cpu, event);
      return true;
    } catch (fault) {
      if (!(fault instanceof GuestFault)) throw fault;
      const nested: GuestEvent = { vector: fault.vector, type: 'hardware', errorCode: fault.errorCode };
      // The fault as raised is what an exception bitmap filters, before it is combined: SDM Vol. 3, 25.2 and 27.2.4.
      if (cpu.guest?.event(cpu, nested)) return false;
      const outcome = combine(event, nested);
      if (outcome === 'shutdown') {
        shutdown(cpu);
        return false;
      }
      event = outcome === 'second' ? nested : { vector: Vector.DF, type: 'hardware', errorCode: 0 };
      currentDelivery[cpu.index] = undefined;
      if (outcome === 'double-fault' && cpu.guest?.event(cpu, event)) return false;
    }
  }
}

function afterDelivery(cpu: Cpu, event: GuestEvent): void {
  cpu.interruptibility &= ~(Interruptibility.sti | Interruptibility.movSs);
  // An event ends HLT, also one injected by a VM entry into that state: SDM Vol. 3, 27.7.2.
  cpu.activity = Activity.active;
  // Entering the debug handler lets it use the debug registers: SDM Vol. 3, 17.2.4 (GD).
  if (event.vector === Vector.DB && (event.type === 'hardware' || event.type === 'privileged-software')) {
    takeDebugCauses(cpu);
    cpu.setDr(7, cpu.dr(7) & ~0x2000n);
  }
  trapNoted(cpu);
  cpu.machine.probe?.interrupt?.(cpu, event);
}

/** As `deliverEvent`; true when a handler was reached, false when a VM exit or shutdown came instead. */
export function deliver(cpu: Cpu, event: GuestEvent): boolean {
  // NMIs are blocked from the start of delivery to the next IRET: SDM Vol. 3, 6.7.1.
  if (event.type === 'nmi') cpu.interruptibility |= Interruptibility.nmi;
  try {
    return deliverChain(cpu, event);
  } catch (e) {
    if (e !== ABANDONED) throw e;
    return false;
  } finally {
    currentDelivery[cpu.index] = undefined;
  }
}

/**
 * Delivers an event through the IDT from the state at an instruction boundary (`cpu.rip` at the instruction that faulted, or at the next one for traps
 * and interrupts): SDM Vol. 3, chapter 6. Faults met on the way are delivered in its place, up to double and triple fault. Never throws to the caller:
 * after a VM exit on the way it returns with the host's state.
 */
export function deliverEvent(cpu: Cpu, event: GuestEvent): void {
  deliver(cpu, event);
}
