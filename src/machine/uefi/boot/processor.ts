import { CR0, CR4, EFER, Flag, type Cpu } from '../../cpu/cpu.ts';
import { loadControlRegisters } from '../../cpu/control-registers.ts';
import { GuestFault } from '../../cpu/fault.ts';
import * as L from '../../cpu/layout.ts';
import { writeMsr } from '../../cpu/msr.ts';
import { setCodeSegment } from '../../cpu/system/segments.ts';
import type { FirmwareContext } from '../context.ts';
import { CODE64, CODE64_ATTR, DATA, DATA_ATTR, GDT_LIMIT, IDT_LIMIT } from './descriptors.ts';

/**
 * The boot processor as firmware leaves it to applications: UEFI 2.10, 2.3.4 (64-bit mode, identity map, interrupts on, DF
 * clear). No reset vector code runs: the processor is put there.
 */
export function setUpProcessor(fw: FirmwareContext, cpu: Cpu): void {
  const { layout } = fw;
  const nx = cpu.model.features.has('nx');
  cpu.rflags = Flag.IF;
  for (let n = 0; n < 16; n++) cpu.setGpr(n, 0n);
  loadControlRegisters(cpu, {
    cr0: BigInt(CR0.PG) | BigInt(CR0.WP | CR0.NE | CR0.ET | CR0.MP | CR0.PE),
    cr3: BigInt(layout.pageTables.base),
    cr4: BigInt(CR4.DE | CR4.PAE | CR4.MCE | CR4.OSFXSR | CR4.OSXMMEXCPT),
    efer: BigInt(EFER.LME | EFER.LMA | (nx ? EFER.NXE : 0)),
  });
  for (const s of [L.ES, L.SS, L.DS, L.FS, L.GS]) cpu.segments[s]!.load(DATA, 0n, 0xffff_ffff, DATA_ATTR);
  cpu.segments[L.LDTR]!.load(0, 0n, 0xffff, 0x82);
  cpu.segments[L.TR]!.load(0, 0n, 0xffff, 0x8b);
  setCodeSegment(cpu, CODE64, 0n, 0xffff_ffff, CODE64_ATTR, 0);
  cpu.setU64(L.GDTR_BASE, BigInt(layout.gdt.base));
  cpu.setU32(L.GDTR_LIMIT, GDT_LIMIT);
  cpu.setU64(L.IDTR_BASE, BigInt(layout.idt.base));
  cpu.setU32(L.IDTR_LIMIT, IDT_LIMIT);
  cpu.rsp = BigInt(layout.stack.base + layout.stack.length);
  cpu.rip = BigInt(fw.slot('BootManager'));
  setUpMtrrs(cpu);
}

/** MTRRs (SDM Vol. 3, 12.11): RAM write-back by default; the VGA window and the MMIO below 4 GiB uncached. */
export function setUpMtrrs(cpu: Cpu): void {
  const WRITE_BACK = 0x0606_0606_0606_0606n;
  const addressMask = (1n << BigInt(cpu.model.physicalBits)) - 1n;
  const values: readonly (readonly [number, bigint])[] = [
    [0x250, WRITE_BACK], // 0-7FFFF
    [0x258, WRITE_BACK], // 80000-9FFFF
    [0x259, 0n], //         A0000-BFFFF
    ...[0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f].map((msr) => [msr, WRITE_BACK] as const),
    [0x200, 0xc000_0000n], // C0000000-FFFFFFFF uncached
    [0x201, (addressMask & ~0x3fff_ffffn) | 0x800n], // 1 GiB, valid
    [0x2ff, 0xc06n], // enabled, fixed enabled, default write-back
  ];
  for (const [msr, value] of values) {
    try {
      writeMsr(cpu, msr, value);
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      cpu.machine.log.once(`mtrr ${msr}`, `MTRR 0x${msr.toString(16)} is not there on this CPU model`);
    }
  }
}
