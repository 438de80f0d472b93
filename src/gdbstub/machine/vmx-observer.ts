import { linearRip } from '../../machine/cpu/block-finder.ts';
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { peekTranslate } from '../../machine/cpu/mmu/walk.ts';
import type { PhysAddr } from '../../machine/memory/address.ts';
import type { Probe } from '../../machine/probe.ts';
import { VMCS_SIZE } from '../../machine/vmx/fields.ts';
import { currentVmcsPointer } from '../../machine/vmx/state.ts';

/** Guest instructions that exits are counted for, at most. */
const MAX_PLACES = 20_000;

export interface ExitPlace {
  readonly cpu: number;
  readonly reason: number;
  readonly rip: bigint;
  /** Physical address of the instruction at its first exit, for its name. */
  readonly physical: PhysAddr | undefined;
  count: number;
}

/** The VMCS region as it was at the last VM entry of a CPU. */
interface Entered {
  readonly address: PhysAddr;
  readonly bytes: Uint8Array;
}

/** Watches VM entries and exits for `monitor vmx exits` and `monitor info vmcs`. Changes nothing in the run. */
export class VmxObserver {
  readonly #places = new Map<string, ExitPlace>();
  readonly #entered = new Map<number, Entered>();
  /** Exits at places beyond the limit. */
  lost = 0;

  readonly probe: Probe = {
    vmEntry: (cpu) => this.#enter(cpu),
    vmExiting: (cpu, reason) => this.#count(cpu, reason),
  };

  /** All places, the most frequent first. */
  places(): readonly ExitPlace[] {
    return [...this.#places.values()].sort((a, b) => b.count - a.count);
  }

  clear(): void {
    this.#places.clear();
    this.lost = 0;
  }

  /** The region of the VMCS at an address when a guest was last entered with it. */
  regionAtEntry(address: PhysAddr): Uint8Array | undefined {
    for (const entered of this.#entered.values()) if (entered.address === address) return entered.bytes;
    return undefined;
  }

  #enter(cpu: Cpu): void {
    const address = currentVmcsPointer(cpu);
    if (address === undefined) return;
    const page = cpu.machine.memory.peek(address, VMCS_SIZE);
    if (!page) return;
    const entered = this.#entered.get(cpu.index);
    if (entered?.address === address) entered.bytes.set(page);
    else this.#entered.set(cpu.index, { address, bytes: page.slice() });
  }

  #count(cpu: Cpu, reason: number): void {
    const rip = linearRip(cpu);
    const key = `${cpu.index} ${reason} ${rip}`;
    const place = this.#places.get(key);
    if (place) place.count++;
    else if (this.#places.size < MAX_PLACES) this.#places.set(key, { cpu: cpu.index, reason, rip, physical: peekTranslate(cpu, rip), count: 1 });
    else this.lost++;
  }
}
