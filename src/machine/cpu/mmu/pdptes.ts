/**
 * The four PDPTE registers of PAE paging (SDM Vol. 3, 4.4.1): loaded by MOV to CR3 and by some writes of CR0 and CR4, and
 * by VM entry and exit. They are state: changing the table in memory has no effect until the next load.
 */
import type { PhysAddr } from '../../memory/address.ts';
import { gp } from '../fault.ts';
import type { Cpu } from '../cpu.ts';

/** Offset in the CPU block: the space between IDTR and the MSR slots. */
export const PDPTES = 0x3a0;

export const getPdpte = (cpu: Cpu, n: number): bigint => cpu.u64(PDPTES + n * 8);
export const setPdpte = (cpu: Cpu, n: number, value: bigint): void => cpu.setU64(PDPTES + n * 8, value);

/** True when a present PDPTE sets none of bits 2:1, 8:5 and 63:MAXPHYADDR: SDM Vol. 3, table 4-8. */
export function pdpteValid(cpu: Cpu, value: bigint): boolean {
  const reserved = 0x1e6n | (0xffff_ffff_ffff_ffffn & ~((1n << BigInt(cpu.model.physicalBits)) - 1n));
  return (value & 1n) === 0n || (value & reserved) === 0n;
}

/** The table that a CR3 value names: bits 31:5. Under EPT its addresses are guest-physical. */
export function readPdptes(cpu: Cpu, cr3: bigint): bigint[] {
  let table: PhysAddr = Number(cr3 & 0xffff_ffe0n);
  const guest = cpu.guest;
  if (guest?.nested) table = guest.translate(cpu, table, { write: false, execute: false, user: false }, undefined, true);
  return [0, 1, 2, 3].map((n) => cpu.machine.memory.read64(table + n * 8));
}

/** Loads the registers from the table of a CR3 value; #GP(0), with nothing loaded, when an entry is not valid. */
export function loadPdptes(cpu: Cpu, cr3: bigint): void {
  const values = readPdptes(cpu, cr3);
  if (!values.every((v) => pdpteValid(cpu, v))) throw gp();
  for (const [n, v] of values.entries()) setPdpte(cpu, n, v);
}
