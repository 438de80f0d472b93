/**
 * The local APIC's registers: SDM Vol. 3, 11.4.1, table 11-1. A register's number is its MMIO offset / 16, which is also
 * its x2APIC MSR address - 800H (11.12.1.2).
 */
export const Reg = {
  ID: 0x02, VERSION: 0x03, TPR: 0x08, APR: 0x09, PPR: 0x0a, EOI: 0x0b, RRD: 0x0c, LDR: 0x0d, DFR: 0x0e, SVR: 0x0f, ISR: 0x10, TMR: 0x18, IRR: 0x20,
  ESR: 0x28, ICR_LOW: 0x30, ICR_HIGH: 0x31, LVT_TIMER: 0x32, LVT_THERMAL: 0x33, LVT_PERF: 0x34, LVT_LINT0: 0x35, LVT_LINT1: 0x36, LVT_ERROR: 0x37,
  INITIAL_COUNT: 0x38, CURRENT_COUNT: 0x39, DIVIDE: 0x3e,
} as const; // prettier-ignore
export const REGISTER_COUNT = 0x40;

export const LVT_MASKED = 0x1_0000;
/** Software enable, in the spurious-interrupt vector register: 11.9. */
export const SVR_ENABLE = 0x100;

/** Error status bits: 11.5.3. */
export const ApicError = { sendIllegalVector: 0x20, receivedIllegalVector: 0x40, illegalRegister: 0x80 } as const;

/** Delivery modes of the ICR, LVT and IOAPIC entries: 11.5.1, 11.6.1. */
export const DeliveryMode = { fixed: 0, lowestPriority: 1, smi: 2, nmi: 4, init: 5, startUp: 6, extInt: 7 } as const;

export interface RegisterRow {
  readonly index: number;
  readonly name: string;
  readonly access: 'read' | 'write' | 'read-write';
  /** Bits that software can change; the others keep their reset value. */
  readonly mask: number;
  /** Value after power-on, RESET or INIT: 11.4.7.1. */
  readonly reset: number;
}

const row = (name: string, index: number, access: RegisterRow['access'], mask = 0, reset = 0): RegisterRow => ({ index, name, access, mask, reset });
const bank = (name: string, index: number): RegisterRow[] => Array.from({ length: 8 }, (_, n) => row(`${name}${n}`, index + n, 'read'));

export const registerRows: readonly RegisterRow[] = [
  row('ID', Reg.ID, 'read-write', 0xff00_0000), // xAPIC: bits 31:24; set at construction
  row('VERSION', Reg.VERSION, 'read', 0, 0x0005_0014), // integrated APIC, 6 LVT entries, no EOI-broadcast suppression
  row('TPR', Reg.TPR, 'read-write', 0xff),
  row('APR', Reg.APR, 'read'),
  row('PPR', Reg.PPR, 'read'),
  row('EOI', Reg.EOI, 'write'),
  row('RRD', Reg.RRD, 'read'),
  row('LDR', Reg.LDR, 'read-write', 0xff00_0000),
  row('DFR', Reg.DFR, 'read-write', 0xf000_0000, 0xffff_ffff),
  row('SVR', Reg.SVR, 'read-write', 0x3ff, 0xff),
  ...bank('ISR', Reg.ISR),
  ...bank('TMR', Reg.TMR),
  ...bank('IRR', Reg.IRR),
  row('ESR', Reg.ESR, 'read-write'),
  row('ICR_LOW', Reg.ICR_LOW, 'read-write', 0x000c_cfff), // delivery status (bit 12) always reads idle
  row('ICR_HIGH', Reg.ICR_HIGH, 'read-write', 0xff00_0000),
  row('LVT_TIMER', Reg.LVT_TIMER, 'read-write', 0x7_00ff, LVT_MASKED),
  row('LVT_THERMAL', Reg.LVT_THERMAL, 'read-write', 0x1_07ff, LVT_MASKED),
  row('LVT_PERF', Reg.LVT_PERF, 'read-write', 0x1_07ff, LVT_MASKED),
  row('LVT_LINT0', Reg.LVT_LINT0, 'read-write', 0x1_a7ff, LVT_MASKED),
  row('LVT_LINT1', Reg.LVT_LINT1, 'read-write', 0x1_a7ff, LVT_MASKED),
  row('LVT_ERROR', Reg.LVT_ERROR, 'read-write', 0x1_00ff, LVT_MASKED),
  row('INITIAL_COUNT', Reg.INITIAL_COUNT, 'read-write', 0xffff_ffff),
  row('CURRENT_COUNT', Reg.CURRENT_COUNT, 'read'),
  row('DIVIDE', Reg.DIVIDE, 'read-write', 0xb),
];

export const registerByIndex: readonly (RegisterRow | undefined)[] = Array.from({ length: REGISTER_COUNT }, (_, index) =>
  registerRows.find((r) => r.index === index),
);

export function resetRegisters(apicId: number): Uint32Array {
  const regs = Uint32Array.from(registerByIndex, (r) => r?.reset ?? 0);
  regs[Reg.ID] = apicId << 24;
  return regs;
}

/** What software can do with a register that there is. */
export const isReadable = (index: number): boolean => registerByIndex[index]?.access !== 'write';
export const isWritable = (index: number): boolean => registerByIndex[index]?.access !== 'read';

export const isLvt = (index: number): boolean => index >= Reg.LVT_TIMER && index <= Reg.LVT_ERROR;
