import type { Debuggable } from '../../machine/stop.ts';
import { refused, type BreakpointsPart, type BreakpointType } from '../target.ts';

export interface Inserted {
  readonly id: number;
  readonly type: BreakpointType;
  readonly address: bigint;
  readonly length: number;
  readonly physical: boolean;
}

const ACCESS = { write: 'write', read: 'read', access: 'access' } as const;
/** A watched page is slow for the guest; more than this is a mistake. */
const MAX_WATCHED = 0x1_0000;

/** The client's breakpoints in the machine. The machine knows ids; this knows what the client calls them. */
export class MachineBreakpoints implements BreakpointsPart {
  readonly #machine: Debuggable;
  readonly #physicalMode: () => boolean;
  readonly #byKey = new Map<string, Inserted>();
  readonly #byId = new Map<number, Inserted>();
  /** Code breakpoints by linear address, for the runner. */
  readonly #code = new Map<bigint, Inserted>();
  readonly #physical = new Map<number, Inserted>();

  constructor(machine: Debuggable, physicalMode: () => boolean) {
    this.#machine = machine;
    this.#physicalMode = physicalMode;
  }

  insert(type: BreakpointType, address: bigint, length: number): ReturnType<BreakpointsPart['insert']> {
    const physical = this.#physicalMode();
    const key = this.#key(type, address, length, physical);
    if (this.#byKey.has(key)) return true;
    const watch = type !== 'software' && type !== 'hardware';
    if (watch && physical) return refused('watchpoints are by linear address: leave physical mode first');
    if (watch && (length === 0 || length > MAX_WATCHED)) return refused(`a watchpoint is 1 to ${MAX_WATCHED} bytes long`);
    const id = watch
      ? this.#machine.addWatchpoint({ address, length, access: ACCESS[type] })
      : this.#machine.addBreakpoint(physical ? { physical: Number(address) } : { linear: address });
    const inserted = { id, type, address, length, physical };
    this.#byKey.set(key, inserted);
    this.#byId.set(id, inserted);
    if (!watch) this.#index(inserted);
    return true;
  }

  remove(type: BreakpointType, address: bigint, length: number): void {
    // Physical mode may have been switched in between: try the current mode's first.
    const physical = this.#physicalMode();
    for (const mode of [physical, !physical]) {
      const key = this.#key(type, address, length, mode);
      const found = this.#byKey.get(key);
      if (!found) continue;
      this.#drop(key, found);
      return;
    }
  }

  clear(): void {
    for (const [key, found] of this.#byKey) this.#drop(key, found);
  }

  get(id: number): Inserted | undefined {
    return this.#byId.get(id);
  }

  at(linear: bigint): Inserted | undefined {
    return this.#code.get(linear);
  }

  atPhysical(address: () => number | undefined): Inserted | undefined {
    if (this.#physical.size === 0) return undefined;
    return this.#physical.get(address() ?? -1);
  }

  #key(type: BreakpointType, address: bigint, length: number, physical: boolean): string {
    // The kind of a code breakpoint is its length, which means nothing here.
    const code = type === 'software' || type === 'hardware';
    return `${type} ${address.toString(16)} ${code ? 0 : length} ${physical ? 'physical' : ''}`;
  }

  #drop(key: string, found: Inserted): void {
    this.#byKey.delete(key);
    this.#byId.delete(found.id);
    if (found.type === 'software' || found.type === 'hardware') this.#machine.removeBreakpoint(found.id);
    else this.#machine.removeWatchpoint(found.id);
    // A software and a hardware breakpoint may share an address: index again what is left.
    this.#code.delete(found.address);
    this.#physical.delete(Number(found.address));
    for (const other of this.#byKey.values()) if (other.address === found.address && isCode(other)) this.#index(other);
  }

  #index(b: Inserted): void {
    if (b.physical) this.#physical.set(Number(b.address), b);
    else this.#code.set(b.address, b);
  }
}

const isCode = (b: Inserted): boolean => b.type === 'software' || b.type === 'hardware';
