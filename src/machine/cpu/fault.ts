/**
 * How an instruction written in TypeScript ends early. Both are thrown before anything was committed and caught by the
 * run loop; neither is an Error, so no stack trace is captured. Emitted code never throws: its faults are return codes.
 */

/** An exception of the guest: SDM Vol. 3, 6.15. */
export class GuestFault {
  readonly vector: number;
  readonly errorCode: number | undefined;
  constructor(vector: number, errorCode?: number) {
    this.vector = vector;
    this.errorCode = errorCode;
  }
}

/** The instruction was ended by something that already set RIP and all else: a VM exit, a task switch, a reset. */
export const ABANDONED = { name: 'instruction abandoned' } as const;

export const Vector = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19, VE: 20, CP: 21,
} as const; // prettier-ignore

export const ud = (): GuestFault => new GuestFault(Vector.UD);
export const gp = (errorCode = 0): GuestFault => new GuestFault(Vector.GP, errorCode);
export const ss = (errorCode = 0): GuestFault => new GuestFault(Vector.SS, errorCode);
export const np = (errorCode: number): GuestFault => new GuestFault(Vector.NP, errorCode);
export const ts = (errorCode: number): GuestFault => new GuestFault(Vector.TS, errorCode);
export const nm = (): GuestFault => new GuestFault(Vector.NM);

/** An event to be delivered through the IDT: SDM Vol. 3, 6.3 and 24.8.3 (interruption types 0, 2, 3, 4, 5, 6). */
export type EventType = 'external' | 'nmi' | 'hardware' | 'software' | 'privileged-software' | 'software-exception';
export interface GuestEvent {
  readonly vector: number;
  readonly type: EventType;
  readonly errorCode: number | undefined;
  /** For the software kinds: length of INT n, INT3, INTO, INT1, so that the pushed RIP is that of the next instruction. */
  readonly length?: number;
}
