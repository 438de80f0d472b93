import { APIC_BASE } from '../../cpu/layout.ts';
import { flushTlbAll } from '../../cpu/mmu/tlb.ts';
import type { MachineServices } from '../../machine-services.ts';
import type { MmioRange } from '../../memory/physical.ts';
import type { Lapic } from './lapic.ts';

export const LAPIC_BASE = 0xfee0_0000;
const PAGE = 0x1000;

/** Where a CPU's IA32_APIC_BASE puts its APIC: 11.4.4. */
const baseOf = (apic: Lapic): number => apic.cpu.u32(APIC_BASE + 4) * 0x1_0000_0000 + ((apic.cpu.u32(APIC_BASE) & ~0xfff) >>> 0);

/**
 * The 4 KiB pages that show each CPU its own local APIC, one for each address that an IA32_APIC_BASE names. Registers are
 * 32 bits wide on 16-byte boundaries; any other access is undefined (SDM Vol. 3, 11.4.1): narrow reads give the bytes
 * asked for, other writes are ignored. Without xAPIC mode, and for a CPU whose APIC is elsewhere, the page is not there.
 */
export class LapicPages {
  readonly #machine: MachineServices;
  readonly #lapics: readonly Lapic[];
  readonly #currentCpu: () => number;
  readonly #pages = new Map<number, MmioRange>();

  constructor(machine: MachineServices, lapics: readonly Lapic[], currentCpu: () => number) {
    this.#machine = machine;
    this.#lapics = lapics;
    this.#currentCpu = currentCpu;
    this.#map(LAPIC_BASE);
  }

  /** After a change of an IA32_APIC_BASE, and after a restore. */
  update(): void {
    const { memory, cpus } = this.#machine;
    const wanted = new Set([LAPIC_BASE, ...this.#lapics.map(baseOf)]);
    const stale = [...this.#pages.keys()].filter((base) => !wanted.has(base));
    const missing = [...wanted].filter((base) => !this.#pages.has(base));
    for (const base of stale) {
      memory.unmapMmio(this.#pages.get(base)!);
      this.#pages.delete(base);
    }
    for (const base of missing) this.#map(base);
    if (stale.length + missing.length > 0) for (const cpu of cpus) flushTlbAll(cpu); // RAM appears or disappears there
  }

  #map(base: number): void {
    const range: MmioRange = {
      name: 'local APIC',
      base,
      length: PAGE,
      read: (offset, size) => this.#read(base, offset, size),
      write: (offset, size, value) => this.#write(base, offset, size, value),
    };
    this.#pages.set(base, range);
    this.#machine.memory.mapMmio(range);
  }

  /** The APIC that answers at this address. */
  #here(base: number): Lapic | undefined {
    const apic = this.#lapics[this.#currentCpu()]!;
    return apic.onBus && !apic.x2apic && baseOf(apic) === base ? apic : undefined;
  }

  #read(base: number, offset: number, size: 1 | 2 | 4): number {
    const apic = this.#here(base);
    const at = offset & 15;
    if (!apic) return this.#readBelow(base + offset, size);
    if (offset >= 0x400 || at >= 4) return 0;
    const value = apic.readRegister(offset >> 4) >>> (at * 8);
    return size === 4 ? value : value & ((1 << (size * 8)) - 1);
  }

  /** What is there without the APIC: RAM where it was moved over RAM, else nothing. */
  #readBelow(address: number, size: number): number {
    const bytes = this.#machine.memory.peek(address, size);
    return bytes ? bytes.reduceRight((value, byte) => value * 256 + byte, 0) : 0xffff_ffff >>> (32 - size * 8);
  }

  #writeBelow(address: number, size: number, value: number): void {
    this.#machine.memory.poke(
      address,
      Uint8Array.from({ length: size }, (_, n) => value >>> (n * 8)),
    );
  }

  #write(base: number, offset: number, size: 1 | 2 | 4, value: number): void {
    const apic = this.#here(base);
    if (!apic) this.#writeBelow(base + offset, size, value);
    if (!apic || offset >= 0x400) return;
    if (size === 4 && (offset & 15) === 0) apic.writeRegister(offset >> 4, value);
    else this.#machine.log.once('lapic write', `${apic.name}: ${size}-byte write at offset 0x${offset.toString(16)} ignored`);
  }
}
