import type { Log } from '../log.ts';

/** A device's claim on I/O ports. Reads give the value in the low `size` bytes. */
export interface PortRange {
  readonly name: string;
  readonly base: number;
  readonly length: number;
  read(port: number, size: 1 | 2 | 4): number;
  write(port: number, size: 1 | 2 | 4, value: number): void;
}

/** The 64 Ki I/O ports. Unclaimed reads give all ones; each unclaimed port is logged once. */
export class PortSpace {
  readonly #owner: (PortRange | undefined)[] = new Array<PortRange | undefined>(0x1_0000).fill(undefined);
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  map(range: PortRange): void {
    for (let port = range.base; port < range.base + range.length; port++) {
      const other = this.#owner[port];
      if (other) throw new Error(`port 0x${port.toString(16)} of ${range.name} already belongs to ${other.name}`);
      this.#owner[port] = range;
    }
  }

  unmap(range: PortRange): void {
    for (let port = range.base; port < range.base + range.length; port++) if (this.#owner[port] === range) this.#owner[port] = undefined;
  }

  read(port: number, size: 1 | 2 | 4): number {
    const range = this.#owner[port];
    if (range) return range.read(port, size) >>> 0;
    this.#log.once(`in ${port}`, `read of unclaimed port 0x${port.toString(16)} (${size} bytes): all ones`);
    return size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1;
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    const range = this.#owner[port];
    if (range) range.write(port, size, value);
    else this.#log.once(`out ${port}`, `write of unclaimed port 0x${port.toString(16)} (${size} bytes): ignored`);
  }

  *ranges(): Iterable<PortRange> {
    yield* new Set(this.#owner.filter((range) => range !== undefined));
  }
}
