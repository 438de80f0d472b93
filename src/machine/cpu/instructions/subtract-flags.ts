import type { Cpu } from '../cpu.ts';
import { AUX, FLG, RES } from '../layout.ts';

/** Sets the arithmetic flags as CMP a, b does, on zero-extended operands of a width. */
export function setSubtractFlags(cpu: Cpu, a: bigint, b: bigint, bits: number): void {
  const r = a - b;
  cpu.setU64(RES, BigInt.asUintN(64, BigInt.asIntN(bits, r)));
  cpu.setU64(AUX, BigInt.asUintN(64, BigInt.asIntN(bits, a ^ b ^ r)));
  cpu.setU32(FLG, a < b ? 1 : 0);
}
