import { EventType, Tpl } from '../constants.ts';
import { Guids, type Guid } from '../guids.ts';
import { allocateBootData, releasePool } from '../memory/pool.ts';
import { invalid } from '../status.ts';
import type { EventEntry, FirmwareState, Opaque } from '../state.ts';

/** Events, timers and the notification queue: UEFI 2.10, 7.1. */

const NONE: Opaque = '0x0';

export function findEvent(state: FirmwareState, event: number): EventEntry | undefined {
  return state.events.find((e) => e.event === event);
}

export function requireEvent(state: FirmwareState, event: number): EventEntry {
  const entry = findEvent(state, event);
  if (!entry) throw invalid('no such event');
  return entry;
}

/** The two special types are event groups of their own: UEFI 2.10, 7.1.2. */
function groupOfType(type: number): Guid | null {
  if (type === EventType.signalExitBootServices) return Guids.eventExitBootServices;
  if (type === EventType.signalVirtualAddressChange) return Guids.eventVirtualAddressChange;
  return null;
}

export function createEvent(state: FirmwareState, type: number, tpl: number, notify: Opaque, context: Opaque, group: Guid | null): EventEntry {
  const special = groupOfType(type);
  const known = EventType.timer | EventType.runtime | EventType.notifyWait | EventType.notifySignal;
  if (special === null && (type & ~known) !== 0) throw invalid('event type');
  const notifies = (type & (EventType.notifyWait | EventType.notifySignal)) !== 0;
  if ((type & EventType.notifyWait) !== 0 && (type & EventType.notifySignal) !== 0) throw invalid('both notify types');
  if (notifies && notify === NONE) throw invalid('no notification function');
  if (notifies && (tpl <= Tpl.application || tpl >= Tpl.high)) throw invalid('TPL');
  if (group !== null && special !== null) throw invalid('group and special type');
  const entry: EventEntry = {
    event: allocateBootData(state, 64),
    type,
    tpl,
    notify: notifies ? notify : NONE,
    context,
    group: group ?? special,
    signaled: false,
    due: null,
    period: 0,
    key: false,
  };
  state.events.push(entry);
  return entry;
}

export function closeEvent(state: FirmwareState, event: number): void {
  state.events = state.events.filter((e) => e.event !== event);
  state.queue = state.queue.filter((e) => e !== event);
  state.registrations = state.registrations.filter((r) => r.event !== event);
  releasePool(state, event);
}

/** Signals one event, or every event of its group. Notifications are queued; `dispatch` calls them. */
export function signalEvent(state: FirmwareState, entry: EventEntry): void {
  if (entry.group !== null) signalGroup(state, entry.group);
  else signalOne(state, entry);
}

export function signalGroup(state: FirmwareState, group: Guid): void {
  for (const e of state.events) if (e.group === group) signalOne(state, e);
}

function signalOne(state: FirmwareState, entry: EventEntry): void {
  if (entry.signaled) return;
  entry.signaled = true;
  if ((entry.type & EventType.notifySignal) !== 0) queueNotify(state, entry);
}

export function queueNotify(state: FirmwareState, entry: EventEntry): void {
  if (!state.queue.includes(entry.event)) state.queue.push(entry.event);
}

/** The next notification above a priority: highest TPL first, first signalled first. */
export function nextNotify(state: FirmwareState, above: number): EventEntry | undefined {
  let best: EventEntry | undefined;
  for (const id of state.queue) {
    const e = findEvent(state, id);
    if (e && e.tpl > above && (!best || e.tpl > best.tpl)) best = e;
  }
  return best;
}

/** Takes it off the queue, as it is about to be called. */
export function takeNotify(state: FirmwareState, entry: EventEntry): void {
  state.queue = state.queue.filter((id) => id !== entry.event);
  if ((entry.type & EventType.notifySignal) !== 0) entry.signaled = false;
}

/** The tick: signals timers that are due. A periodic timer that fell behind is signalled once. */
export function expireTimers(state: FirmwareState, now: number): void {
  for (const e of state.events) {
    if (e.due === null || e.due > now) continue;
    e.due = e.period > 0 ? e.due + Math.ceil((now - e.due + 1) / e.period) * e.period : null;
    signalEvent(state, e);
  }
}

/** Is it signaled? Clears it when it is. The key event follows the keyboard. */
export function pollEvent(state: FirmwareState, entry: EventEntry): boolean {
  if (entry.key) return state.console.keys.length > 0;
  const was = entry.signaled;
  entry.signaled = false;
  return was;
}
