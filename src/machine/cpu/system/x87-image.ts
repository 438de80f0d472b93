import type { Cpu } from '../cpu.ts';
import * as L from '../layout.ts';

/** The x87 state as images in memory see it: SDM Vol. 1, 8.1 and 10.5; registers lie in `L.FPR` by physical number. */

export const top = (cpu: Cpu): number => (cpu.u32(L.FSW) >> 11) & 7;

/** Physical register of ST(i). */
export const physical = (cpu: Cpu, i: number): number => (top(cpu) + i) & 7;

/** Significand and sign+exponent of a physical register. */
export function fpr(cpu: Cpu, n: number): { low: bigint; high: number } {
  const at = L.FPR + n * 16;
  return { low: cpu.u64(at), high: cpu.u32(at + 8) & 0xffff };
}

export function setFpr(cpu: Cpu, n: number, low: bigint, high: number): void {
  const at = L.FPR + n * 16;
  cpu.setU64(at, low);
  cpu.setU64(at + 8, BigInt(high & 0xffff));
}

/** Exception flags of FSW, and ES and B, which follow from them and from the masks in FCW: SDM Vol. 1, 8.1.3. */
const EXCEPTIONS = 0x3f;
const ES_AND_B = 0x8080;

/** True when an unmasked exception waits for the next waiting instruction. */
export const exceptionPending = (cpu: Cpu): boolean => (cpu.u32(L.FSW) & 0x80) !== 0;

export function setControl(cpu: Cpu, fcw: number): void {
  // Bit 6 is reserved and reads as 1.
  cpu.setU32(L.FCW, (fcw & 0x1f3f) | 0x40);
  setStatus(cpu, cpu.u32(L.FSW));
}

export function setStatus(cpu: Cpu, fsw: number): void {
  const unmasked = fsw & ~cpu.u32(L.FCW) & EXCEPTIONS;
  cpu.setU32(L.FSW, (fsw & 0xffff & ~ES_AND_B) | (unmasked !== 0 ? ES_AND_B : 0));
}

/** Class of a register's contents for the tag word: 0 valid, 1 zero, 2 special: SDM Vol. 1, 8.1.7. */
function tagOf(low: bigint, high: number): number {
  const exponent = high & 0x7fff;
  if (exponent === 0 && low === 0n) return 1;
  return exponent === 0 || exponent === 0x7fff || low >> 63n === 0n ? 2 : 0;
}

/** Sets the tag word from a full image: of it only "empty" is kept as it is; the rest follows from the contents. */
export function setTags(cpu: Cpu, ftw: number): void {
  let tags = 0;
  for (let n = 0; n < 8; n++) {
    const { low, high } = fpr(cpu, n);
    tags |= (((ftw >> (n * 2)) & 3) === 3 ? 3 : tagOf(low, high)) << (n * 2);
  }
  cpu.setU32(L.FTW, tags);
}

/** One bit a register, 1 = not empty: the FXSAVE form (SDM Vol. 1, 10.5.1.1). */
export function abridgedTags(cpu: Cpu): number {
  let bits = 0;
  for (let n = 0; n < 8; n++) if (((cpu.u32(L.FTW) >> (n * 2)) & 3) !== 3) bits |= 1 << n;
  return bits;
}

export function setAbridgedTags(cpu: Cpu, bits: number): void {
  let tags = 0;
  for (let n = 0; n < 8; n++) if ((bits & (1 << n)) === 0) tags |= 3 << (n * 2);
  setTags(cpu, tags);
}

/** FNINIT: SDM Vol. 2, FINIT; the data registers keep their contents. */
export function initX87(cpu: Cpu): void {
  cpu.setU32(L.FCW, 0x37f);
  cpu.setU32(L.FSW, 0);
  cpu.setU32(L.FTW, 0xffff);
  cpu.setU32(L.FOP, 0);
  cpu.setU64(L.FIP, 0n);
  cpu.setU64(L.FDP, 0n);
  cpu.setU32(L.FCS, 0);
  cpu.setU32(L.FDS, 0);
}
