import type { Cpu } from '../../cpu/cpu.ts';
import type { LinearAddr } from '../../memory/address.ts';

/**
 * Memory as the caller of a service sees it: through its own page tables, possibly as a VMX guest. Each method may throw a
 * GuestFault or ABANDONED; the service then runs again from its beginning.
 */
export interface CallerAccess {
  read(cpu: Cpu, at: LinearAddr, length: number): Uint8Array;
  write(cpu: Cpu, at: LinearAddr, bytes: Uint8Array): void;
  /** Translates for writing without writing. */
  probe(cpu: Cpu, at: LinearAddr, length: number): void;
}
