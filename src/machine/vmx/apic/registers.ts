import type { Cpu } from '../../cpu/cpu.ts';
import type { PhysAddr } from '../../memory/address.ts';
import { F } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';

/** The virtual-APIC page: SDM Vol. 3, 30.1.1. Its layout is that of the local APIC's registers. */
export const Reg = {
  id: 0x20, version: 0x30, tpr: 0x80, ppr: 0xa0, eoi: 0xb0, ldr: 0xd0, dfr: 0xe0, svr: 0xf0, isr: 0x100, tmr: 0x180, irr: 0x200, esr: 0x280, icrLow: 0x300,
  icrHigh: 0x310, lvtTimer: 0x320, lvtError: 0x370, initialCount: 0x380, divide: 0x3e0, selfIpi: 0x3f0,
} as const; // prettier-ignore

const address = (vmcs: Vmcs, offset: number): PhysAddr => vmcs.high(F.virtualApicAddress) * 2 ** 32 + vmcs.low(F.virtualApicAddress) + offset;

export const readVirtual = (cpu: Cpu, vmcs: Vmcs, offset: number): number => cpu.machine.memory.read(address(vmcs, offset), 4);
export const writeVirtual = (cpu: Cpu, vmcs: Vmcs, offset: number, value: number): void =>
  cpu.machine.memory.write(address(vmcs, offset), 4, value >>> 0);

/** A bit of the 256-bit VISR, VIRR: 32 bits at each multiple of 16 bytes. */
const word = (set: number, vector: number): number => set + (vector >> 5) * 16;

export function setVector(cpu: Cpu, vmcs: Vmcs, set: number, vector: number, on: boolean): void {
  const at = word(set, vector);
  const bit = 1 << (vector & 31);
  const old = readVirtual(cpu, vmcs, at);
  writeVirtual(cpu, vmcs, at, on ? old | bit : old & ~bit);
}

/** The highest vector of a set; 0 when it is empty, as RVI and SVI say it. */
export function highestVector(cpu: Cpu, vmcs: Vmcs, set: number): number {
  for (let n = 7; n >= 0; n--) {
    const bits = readVirtual(cpu, vmcs, set + n * 16);
    if (bits !== 0) return n * 32 + 31 - Math.clz32(bits);
  }
  return 0;
}

/** Guest interrupt status: RVI (requesting) in bits 7:0, SVI (servicing) in bits 15:8. SDM Vol. 3, 25.4.2. */
export const rvi = (vmcs: Vmcs): number => vmcs.num(F.guestInterruptStatus) & 0xff;
export const svi = (vmcs: Vmcs): number => vmcs.num(F.guestInterruptStatus) >> 8;
export const setRvi = (vmcs: Vmcs, vector: number): void => vmcs.setNum(F.guestInterruptStatus, (vmcs.num(F.guestInterruptStatus) & 0xff00) | vector);
export const setSvi = (vmcs: Vmcs, vector: number): void => vmcs.setNum(F.guestInterruptStatus, rvi(vmcs) | (vector << 8));
