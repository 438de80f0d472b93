/** MOV to and from the debug registers: SDM Vol. 3, 17.2, and Vol. 2, MOV to/from debug registers. */
import { CR4, type Cpu } from './cpu.ts';
import { hasDataBreakpoints } from './breakpoint-registers.ts';
import { gp, GuestFault, ud, Vector } from './fault.ts';
import * as L from './layout.ts';
import { flushTlbAll } from './mmu/tlb.ts';

/** Bits that read as 1, and bits that software may set: SDM Vol. 3, 17.2.3 and 17.2.4. */
const DR6_FIXED = 0xffff_0ff0n;
const DR6_WRITABLE = 0xe00fn;
const DR7_FIXED = 0x400n;
const DR7_WRITABLE = 0xffff_23ffn;
/** DR7.GD: the next MOV of a debug register raises #DB; DR6.BD then says why. */
const GD = 0x2000n;
const BD = 0x2000n;

export const DR6_RESET = DR6_FIXED;
export const DR7_RESET = DR7_FIXED;

/** Register number after aliasing DR4 and DR5 to DR6 and DR7, with the checks that reads and writes share. */
function access(cpu: Cpu, n: number): number {
  if (n > 7 || ((n === 4 || n === 5) && (cpu.cr4bits & CR4.DE) !== 0)) throw ud();
  if (cpu.cpl !== 0) throw gp();
  if ((cpu.dr(7) & GD) !== 0n) {
    cpu.setU64(L.PENDING_DEBUG, cpu.u64(L.PENDING_DEBUG) | BD); // the cause, for delivery or a VM exit
    throw new GuestFault(Vector.DB);
  }
  return n === 4 || n === 5 ? n + 2 : n;
}

export function readDebugRegister(cpu: Cpu, n: number): bigint {
  const register = access(cpu, n);
  if (register === 6) return cpu.dr(6) | DR6_FIXED;
  return register === 7 ? cpu.dr(7) | DR7_FIXED : cpu.dr(register);
}

/** Sets DR0 to DR3 or DR7. Pages that now have a data breakpoint lose their TLB entries. */
export function setBreakpointRegister(cpu: Cpu, n: number, value: bigint): void {
  if (cpu.dr(n) === value) return;
  cpu.setDr(n, value);
  if (hasDataBreakpoints(cpu)) flushTlbAll(cpu);
}

export function writeDebugRegister(cpu: Cpu, n: number, value: bigint): void {
  const register = access(cpu, n);
  if (register >= 4 && value >> 32n !== 0n) throw gp();
  if (register === 6) cpu.setDr(6, (value & DR6_WRITABLE) | DR6_FIXED);
  else setBreakpointRegister(cpu, register, register === 7 ? (value & DR7_WRITABLE) | DR7_FIXED : value);
}
