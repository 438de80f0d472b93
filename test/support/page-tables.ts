/** Page tables built by hand for tests, and CPUs put into a paging mode without going through the guest's instructions. */
import { CR0, CR4, EFER, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { syncContext } from '../../src/machine/cpu/mmu/contexts.ts';
import { selectTlb } from '../../src/machine/cpu/mmu/tlb.ts';
import { setPdpte } from '../../src/machine/cpu/mmu/pdptes.ts';
import type { FakeMachine } from './fake-machine.ts';

/** Entry bits: SDM Vol. 3, table 4-20. `P | W | U` is the most permissive entry. */
export const [P, W, U, A, D, PS, G] = [1n, 2n, 4n, 0x20n, 0x40n, 0x80n, 0x100n] as const;
export const XD = 1n << 63n;

export type PagingMode = 'off' | '32-bit' | 'pae' | '4-level' | '5-level';

/** Writes 8- or 4-byte entries, taking pages for lower tables from a bump allocator. */
export class PageTables {
  readonly machine: FakeMachine;
  readonly mode: PagingMode;
  readonly root: number;
  #next: number;

  constructor(machine: FakeMachine, mode: PagingMode, root = 0x10_0000) {
    this.machine = machine;
    this.mode = mode;
    this.root = root;
    this.#next = root + 4096;
  }

  /** Number of levels, PAE's PDPTE registers included. */
  get levels(): number {
    return { off: 0, '32-bit': 2, pae: 3, '4-level': 4, '5-level': 5 }[this.mode];
  }

  /** Physical address of the entry for a linear address at a level (1 = PTE), with upper entries made as needed. */
  entryAt(linear: bigint, level: number, upper = P | W | U): number {
    const narrow = this.mode === '32-bit';
    let table = this.root;
    for (let at = this.levels; ; at--) {
      const index = Number((linear >> BigInt(12 + (at - 1) * (narrow ? 10 : 9))) & (narrow ? 1023n : 511n));
      const entry = table + index * (narrow ? 4 : 8);
      if (at === level) return entry;
      if ((this.read(entry) & P) === 0n) {
        // PDPTEs of PAE paging have no permission bits.
        this.write(entry, BigInt(this.#next) | (this.mode === 'pae' && at === 3 ? P : upper));
        this.#next += 4096;
      }
      table = Number(this.read(entry) & 0xf_ffff_ffff_f000n);
    }
  }

  read(entry: number): bigint {
    return this.mode === '32-bit' ? BigInt(this.machine.memory.read(entry, 4)) : this.machine.memory.read64(entry);
  }

  write(entry: number, value: bigint): void {
    if (this.mode === '32-bit') this.machine.memory.write(entry, 4, Number(value & 0xffff_ffffn));
    else this.machine.memory.write64(entry, value);
  }

  /** Maps a page (level 1) or a big page (level 2 or 3) and returns the address of its entry. */
  map(linear: bigint, physical: number | bigint, flags: bigint, level = 1, upper = P | W | U): number {
    const entry = this.entryAt(linear, level, upper);
    this.write(entry, BigInt(physical) | flags | (level > 1 ? PS : 0n));
    return entry;
  }
}

export interface ModeOptions {
  readonly cpl?: number;
  readonly cr0?: number;
  readonly cr4?: number;
  readonly nxe?: boolean;
}

/** Puts a CPU into a paging mode with flat segments. Extra CR0 and CR4 bits are or-ed in; WP is not set by itself. */
export function enterMode(cpu: Cpu, tables: PageTables, options: ModeOptions = {}): void {
  const { mode } = tables;
  const long = mode === '4-level' || mode === '5-level';
  const cpl = options.cpl ?? 0;
  const bits32 = mode === '32-bit' ? CR4.PSE : 0;
  cpu.cr0 = BigInt((CR0.PE | CR0.ET | CR0.NE | (mode === 'off' ? 0 : CR0.PG) | (options.cr0 ?? 0)) >>> 0);
  cpu.cr3 = BigInt(tables.root);
  cpu.cr4 = BigInt((mode === 'off' ? 0 : mode === '32-bit' ? bits32 : CR4.PAE) | (mode === '5-level' ? CR4.LA57 : 0) | (options.cr4 ?? 0));
  cpu.efer = BigInt((long ? EFER.LME | EFER.LMA : 0) | (options.nxe === false ? 0 : EFER.NXE));
  if (mode === 'pae') for (let n = 0; n < 4; n++) setPdpte(cpu, n, tables.read(tables.root + n * 8));
  const dpl = cpl << 5;
  for (const n of [L.ES, L.SS, L.DS, L.FS, L.GS]) cpu.segments[n]!.load(0x10 | cpl, 0n, 0xffff_ffff, 0xc093 | dpl);
  cpu.segments[L.CS]!.load(0x8 | cpl, 0n, 0xffff_ffff, (long ? 0xa09b : 0xc09b) | dpl);
  cpu.segments[L.TR]!.load(0x28, 0n, 0x67, 0x8b);
  cpu.setU32(L.CPL, cpl);
  cpu.setU32(L.CODE_SIZE, long ? 2 : 1);
  syncContext(cpu);
  selectTlb(cpu);
}
