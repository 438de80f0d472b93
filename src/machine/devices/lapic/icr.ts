import type { ApicBus } from './bus.ts';
import type { Lapic } from './lapic.ts';
import { DeliveryMode } from './registers.ts';

const LOGICAL = 0x800;
const ASSERT = 0x4000;
const LEVEL = 0x8000;
/** Destination shorthands, ICR bits 19:18. */
const [SELF, ALL_INCLUDING_SELF, ALL_BUT_SELF] = [1, 2, 3] as const;

/**
 * Sends what the interrupt command register asks for: SDM Vol. 3, 11.6.1. Returns true when the vector is illegal (below
 * 16 with fixed or lowest priority) and nothing was sent.
 */
export function sendIpi(from: Lapic, bus: ApicBus, low: number, destination: number, wide: boolean): boolean {
  const mode = (low >> 8) & 7;
  const vector = low & 0xff;
  const maskable = mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority;
  if (maskable && vector < 16) return true;
  // INIT level de-assert was for the arbitration IDs of P6 and earlier; processors since ignore it.
  if (mode === DeliveryMode.init && (low & (LEVEL | ASSERT)) === LEVEL) return false;
  // IPIs are edge-triggered whatever bit 15 says (table 11-3): an EOI for one must not reach the IOAPIC.
  const shorthand = (low >> 18) & 3;
  if (shorthand === SELF) {
    if (maskable) from.receive(mode, vector, false); // the other modes are invalid with this shorthand
  } else if (shorthand === ALL_INCLUDING_SELF || shorthand === ALL_BUT_SELF) {
    for (const target of bus.lapics) if (target.onBus && (target !== from || shorthand === ALL_INCLUDING_SELF)) target.receive(mode, vector, false);
  } else {
    bus.send({ mode, vector, destination, logical: (low & LOGICAL) !== 0, level: false, wide });
  }
  return false;
}
