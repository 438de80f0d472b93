/** What the instructions of the XSAVE family have in common: SDM Vol. 1, 13.4. */
import { CR0, CR4, type Cpu } from '../cpu.ts';
import { gp, nm, ud } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { operandAddress } from '../system/operands.ts';
import { xss } from './components.ts';

/** Fields of the header (13.4.2). */
export const HEADER = 512;
export const XSTATE_BV = HEADER;
export const XCOMP_BV = HEADER + 8;
/** XCOMP_BV bit 63: the area is compacted. */
export const COMPACTED = 1n << 63n;

/** RFBM, the requested components that are enabled; with the checks that come first. */
export function requested(cpu: Cpu, supervisor: boolean): bigint {
  if ((cpu.cr4bits & CR4.OSXSAVE) === 0) throw ud();
  if (supervisor && cpu.cpl !== 0) throw gp();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
  const mask = (BigInt(cpu.gpr32(2)) << 32n) | BigInt(cpu.gpr32(0));
  return mask & (cpu.u64(L.XCR0) | (supervisor ? xss(cpu) : 0n));
}

/** Linear address of the area, which must be aligned to 64 bytes. */
export function areaAddress(cpu: Cpu, insn: Insn, size: number, write: boolean): bigint {
  const at = operandAddress(cpu, insn, size, write);
  if ((at & 63n) !== 0n) throw gp();
  return at;
}
