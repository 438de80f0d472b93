import { CR0, type Cpu } from '../cpu/cpu.ts';
import { loadControlRegisters } from '../cpu/control-registers.ts';
import * as L from '../cpu/layout.ts';
import { setCodeSegment } from '../cpu/system/segments.ts';
import type { MachineServices } from '../machine-services.ts';
import { buildAcpi } from '../uefi/acpi/tables.ts';
import { setUpMtrrs } from '../uefi/boot/processor.ts';
import { Pack } from '../uefi/pack.ts';
import { BootImageError, endOf, type BootSegment } from './image.ts';
import { Low, memoryMap } from './memory-map.ts';
import { multibootInformation, type LoadedModule } from './multiboot-info.ts';
import { setUpRealMode } from './real-mode.ts';
import { LOADER_MAGIC, multibootImage } from './multiboot.ts';

export interface KernelOptions {
  readonly kernel: Uint8Array;
  /** Of the kernel, with its name first, as QEMU passes it. */
  readonly commandLine: string;
  readonly modules: readonly { readonly bytes: Uint8Array; readonly commandLine: string }[];
}

const PAGE = 0x1000;
/** Flat code and data, accessed; also in the GDT, though a kernel must not rely on it. Multiboot 0.6.96, 3.2. */
const [CODE, DATA] = [8, 0x10] as const;
const [CODE_ATTR, DATA_ATTR] = [0xc09b, 0xc093] as const;
const GDT = [0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn] as const;

const pageUp = (n: number): number => Math.ceil(n / PAGE) * PAGE;

/**
 * Starts a Multiboot kernel without firmware, as QEMU's `-kernel` does: image and modules in memory, ACPI tables below
 * 1 MiB, and the boot processor in flat protected mode. Everything is decided here, so that `setUp` cannot fail.
 */
export class KernelBoot {
  readonly entry: number;
  readonly #machine: MachineServices;
  readonly #segments: readonly BootSegment[];
  readonly #information: number;

  /** Throws BootImageError when the kernel cannot be loaded into this machine. */
  constructor(machine: MachineServices, { kernel, commandLine, modules }: KernelOptions) {
    const { ramSize } = machine.memory;
    const image = multibootImage(kernel);
    for (const s of image.segments) checkPlace(s, ramSize);
    const placed = placeModules(modules, Math.max(Low.high, ...image.segments.map(endOf)));
    const after = placed.at(-1);
    if (after && endOf(after) > ramSize) throw new BootImageError(`its modules need RAM up to ${Math.ceil(endOf(after) / 2 ** 20)} MiB; there are ${ramSize / 2 ** 20}`); // prettier-ignore
    const list = placed.map((p, n): LoadedModule => ({ start: p.address, end: endOf(p), commandLine: modules[n]!.commandLine }));
    const contents = (at: number): Uint8Array => multibootInformation(at, { ramSize, commandLine, modules: list, memory: memoryMap(ramSize) });
    const low = pageUp(Math.max(0, ...image.segments.filter((s) => s.address < Low.end).map(endOf)));
    this.#information = Math.max(low, Low.information);
    const information = contents(this.#information);
    if (this.#information + information.length > Low.end) throw new BootImageError('kernel and command line leave no room for the boot information below 640 KiB'); // prettier-ignore
    this.#machine = machine;
    this.entry = image.entry;
    this.#segments = [...image.segments, ...placed, { address: this.#information, bytes: information, size: information.length }];
  }

  /** Power-on and reset: memory and boot processor as the kernel finds them. */
  setUp(cpu: Cpu): void {
    const { memory } = this.#machine;
    this.#writeLowMemory();
    for (const { address, bytes, size } of this.#segments) {
      memory.fill(address, size, 0);
      memory.poke(address, bytes);
    }
    this.#setUpProcessor(cpu);
  }

  #writeLowMemory(): void {
    const { memory, cpus } = this.#machine;
    setUpRealMode(this.#machine);
    buildAcpi(Low.acpi, Low.acpiNvs, cpus.length, (at, bytes) => void memory.poke(at, bytes));
    memory.poke(Low.gdt, GDT.reduce((p, d) => p.u64(d), new Pack()).done());
  }

  /** The machine state of section 3.2: protected mode, flat segments, A20 open, interrupts off. */
  #setUpProcessor(cpu: Cpu): void {
    loadControlRegisters(cpu, { cr0: BigInt(CR0.PE | CR0.ET), cr3: 0n, cr4: 0n, efer: 0n });
    for (const s of [L.ES, L.SS, L.DS, L.FS, L.GS]) cpu.segments[s]!.load(DATA, 0n, 0xffff_ffff, DATA_ATTR);
    setCodeSegment(cpu, CODE, 0n, 0xffff_ffff, CODE_ATTR, 0);
    cpu.setU64(L.GDTR_BASE, BigInt(Low.gdt));
    cpu.setU32(L.GDTR_LIMIT, GDT.length * 8 - 1);
    cpu.setU64(L.IDTR_BASE, BigInt(Low.vectors));
    cpu.setU32(L.IDTR_LIMIT, 0x3ff);
    cpu.setGpr(0, BigInt(LOADER_MAGIC));
    cpu.setGpr(3, BigInt(this.#information));
    cpu.rip = BigInt(this.entry);
    setUpMtrrs(cpu);
  }
}

/** Modules follow the kernel, each on a page of its own. */
function placeModules(modules: KernelOptions['modules'], from: number): BootSegment[] {
  let next = from;
  return modules.map(({ bytes }) => {
    const address = pageUp(next);
    next = address + bytes.length;
    return { address, bytes, size: bytes.length };
  });
}

function checkPlace(s: BootSegment, ramSize: number): void {
  const where = `its segment 0x${s.address.toString(16)}-0x${endOf(s).toString(16)}`;
  if (endOf(s) > ramSize) throw new BootImageError(`${where} is beyond the RAM of ${ramSize / 2 ** 20} MiB; give more with -m`);
  if (s.address < Low.free || (s.address < Low.high && endOf(s) > Low.end)) throw new BootImageError(`${where} lies over the interrupt vectors, video memory or ROM`); // prettier-ignore
}
