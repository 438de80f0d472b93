import type { Cpu } from './cpu/cpu.ts';
import { setOnAccess } from './cpu/mmu/on-access.ts';
import { setWatchesPage } from './cpu/mmu/watch.ts';
import type { Watchpoint } from './stop.ts';

export interface WatchHit {
  readonly id: number;
  readonly address: bigint;
  readonly access: 'read' | 'write';
}

const registry = new WeakMap<object, Watchpoints>();

/** Linear ranges that a debugger watches. Their pages get no TLB entries, so every access is seen, and others cost nothing. */
export class Watchpoints {
  #next = 1;
  readonly #list = new Map<number, Watchpoint>();
  readonly #pages = new Set<bigint>();
  readonly #onHit: (cpu: Cpu, hit: WatchHit) => void;

  /** @param owner the CPUs' `machine`: how an access finds its machine's watchpoints */
  constructor(owner: object, onHit: (cpu: Cpu, hit: WatchHit) => void) {
    this.#onHit = onHit;
    registry.set(owner, this);
  }

  add(w: Watchpoint): number {
    this.#list.set(this.#next, w);
    this.#rebuild();
    setWatchesPage((cpu, high, low) => registry.get(cpu.machine)?.watchesPage(high, low) ?? false);
    setOnAccess((cpu, linear, size, write) => registry.get(cpu.machine)?.note(cpu, linear, size, write));
    return this.#next++;
  }

  remove(id: number): void {
    this.#list.delete(id);
    this.#rebuild();
  }

  get size(): number {
    return this.#list.size;
  }

  /** The watchpoint that an access hits: any of its bytes. */
  hit(linear: bigint, size: number, write: boolean): WatchHit | undefined {
    for (const [id, w] of this.#list) {
      if (w.access !== 'access' && (w.access === 'write') !== write) continue;
      if (linear < w.address + BigInt(w.length) && w.address < linear + BigInt(size)) {
        return { id, address: w.address, access: write ? 'write' : 'read' };
      }
    }
    return undefined;
  }

  note(cpu: Cpu, linear: bigint, size: number, write: boolean): void {
    const hit = this.hit(linear, size, write);
    if (hit) this.#onHit(cpu, hit);
  }

  watchesPage(high: number, low: number): boolean {
    return this.#pages.has((BigInt(high >>> 0) << 20n) | BigInt(low >>> 12));
  }

  #rebuild(): void {
    this.#pages.clear();
    for (const w of this.#list.values()) {
      for (let page = w.address >> 12n; page <= (w.address + BigInt(w.length) - 1n) >> 12n; page++) this.#pages.add(page);
    }
  }
}
