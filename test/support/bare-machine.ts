import { skylake } from '../../src/machine/cpu/models/skylake.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import { CR0, CR4, EFER, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import { createLog } from '../../src/machine/log.ts';
import type { MachineOptions } from '../../src/machine/machine.ts';
import { Machine } from '../../src/machine/machine.ts';

export const CODE = 0x10_0000;
export const STACK = 0x20_0000;
export const DATA = 0x30_0000;
const PAGE_TABLES = 0x1000;
const GDT = 0x5000;

/** A machine without firmware whose CPUs stand in 64-bit mode at CODE, ring 0, RAM identity-mapped with 2 MiB pages. */
export function bareMachine(
  options: {
    readonly ramSize?: number;
    readonly log?: (m: string) => void;
    readonly accel?: MachineOptions['accel'];
    readonly model?: CpuModel;
    readonly cpus?: number;
  } = {},
): Machine {
  const machine = new Machine({
    ramSize: options.ramSize ?? 16 << 20,
    cpus: options.cpus ?? 1,
    model: options.model ?? skylake,
    log: createLog(options.log ?? (() => {})),
    startDate: 0,
    ...(options.accel && { accel: options.accel }),
  });
  const { memory } = machine;
  memory.write64(PAGE_TABLES, BigInt(PAGE_TABLES + 0x1000) | 7n);
  memory.write64(PAGE_TABLES + 0x1000, BigInt(PAGE_TABLES + 0x2000) | 7n);
  for (let n = 0; n < 512; n++) memory.write64(PAGE_TABLES + 0x2000 + n * 8, BigInt(n << 21) | 0x87n);
  memory.write64(GDT + 8, 0x00af9b000000ffffn);
  memory.write64(GDT + 16, 0x00cf93000000ffffn);
  for (const cpu of machine.cpus) enter64(cpu);
  return machine;
}

/** Application processors still wait for a SIPI. */
function enter64(cpu: Cpu): void {
  cpu.setU64(0x380, BigInt(GDT));
  cpu.setU32(0x388, 0x17);
  loadControlRegisters(cpu, {
    cr0: BigInt(CR0.PE | CR0.MP | CR0.ET | CR0.NE | CR0.WP) | 0x8000_0000n,
    cr3: BigInt(PAGE_TABLES),
    cr4: BigInt(CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT),
    efer: BigInt(EFER.LME | EFER.LMA | EFER.NXE | EFER.SCE),
  });
  for (const n of [0, 2, 3, 4, 5]) cpu.segments[n]!.load(16, 0n, 0xffff_ffff, 0xc093);
  setCodeSegment(cpu, 8, 0n, 0xffff_ffff, 0xa09b, 0);
  cpu.rip = BigInt(CODE);
  cpu.rsp = BigInt(STACK - cpu.index * 0x1_0000);
}
