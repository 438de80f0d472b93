/**
 * Virtual interrupts: in virtual-8086 mode with CR4.VME, and at CPL 3 with CR4.PVI, IOPL below 3 does not forbid CLI and
 * STI but turns them to RFLAGS.VIF; RFLAGS.VIP says that an interrupt waits for it. With CR4.VME the TSS also says which
 * INT n go to handlers of the 8086 program. SDM Vol. 3, 20.3 and 20.4.
 */
import { CR4, Flag, type Cpu } from '../cpu.ts';
import { gp } from '../fault.ts';
import * as L from '../layout.ts';
import { readLinear32 } from '../mmu/access.ts';
import { checkTarget, enterRealCode } from './code-segment.ts';
import { isWideTss } from './inner-stack.ts';
import { mask } from './operands.ts';
import { iopl, loadFlags } from './rflags.ts';
import { currentStack } from './stack.ts';

/** In v8086 mode with VME: PUSHF, POPF, IRET and INT n (16-bit) see VIF as IF. */
export const virtualInV8086 = (cpu: Cpu): boolean => cpu.v8086 && (cpu.cr4bits & CR4.VME) !== 0 && iopl(cpu) < 3;

/** CLI and STI change VIF, not IF. */
export const virtualInterruptFlag = (cpu: Cpu): boolean =>
  virtualInV8086(cpu) || (!cpu.realMode && !cpu.v8086 && cpu.cpl === 3 && (cpu.cr4bits & CR4.PVI) !== 0 && iopl(cpu) < 3);

/** #GP(0) when VIF would be set while an interrupt waits. */
export function checkVirtualIf(cpu: Cpu, on: boolean): void {
  if (on && (cpu.sysflags & Flag.VIP) !== 0) throw gp();
}

/** FLAGS as an 8086 program sees them: IF is VIF, and IOPL is 3. */
export function virtualFlags(cpu: Cpu): number {
  const flags = cpu.rflags;
  return (flags & ~Flag.IF) | ((flags & Flag.VIF) !== 0 ? Flag.IF : 0) | Flag.IOPL;
}

/** A FLAGS image that POPF or IRET pops: its IF becomes VIF. Throws for TF, and for IF while an interrupt waits. */
export function checkVirtualImage(cpu: Cpu, flags: number): void {
  if ((flags & Flag.TF) !== 0) throw gp();
  checkVirtualIf(cpu, (flags & Flag.IF) !== 0);
}

/** Bits of the image that are loaded, and the image with VIF in place. */
export const withVirtualIf = (flags: number): number => (flags & ~Flag.VIF) | ((flags & Flag.IF) !== 0 ? Flag.VIF : 0);

/** Software-interrupt redirection bit map, the 32 bytes below the I/O permission bit map: 20.3.3. True: to the IDT. */
function goesToIdt(cpu: Cpu, vector: number): boolean {
  const tr = cpu.segments[L.TR]!;
  if (!isWideTss(tr.type) || tr.limit < 103) throw gp();
  const at = readLinear32(cpu, mask(tr.base + 102n, 32), 2, true) - 32 + (vector >> 3);
  if (at < 0 || at > tr.limit) throw gp();
  return ((readLinear32(cpu, mask(tr.base + BigInt(at), 32), 1, true) >> (vector & 7)) & 1) !== 0;
}

/**
 * INT n in v8086 mode: true when the 8086 program's own handler was entered through its vector table at linear address 0.
 * Table 20-2: methods 5 and 6 redirect, 4 faults, 2 and 3 go through the IDT.
 */
export function redirectInterrupt(cpu: Cpu, vector: number): boolean {
  const vme = (cpu.cr4bits & CR4.VME) !== 0;
  if (!vme || goesToIdt(cpu, vector)) {
    if (iopl(cpu) < 3) throw gp();
    return false;
  }
  const virtual = iopl(cpu) < 3;
  const entry = readLinear32(cpu, BigInt(vector * 4), 4);
  const stack = currentStack(cpu);
  stack.push(BigInt((virtual ? virtualFlags(cpu) : cpu.rflags) & 0xffff), 2);
  stack.push(BigInt(cpu.segments[L.CS]!.selector), 2);
  stack.push(cpu.nextRip, 2);
  const rip = BigInt(entry & 0xffff);
  checkTarget(cpu, cpu.segments[L.CS]!, rip);
  stack.commit();
  enterRealCode(cpu, undefined, entry >>> 16, rip);
  loadFlags(cpu, 0, Flag.TF | (virtual ? Flag.VIF : Flag.IF));
  return true;
}
