import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { CR0, CR4 } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { findDescriptor } from '../../src/machine/cpu/system/descriptors.ts';
import { max } from '../../src/machine/cpu/models/max.ts';
import { loadSegment, setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import type { Machine, MachineOptions } from '../../src/machine/machine.ts';
import { bareMachine } from '../support/bare-machine.ts';
import type { Mode, Segment } from './case.ts';
import { CODE, CODE_SIZE, DATA, DATA_SIZE, GS_BASE, ldtEntries, setups } from './case.ts';

/** Where things lie in the emulated machine's first 2 MiB, which only the supervisor sees, where Linux keeps its own. */
const PML4 = 0x1000;
const PD = 0x3000;
const PDPT = 0x2000;
const GDT = 0x5000;
const LDT = 0x6000;
const TSS = 0x7000;
const TABLES = 0x8000;
const SUPERVISOR = 0xffff_8000_0000_0000n;
export const GS_PAGE = 0x70_0000;

const USER = 4n;
const WRITE = 2n;
const PRESENT = 1n;

/** A segment descriptor as Linux's fill_ldt makes it: accessed, DPL 3. SDM Vol. 3, 3.4.5. */
function descriptor(s: Segment): bigint {
  const type = 1 | (s.restricted ? 0 : 2) | (s.contents << 2);
  const high =
    (s.base & 0xff00_0000) |
    (s.big ? 0x40_0000 : 0) |
    0x10_0000 |
    (s.limit & 0xf_0000) |
    (s.absent ? 0 : 0x8000) |
    0x7000 |
    (type << 8) |
    ((s.base >> 16) & 0xff);
  return (BigInt(high >>> 0) << 32n) | BigInt((((s.base & 0xffff) << 16) | (s.limit & 0xffff)) >>> 0);
}

/** A machine whose CPU runs at CPL 3 in Linux's user segments, with memory mapped as in harness.c. */
export function hostLikeMachine(accel?: MachineOptions['accel']): Machine {
  const machine = bareMachine({ model: max, ...(accel && { accel }) });
  const { memory } = machine;
  const cpu = machine.cpus[0]!;
  memory.write64(PML4 + 256 * 8, BigInt(TABLES + 0x4000) | WRITE | PRESENT);
  memory.write64(TABLES + 0x4000, BigInt(TABLES + 0x5000) | WRITE | PRESENT);
  memory.write64(TABLES + 0x5000, 0x83n); // 2 MiB
  for (let n = 0; n < 512; n++) memory.write64(PD + n * 8, 0n);
  const map = (directory: number, entry: number, table: number): void =>
    memory.write64(directory + entry * 8, BigInt(table) | USER | WRITE | PRESENT);
  const page = (table: number, linear: number, physical: number, writable: boolean): void =>
    memory.write64(table + Math.floor(linear / 4096) % 512 * 8, BigInt(physical) | USER | PRESENT | (writable ? WRITE : 0n)); // prettier-ignore
  map(PD, CODE >> 21, TABLES);
  map(PD, DATA >> 21, TABLES + 0x1000);
  map(PDPT, Math.floor(GS_BASE / 2 ** 30), TABLES + 0x2000);
  map(TABLES + 0x2000, Math.floor(GS_BASE / 2 ** 21) % 512, TABLES + 0x3000);
  for (let at = 0; at < CODE_SIZE; at += 4096) page(TABLES, CODE + at, CODE + at, true);
  for (let at = 0; at <= DATA_SIZE; at += 4096) page(TABLES + 0x1000, DATA + at, DATA + at, at < DATA_SIZE);
  page(TABLES + 0x3000, GS_BASE, GS_PAGE, true);
  memory.write64(GDT + 0x20, 0x00cf_fb00_0000_ffffn);
  memory.write64(GDT + 0x28, 0x00cf_f300_0000_ffffn);
  memory.write64(GDT + 0x30, 0x00af_fb00_0000_ffffn);
  cpu.setU64(L.GDTR_BASE, SUPERVISOR + BigInt(GDT));
  cpu.setU32(L.GDTR_LIMIT, 0x37);
  for (const [n, s] of ldtEntries.entries()) memory.write64(LDT + n * 8, descriptor(s));
  cpu.segments[L.LDTR]!.load(0x50, SUPERVISOR + BigInt(LDT), ldtEntries.length * 8 - 1, 0x82);
  // A TSS without an I/O permission map: every port is refused.
  cpu.segments[L.TR]!.load(0x40, SUPERVISOR + BigInt(TSS), 0x67, 0x8b);
  memory.write(TSS + 0x66, 2, 0xffff);
  // Linux lets user programs ask for alignment checks, use AVX, and sees SIMD floating-point exceptions.
  const cr4 = cpu.cr4 | BigInt(CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.OSXSAVE);
  loadControlRegisters(cpu, { cr0: cpu.cr0 | BigInt(CR0.AM), cr3: cpu.cr3, cr4, efer: cpu.efer });
  cpu.setU64(L.XCR0, 7n);
  return machine;
}

/** Loads the segment registers of a mode. */
export function enterMode(cpu: Cpu, mode: Mode): void {
  const setup = setups[mode];
  const cs = findDescriptor(cpu, setup.cs)!;
  setCodeSegment(cpu, setup.cs, cs.base, cs.limit, cs.attr, 3);
  loadSegment(cpu, L.ES, setup.es);
  loadSegment(cpu, L.DS, setup.ds);
  loadSegment(cpu, L.SS, setup.ss);
  loadSegment(cpu, L.GS, setup.gs);
  loadSegment(cpu, L.FS, 0);
  if (mode === '64') cpu.segments[L.GS]!.base = BigInt(GS_BASE);
}
