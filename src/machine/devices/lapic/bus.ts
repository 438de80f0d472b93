import type { Lapic } from './lapic.ts';
import { DeliveryMode } from './registers.ts';
import { logicalX2ApicMatch } from './x2apic.ts';

/** An interrupt message between APICs: SDM Vol. 3, 11.6 and 11.10. */
export interface ApicMessage {
  readonly mode: number;
  readonly vector: number;
  /** Physical APIC ID or, when `logical`, message destination address: 8 bits, or 32 when `wide`, from an x2APIC. */
  readonly destination: number;
  readonly wide?: boolean;
  readonly logical: boolean;
  readonly level: boolean;
}

/** These destinations address every APIC, physical and logical. */
const ALL = 0xff;
const ALL_WIDE = 0xffff_ffff;

/** What connects the local APICs and the IOAPIC. Delivery is immediate. */
export class ApicBus {
  readonly lapics: Lapic[] = [];
  /** EOI of a level-triggered vector, broadcast to the IOAPICs: 11.8.5. */
  onEoi: (vector: number) => void = () => {};

  /** Delivers a message; false when no local APIC accepts it. */
  send(message: ApicMessage): boolean {
    let targets = this.lapics.filter((a) => a.onBus && addressed(a, message));
    if (message.mode === DeliveryMode.lowestPriority && targets.length > 1) targets = [lowestPriority(targets)];
    let accepted = false;
    for (const target of targets) accepted = target.receive(message.mode, message.vector, message.level) || accepted;
    return accepted;
  }

  /** A message-signalled interrupt: a write of `data` to FEExxxxxH by a device, 11.11. */
  sendMsi(address: number, data: number): boolean {
    return this.send({
      destination: (address >>> 12) & 0xff,
      logical: (address & 4) !== 0,
      mode: (data >>> 8) & 7,
      vector: data & 0xff,
      level: (data & 0x8000) !== 0,
    });
  }
}

function addressed(apic: Lapic, { destination, logical, wide }: ApicMessage): boolean {
  if (destination === (wide === true ? ALL_WIDE : ALL)) return true;
  if (!logical) return apic.id === destination;
  if (apic.x2apic) return logicalX2ApicMatch(apic.id, destination);
  return destination <= 0xff && logicalMatch(apic.logicalId, apic.destinationModel, destination);
}

/** SDM Vol. 3, 11.6.2.2: flat model (DFR 1111) or cluster model (DFR 0000, cluster in bits 7:4, 1111 is every cluster). */
export function logicalMatch(logicalId: number, model: number, destination: number): boolean {
  if (model === 0xf) return (logicalId & destination) !== 0;
  const cluster = destination >> 4;
  return (cluster === 0xf || cluster === logicalId >> 4) && (logicalId & destination & 0xf) !== 0;
}

/** Arbitration by processor priority, 11.6.2.4; ties go to the lowest APIC ID so that runs repeat. */
function lowestPriority(candidates: readonly Lapic[]): Lapic {
  const accepting = candidates.filter((a) => a.softwareEnabled);
  return (accepting.length > 0 ? accepting : candidates).reduce((best, a) => (a.processorPriority() < best.processorPriority() ? a : best));
}
