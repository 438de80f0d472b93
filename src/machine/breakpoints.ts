import type { PhysAddr } from './memory/address.ts';
import { PAGE_SIZE } from './memory/layout.ts';
import type { BreakpointPlace } from './stop.ts';

/**
 * Where execution stops. A place is looked up in two steps: decoded code carries marks by page offset (code is decoded once
 * for all its linear aliases), and a mark that executes asks here for the exact address.
 */
export class Breakpoints {
  #next = 1;
  readonly #places = new Map<number, BreakpointPlace>();
  readonly #linear = new Map<bigint, number>();
  readonly #physical = new Map<PhysAddr, number>();
  /** Page offsets with a linear breakpoint, and how many. */
  readonly #offsets = new Map<number, number>();

  add(place: BreakpointPlace): number {
    const id = this.#next++;
    this.#places.set(id, place);
    this.#rebuild();
    return id;
  }

  remove(id: number): BreakpointPlace | undefined {
    const place = this.#places.get(id);
    this.#places.delete(id);
    this.#rebuild();
    return place;
  }

  get hasPhysical(): boolean {
    return this.#physical.size > 0;
  }

  get any(): boolean {
    return this.#places.size > 0;
  }

  /** Must decoded code be marked there? */
  marked(page: number, offset: number): boolean {
    return this.#offsets.has(offset) || this.#physical.has(page * PAGE_SIZE + offset);
  }

  atLinear(linear: bigint): number | undefined {
    return this.#linear.get(linear);
  }

  atPhysical(physical: PhysAddr): number | undefined {
    return this.#physical.get(physical);
  }

  #rebuild(): void {
    this.#linear.clear();
    this.#physical.clear();
    this.#offsets.clear();
    for (const [id, place] of this.#places) {
      if ('linear' in place) {
        this.#linear.set(place.linear, id);
        const offset = offsetOf(place);
        this.#offsets.set(offset, (this.#offsets.get(offset) ?? 0) + 1);
      } else this.#physical.set(place.physical, id);
    }
  }
}

export const offsetOf = (place: BreakpointPlace): number => ('linear' in place ? Number(place.linear & 0xfffn) : place.physical % PAGE_SIZE);
