import type { Cpu } from '../../machine/cpu/cpu.ts';
import { peekTranslate } from '../../machine/cpu/mmu/walk.ts';
import { PAGE_SIZE } from '../../machine/memory/layout.ts';
import type { PhysAddr } from '../../machine/memory/address.ts';
import type { PhysicalMemory } from '../../machine/memory/physical.ts';
import type { MemoryPart } from '../target.ts';

/** Physical RAM at an address of a CPU's address space, undefined where nothing is mapped or a device answers. */
export function ramAt(cpu: Cpu, memory: PhysicalMemory, address: bigint, physicalMode: boolean): PhysAddr | undefined {
  const physical = physicalMode ? (address < 1n << 52n ? Number(address) : undefined) : peekTranslate(cpu, address);
  // Reading a device's register may change it, and RAM below it is not what the CPU would see: neither is shown.
  return physical !== undefined && memory.isRam(physical) ? physical : undefined;
}

/**
 * Memory as a CPU sees it now, through its own page tables (and its VMM's EPT), without permission checks and without a
 * trace in the machine. Page by page: a read ends early where the next page is not there.
 */
export function memoryPart(cpuOf: (thread: number) => Cpu, memory: PhysicalMemory, physicalMode: () => boolean): MemoryPart {
  /** The pieces of a range, page by page. Ends before the first page that is not RAM. */
  function* pieces(cpu: Cpu, address: bigint, length: number): Iterable<{ at: number; size: number; physical: PhysAddr }> {
    for (let at = 0; at < length;) {
      const linear = BigInt.asUintN(64, address + BigInt(at));
      const size = Math.min(length - at, PAGE_SIZE - Number(linear & 0xfffn));
      const physical = ramAt(cpu, memory, linear, physicalMode());
      if (physical === undefined) return;
      yield { at, size, physical };
      at += size;
    }
  }
  return {
    read(thread, address, length) {
      const out = new Uint8Array(length);
      let end = 0;
      for (const { at, size, physical } of pieces(cpuOf(thread), address, length)) {
        const bytes = memory.peek(physical, size);
        if (!bytes) break;
        out.set(bytes, at);
        end = at + size;
      }
      return end > 0 ? out.subarray(0, end) : undefined;
    },
    write(thread, address, bytes) {
      const all = [...pieces(cpuOf(thread), address, bytes.length)];
      if (all.reduce((sum, p) => sum + p.size, 0) !== bytes.length) return false;
      return all.every(({ at, size, physical }) => memory.poke(physical, bytes.subarray(at, at + size)));
    },
  };
}
