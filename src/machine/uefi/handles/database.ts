import type { Guid } from '../guids.ts';
import { Refusal, Status, invalid } from '../status.ts';
import { opaque, type FirmwareState, type HandleEntry, type Opaque, type ProtocolEntry } from '../state.ts';
import { allocateBootData, releasePool } from '../memory/pool.ts';

/** The handle database: UEFI 2.10, 7.3. A handle's value is the address of a small pool block, as in other firmware. */

export function findHandle(state: FirmwareState, handle: number): HandleEntry | undefined {
  return state.handles.find((h) => h.handle === handle);
}

export function requireHandle(state: FirmwareState, handle: number): HandleEntry {
  const entry = findHandle(state, handle);
  if (!entry) throw invalid('no such handle');
  return entry;
}

export const protocolOn = (entry: HandleEntry, guid: Guid): ProtocolEntry | undefined => entry.protocols.find((p) => p.guid === guid);

/** Address of an interface that the firmware itself installed. */
export function interfaceAddress(state: FirmwareState, handle: number, guid: Guid): number | undefined {
  const entry = findHandle(state, handle);
  const protocol = entry && protocolOn(entry, guid);
  return protocol && Number(BigInt(protocol.interface));
}

/** Installs one protocol; handle 0 makes a new handle. Returns the handle. */
export function installProtocol(state: FirmwareState, handle: number, guid: Guid, at: Opaque | number): number {
  let entry: HandleEntry;
  if (handle === 0) {
    entry = { handle: allocateBootData(state, 32), protocols: [] };
    state.handles.push(entry);
  } else {
    entry = requireHandle(state, handle);
    if (protocolOn(entry, guid)) throw invalid('protocol is installed already');
  }
  entry.protocols.push({ guid, interface: typeof at === 'number' ? opaque(at) : at, opens: [] });
  announce(state, guid, entry.handle);
  return entry.handle;
}

/** Tells RegisterProtocolNotify's registrations. The caller signals the events. */
function announce(state: FirmwareState, guid: Guid, handle: number): void {
  for (const r of state.registrations) if (r.guid === guid && !r.fresh.includes(handle)) r.fresh.push(handle);
}

/** Events to signal because of an installation. */
export const eventsFor = (state: FirmwareState, guid: Guid): number[] => state.registrations.filter((r) => r.guid === guid).map((r) => r.event);

export function uninstallProtocol(state: FirmwareState, handle: number, guid: Guid, at: Opaque): void {
  const entry = requireHandle(state, handle);
  const protocol = protocolOn(entry, guid);
  if (!protocol || protocol.interface !== at) throw new Refusal(Status.NOT_FOUND);
  // UEFI 2.10, 7.3.4: a protocol that drivers or children still use stays. There are no drivers to disconnect.
  if (protocol.opens.some((o) => (o.attributes & 0x38) !== 0)) throw new Refusal(Status.ACCESS_DENIED);
  entry.protocols.splice(entry.protocols.indexOf(protocol), 1);
  if (entry.protocols.length === 0) removeHandle(state, handle);
}

export function removeHandle(state: FirmwareState, handle: number): void {
  if (!findHandle(state, handle)) return;
  state.handles = state.handles.filter((h) => h.handle !== handle);
  for (const r of state.registrations) r.fresh = r.fresh.filter((h) => h !== handle);
  releasePool(state, handle);
}

/** EFI_LOCATE_SEARCH_TYPE: UEFI 2.10, 7.3.15. */
export const Search = { allHandles: 0, byRegisterNotify: 1, byProtocol: 2 } as const;

export function locateHandles(state: FirmwareState, how: number, guid: Guid | undefined, key: number): number[] {
  if (how === Search.allHandles) return state.handles.map((h) => h.handle);
  if (how === Search.byProtocol) {
    if (guid === undefined) throw invalid('protocol is NULL');
    return state.handles.filter((h) => protocolOn(h, guid)).map((h) => h.handle);
  }
  if (how !== Search.byRegisterNotify) throw invalid('search type');
  const registration = state.registrations.find((r) => r.key === key);
  if (!registration) throw invalid('no such registration');
  return registration.fresh.slice(0, 1);
}
