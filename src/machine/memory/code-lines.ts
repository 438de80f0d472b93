import { PAGE_SIZE } from './layout.ts';

/** Bytes that share a bit, as a power of 2. */
const LINE = 3;
/** Writes beside code after which a page where nothing is decoded any more counts as data. */
const PATIENCE = 64;

/**
 * Which parts of a physical page were decoded. Data often lies beside code, in the page where a program's code ends, on a
 * stack with a trampoline: writes there need not make the code be decoded again.
 */
export class CodeLines {
  readonly #bits = new Uint8Array(PAGE_SIZE >> (LINE + 3));
  #empty = true;
  #writes = 0;

  cover(from: number, to: number): void {
    this.#empty = false;
    this.#writes = 0;
    const last = (Math.min(to, PAGE_SIZE) - 1) >> LINE;
    for (let line = from >> LINE; line <= last; line++) this.#bits[line >> 3]! |= 1 << (line & 7);
  }

  covers(from: number, to: number): boolean {
    if (this.#empty) return false;
    const last = (to - 1) >> LINE;
    for (let line = from >> LINE; line <= last; line++) if ((this.#bits[line >> 3]! & (1 << (line & 7))) !== 0) return true;
    return false;
  }

  clear(): void {
    this.#bits.fill(0);
    this.#empty = true;
  }

  /** Counts a write to a page in which nothing is decoded. True: that was the last one for which it stays a code page. */
  get abandoned(): boolean {
    return this.#empty && ++this.#writes > PATIENCE;
  }
}
