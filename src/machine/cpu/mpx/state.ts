/** Registers of the Memory Protection Extensions, and when they count: SDM Vol. 1, 17.3. */
import { CR4, type Cpu } from '../cpu.ts';
import * as L from '../layout.ts';

export const BOUND_REGISTERS = 4;
/** Of BNDCFGU and IA32_BNDCFGS (17.3.3). */
const ENABLE = 1;
const PRESERVE = 2;
const RESERVED = 0xffcn;
/** Both components: BNDREGS and BNDCSR. */
const XCR0_MPX = 0x18;

const at = (n: number): number => L.BND + n * 16;

export const lowerBound = (cpu: Cpu, n: number): bigint => cpu.u64(at(n));
/** In one's complement, as it is kept everywhere: 0 allows all of memory. */
export const upperBound = (cpu: Cpu, n: number): bigint => cpu.u64(at(n) + 8);
export function setBounds(cpu: Cpu, n: number, lower: bigint, upper: bigint): void {
  cpu.setU64(at(n), lower);
  cpu.setU64(at(n) + 8, upper);
}

/** INIT bounds: they allow all of memory. */
export function initBounds(cpu: Cpu): void {
  cpu.m.u8.fill(0, cpu.block + L.BND, cpu.block + L.BND + BOUND_REGISTERS * 16);
}

export function boundsInUse(cpu: Cpu): boolean {
  for (let offset = 0; offset < BOUND_REGISTERS * 16; offset += 4) if (cpu.u32(L.BND + offset) !== 0) return true;
  return false;
}

/** Bits 11:2 are reserved, the base of the bound directory is canonical. */
export const configLegal = (cpu: Cpu, value: bigint): boolean => (value & RESERVED) === 0n && cpu.canonicalBase(value & ~0xfffn);

/** Writes BNDCFGU or IA32_BNDCFGS. */
export function setConfig(cpu: Cpu, slot: typeof L.BNDCFGU | typeof L.BNDCFGS, value: bigint): void {
  cpu.setU64(slot, value);
  watchLegacyBranches(cpu);
}

/** Branches without a BND prefix are looked at as soon as a processor may have to initialize bounds at one; until then they cost nothing. */
export function watchLegacyBranches(cpu: Cpu): void {
  for (const slot of [L.BNDCFGU, L.BNDCFGS]) if ((cpu.u32(slot) & (ENABLE | PRESERVE)) === ENABLE) cpu.machine.markLegacyBranches();
}

/** The configuration in force. */
export const configSlot = (cpu: Cpu): number => (cpu.cpl === 3 ? L.BNDCFGU : L.BNDCFGS);

/** Enabled by the operating system, and by the configuration of this privilege level. Otherwise its instructions are NOPs. */
export function mpxEnabled(cpu: Cpu): boolean {
  return (cpu.u32(configSlot(cpu)) & ENABLE) !== 0 && (cpu.cr4bits & CR4.OSXSAVE) !== 0 && (cpu.u32(L.XCR0) & XCR0_MPX) === XCR0_MPX;
}

/** Does a near branch without a BND prefix change the bound registers now? 17.5.3. */
export const branchInitializesBounds = (cpu: Cpu): boolean => (cpu.u32(configSlot(cpu)) & PRESERVE) === 0 && mpxEnabled(cpu) && boundsInUse(cpu);

/** Power-on, RESET and INIT: SDM Vol. 3, table 10-1. */
export function resetMpx(cpu: Cpu): void {
  initBounds(cpu);
  for (const slot of [L.BNDCFGU, L.BNDCFGS, L.BNDSTATUS]) cpu.setU64(slot, 0n);
}
