import { Flag, type Cpu } from '../cpu.ts';
import { Vector, type GuestEvent } from '../fault.ts';
import { Event } from '../quick/event.ts';

/** Classes of SDM Vol. 3, table 6-4. */
type FaultClass = 'benign' | 'contributory' | 'page-fault' | 'double-fault';
const CONTRIBUTORY: ReadonlySet<number> = new Set([Vector.DE, Vector.TS, Vector.NP, Vector.SS, Vector.GP, Vector.CP]);

function classOf(event: GuestEvent): FaultClass {
  if (event.type !== 'hardware') return 'benign';
  if (event.vector === Vector.PF || event.vector === Vector.VE) return 'page-fault';
  if (event.vector === Vector.DF) return 'double-fault';
  return CONTRIBUTORY.has(event.vector) ? 'contributory' : 'benign';
}

/** What a second exception while delivering a first one becomes: SDM Vol. 3, table 6-5. */
export function combine(first: GuestEvent, second: GuestEvent): 'second' | 'double-fault' | 'shutdown' {
  const a = classOf(first);
  const b = classOf(second);
  if (b === 'benign' || a === 'benign') return 'second';
  if (a === 'double-fault') return 'shutdown';
  return a === 'contributory' && b === 'page-fault' ? 'second' : 'double-fault';
}

const NOT_FAULTS: ReadonlySet<number> = new Set([Vector.DB, Vector.NMI, Vector.BP, Vector.OF, Vector.DF, Vector.MC]);

/** RFLAGS as pushed: RF is set for faults, so that an instruction breakpoint does not recur: SDM Vol. 3, 17.3.1.1. */
export function pushedFlags(cpu: Cpu, event: GuestEvent): number {
  return event.type === 'hardware' && !NOT_FAULTS.has(event.vector) ? cpu.rflags | Flag.RF : cpu.rflags;
}

/** INT n, INT3 and INTO: gate DPL is checked, and EXT stays clear. INT1 is none of them: SDM Vol. 2, INT n. */
export const isSoftwareInterrupt = (event: GuestEvent): boolean => event.type === 'software' || event.type === 'software-exception';

/** The event as the quick delivery takes it (quick/deliver.ts). */
export function eventWord(event: GuestEvent): number {
  const software = isSoftwareInterrupt(event);
  const resume = event.type === 'hardware' && !NOT_FAULTS.has(event.vector);
  const length = software || event.type === 'privileged-software' ? (event.length ?? 0) : 0;
  return (
    event.vector |
    (event.errorCode === undefined ? 0 : Event.errorCode) |
    (software ? Event.software : 0) |
    (resume ? Event.resume : 0) |
    (length << Event.length)
  );
}

/** EXT of the error codes of faults during delivery: SDM Vol. 3, 6.13. */
export const externalBit = (event: GuestEvent): 0 | 1 => (isSoftwareInterrupt(event) ? 0 : 1);

/** RIP as pushed: software kinds return to the next instruction, whose distance the event tells. */
export function returnRip(cpu: Cpu, event: GuestEvent): bigint {
  const software = isSoftwareInterrupt(event) || event.type === 'privileged-software';
  return BigInt.asUintN(cpu.code64 ? 64 : 32, cpu.rip + BigInt(software ? (event.length ?? 0) : 0));
}
