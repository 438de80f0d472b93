/**
 * x2APIC mode: the registers as MSRs 800H to 83FH. SDM Vol. 3, 11.12. What xAPIC mode ignores faults here: reserved bits,
 * registers that do not exist, reads of write-only ones and writes of read-only ones.
 */
import { gp } from '../../cpu/fault.ts';
import type { Msr } from '../../cpu/msr.ts';
import type { Lapic } from './lapic.ts';
import { isReadable, isWritable, LVT_MASKED, Reg, registerByIndex, REGISTER_COUNT } from './registers.ts';

const BASE = 0x800;
const SELF_IPI = 0x3f;
const SECTION = 'SDM Vol. 3, 11.12.1.2';

/** xAPIC registers that are gone: the arbitration registers, the DFR and, since the ICR is one MSR, its high half. */
const ABSENT: ReadonlySet<number> = new Set([Reg.APR, Reg.RRD, Reg.DFR, Reg.ICR_HIGH]);
/** These are read-only here. */
const READ_ONLY: ReadonlySet<number> = new Set([Reg.ID, Reg.LDR]);
/** Read-only bits that may be written as anything: delivery status and remote IRR of the LVT. */
const LVT_STATUS = 0x5000;
/** Focus processor checking is not there. */
const SVR_BITS = 0x1ff;

/** Bits that may be set in a write. */
function writableBits(index: number): number {
  if (index === Reg.SVR) return SVR_BITS;
  const { mask } = registerByIndex[index]!;
  return (mask & LVT_MASKED) !== 0 && index !== Reg.INITIAL_COUNT && index !== Reg.ICR_LOW ? mask | LVT_STATUS : mask;
}

/** The logical ID is derived from the APIC ID: cluster in bits 31:16, one bit of 15:0. 11.12.10.2. */
export const logicalX2ApicId = (id: number): number => (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;

/** A logical destination of 32 bits, or of 8, which are the low bits of cluster 0. */
export const logicalX2ApicMatch = (id: number, destination: number): boolean =>
  destination >>> 16 === id >>> 4 && (destination & logicalX2ApicId(id) & 0xffff) !== 0;

function read(apic: Lapic, index: number): bigint {
  if (index === Reg.ID) return BigInt(apic.id);
  if (index === Reg.LDR) return BigInt(logicalX2ApicId(apic.id));
  const low = BigInt(apic.readRegister(index));
  return index === Reg.ICR_LOW ? low | (BigInt(apic.readRegister(Reg.ICR_HIGH)) << 32n) : low;
}

function write(apic: Lapic, index: number, value: bigint): void {
  const [low, high] = [Number(value & 0xffff_ffffn), Number(value >> 32n)];
  if ((high !== 0 && index !== Reg.ICR_LOW) || (low & ~writableBits(index)) !== 0) throw gp();
  if (index === Reg.ICR_LOW) apic.writeRegister(Reg.ICR_HIGH, high);
  apic.writeRegister(index, low);
}

/** The MSRs of all x2APIC registers; `of` finds the CPU's APIC. */
export function x2ApicMsrs(of: (cpuIndex: number) => Lapic): readonly Msr[] {
  const inMode = (index: number): Lapic => {
    const apic = of(index);
    if (!apic.x2apic) throw gp();
    return apic;
  };
  const registers = Array.from({ length: REGISTER_COUNT }, (_, index) => index).filter((n) => registerByIndex[n] !== undefined && !ABSENT.has(n));
  const rows = registers.map((index): Msr => ({
    index: BASE + index,
    name: `IA32_X2APIC_${registerByIndex[index]!.name}`,
    section: SECTION,
    needs: 'x2apic',
    read(cpu) {
      const apic = inMode(cpu.index);
      if (!isReadable(index)) throw gp();
      return read(apic, index);
    },
    ...(isWritable(index) && !READ_ONLY.has(index) ? { write: (cpu, value) => write(inMode(cpu.index), index, value) } : {}),
  }));
  const selfIpi: Msr = {
    index: BASE + SELF_IPI,
    name: 'IA32_X2APIC_SELF_IPI',
    section: 'SDM Vol. 3, 11.12.11',
    needs: 'x2apic',
    read: () => {
      throw gp();
    },
    write(cpu, value) {
      const apic = inMode(cpu.index);
      if (value >> 8n !== 0n) throw gp();
      apic.sendSelf(Number(value));
    },
  };
  return [...rows, selfIpi];
}
