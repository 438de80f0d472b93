import type { Cpu } from './cpu.ts';
import { SLOW_ADDRESS } from './layout.ts';

/**
 * RDX:RAX divided by the 64 bits in SLOW_ADDRESS, quotient to RAX, remainder to RDX: the cases that 64-bit division does
 * not cover. 0 when the quotient does not fit (#DE).
 */
export function divide128(cpu: Cpu, signed: boolean): 0 | 1 {
  const wide = (cpu.gpr(2) << 64n) | cpu.gpr(0);
  const dividend = signed ? BigInt.asIntN(128, wide) : wide;
  const raw = cpu.u64(SLOW_ADDRESS);
  const divisor = signed ? BigInt.asIntN(64, raw) : raw;
  const quotient = dividend / divisor;
  if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient))) return 0;
  cpu.setGpr(0, BigInt.asUintN(64, quotient));
  cpu.setGpr(2, BigInt.asUintN(64, dividend % divisor));
  return 1;
}
