import { probeWrite, readBytes, writeBytes } from '../../cpu/mmu/access.ts';
import type { CallerAccess } from './access.ts';

/** The caller's own translation. */
export const linearAccess: CallerAccess = {
  read: (cpu, at, length) => readBytes(cpu, BigInt.asUintN(64, at), length),
  write: (cpu, at, bytes) => writeBytes(cpu, BigInt.asUintN(64, at), bytes),
  probe: (cpu, at, length) => probeWrite(cpu, BigInt.asUintN(64, at), length),
};
