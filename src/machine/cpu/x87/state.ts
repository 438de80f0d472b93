import { CR0, type Cpu } from '../cpu.ts';
import * as L from '../layout.ts';
import { initX87Pointers } from './pointers.ts';

/**
 * The x87 state: SDM Vol. 1, 8.1. Registers lie in `L.FPR` by physical number, 16 bytes each. The tag word keeps only what is
 * state: 3 for an empty register, 0 for any other; the rest of a tag follows from the register's contents (`fullTags`).
 */

/** Bits of the status word (8.1.3); exception flags are `float/environment.ts`'s. */
export const Status = { SF: 0x40, ES: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, TOP: 0x3800, C3: 0x4000, B: 0x8000 } as const;
const EXCEPTIONS = 0x3f;
const ES_AND_B = Status.ES | Status.B;

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
  cpu.setU32(at + 8, high & 0xffff);
}

/** True when an unmasked exception waits for the next waiting instruction. */
export const exceptionPending = (cpu: Cpu): boolean => (cpu.u32(L.FSW) & Status.ES) !== 0;

export function setControl(cpu: Cpu, fcw: number): void {
  // Bit 6 is reserved and reads as 1.
  cpu.setU32(L.FCW, (fcw & 0x1f3f) | 0x40);
  setStatus(cpu, cpu.u32(L.FSW));
}

/** ES and B follow from the exception flags and the masks; with CR0.NE clear, so does the pin FERR#. */
export function setStatus(cpu: Cpu, fsw: number): void {
  const before = cpu.u32(L.FSW) & Status.ES;
  const unmasked = fsw & ~cpu.u32(L.FCW) & EXCEPTIONS;
  cpu.setU32(L.FSW, (fsw & 0xffff & ~ES_AND_B) | (unmasked !== 0 ? ES_AND_B : 0));
  if ((before !== 0) === (unmasked !== 0)) return;
  if (unmasked === 0 || (cpu.cr0bits & CR0.NE) === 0) cpu.ferr(unmasked !== 0);
}

export const isEmpty = (cpu: Cpu, n: number): boolean => ((cpu.u32(L.FTW) >> (n * 2)) & 3) === 3;

/** Of a full tag word only "empty" is state. */
export function setTags(cpu: Cpu, ftw: number): void {
  const empty = ftw & (ftw >> 1) & 0x5555;
  cpu.setU32(L.FTW, empty * 3);
}

/** Class of a register's contents: 0 valid, 1 zero, 2 special: SDM Vol. 1, 8.1.7. */
function classOf(low: bigint, high: number): number {
  const exponent = high & 0x7fff;
  if (exponent === 0 && low === 0n) return 1;
  return exponent === 0 || exponent === 0x7fff || low >> 63n === 0n ? 2 : 0;
}

/** The tag word as FSTENV and FSAVE store it. */
export function fullTags(cpu: Cpu): number {
  let tags = cpu.u32(L.FTW);
  for (let n = 0; n < 8; n++) {
    if (isEmpty(cpu, n)) continue;
    const { low, high } = fpr(cpu, n);
    tags |= classOf(low, high) << (n * 2);
  }
  return tags;
}

/** One bit a register, 1 = not empty: the FXSAVE form (SDM Vol. 1, 10.5.1.1). */
export function abridgedTags(cpu: Cpu): number {
  let bits = 0;
  for (let n = 0; n < 8; n++) if (!isEmpty(cpu, n)) bits |= 1 << n;
  return bits;
}

export function setAbridgedTags(cpu: Cpu, bits: number): void {
  let tags = 0;
  for (let n = 0; n < 8; n++) if ((bits & (1 << n)) === 0) tags |= 3 << (n * 2);
  cpu.setU32(L.FTW, tags);
}

/** FNINIT: SDM Vol. 2, FINIT; the data registers keep their contents. */
export function initX87(cpu: Cpu): void {
  cpu.setU32(L.FCW, 0x37f);
  setStatus(cpu, 0);
  cpu.setU32(L.FTW, 0xffff);
  initX87Pointers(cpu);
}
