import type { EventType, GuestEvent } from '../cpu/fault.ts';

/**
 * The interruption-information format that VM entry, VM exit and IDT vectoring share: SDM Vol. 3, 25.8.3, 25.9.2, 25.9.3.
 */
export const EventKind = { external: 0, nmi: 2, hardware: 3, software: 4, privilegedSoftware: 5, softwareException: 6, other: 7 } as const;

const kinds: Readonly<Record<EventType, number>> = {
  external: EventKind.external,
  nmi: EventKind.nmi,
  hardware: EventKind.hardware,
  software: EventKind.software,
  'privileged-software': EventKind.privilegedSoftware,
  'software-exception': EventKind.softwareException,
};
const types = new Map<number, EventType>(Object.entries(kinds).map(([type, kind]) => [kind, type as EventType]));

export interface InterruptionInfo {
  readonly valid: boolean;
  readonly vector: number;
  readonly type: number;
  readonly deliverErrorCode: boolean;
}

export function parseInfo(info: number): InterruptionInfo {
  return { valid: info >>> 31 === 1, vector: info & 0xff, type: (info >> 8) & 7, deliverErrorCode: (info & 0x800) !== 0 };
}

/** The field's value for an event, bit 31 set. */
export function infoOf(event: GuestEvent): number {
  return (0x8000_0000 | event.vector | (kinds[event.type] << 8) | (event.errorCode === undefined ? 0 : 0x800)) >>> 0;
}

/** The event that a VM entry is to inject. */
export function eventOf(info: InterruptionInfo, errorCode: number, length: number): GuestEvent {
  const type = types.get(info.type)!;
  const event = { vector: info.vector, type, errorCode: info.deliverErrorCode ? errorCode : undefined };
  return type === 'software' || type === 'privileged-software' || type === 'software-exception' ? { ...event, length } : event;
}

/** #DF #TS #NP #SS #GP #PF #AC (and #CP, which no model has): SDM Vol. 3, table 6-1. */
const ERROR_CODES = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);
export function hasErrorCode(vector: number): boolean {
  return vector < 32 && ((ERROR_CODES >> vector) & 1) === 1;
}

const kindNames: Readonly<Record<number, string>> = {
  0: 'external interrupt', 2: 'NMI', 3: 'hardware exception', 4: 'software interrupt', 5: 'privileged software exception', 6: 'software exception', 7: 'other event (MTF)',
}; // prettier-ignore

export function infoText(info: number): string {
  const i = parseInfo(info);
  if (!i.valid) return 'not valid';
  return `${kindNames[i.type] ?? `type ${i.type}`}, vector ${i.vector}${i.deliverErrorCode ? ', error code' : ''}`;
}
