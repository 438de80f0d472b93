import type { Log } from '../log.ts';
import type { PhysAddr } from './address.ts';
import type { CodeLines } from './code-lines.ts';
import type { LinearMemory } from './linear-memory.ts';
import { PAGE_MARKS, PAGE_SIZE, PLAIN_AGAIN, PLAIN_BYTES, PLAIN_END, RAM } from './layout.ts';

/** A device's claim on physical addresses, page-aligned. Sizes are 1, 2, 4 or 8 bytes; 8 goes as two halves of 4. */
export interface MmioRange {
  readonly name: string;
  readonly base: PhysAddr;
  readonly length: number;
  read(offset: number, size: 1 | 2 | 4): number;
  write(offset: number, size: 1 | 2 | 4, value: number): void;
}

/** A range of RAM that the guest cannot write, or a hole where RAM is not visible (VGA window). */
export interface RamHole {
  readonly base: PhysAddr;
  readonly length: number;
}

/**
 * Physical memory: RAM at 0, MMIO above or in holes. Reads of nothing give all ones and are logged once a page.
 * Writes tell the machine which page changed when it holds decoded code.
 */
export class PhysicalMemory {
  readonly linear: LinearMemory;
  readonly #log: Log;
  readonly #mmio: MmioRange[] = [];
  /** Below and from there on RAM is just RAM: what devices claim of it lies between. */
  #holesBegin = 0;
  #holesEnd = 0;
  /** Set by the machine: pages with decoded code are marked 1, watched pages 2. */
  readonly pageMarks: Uint8Array;
  onMarkedWrite: (page: number, from: number, to: number) => void = () => {};
  /** By page that is marked for decoded code: where that lies. */
  readonly codeLines = new Map<number, CodeLines>();

  constructor(linear: LinearMemory, log: Log) {
    this.linear = linear;
    this.#log = log;
    this.pageMarks = linear.u8.subarray(PAGE_MARKS, PAGE_MARKS + linear.ramSize / PAGE_SIZE).fill(0);
    this.#findHoles();
  }

  get ramSize(): number {
    return this.linear.ramSize;
  }

  mapMmio(range: MmioRange): void {
    this.#mmio.push(range);
    this.#findHoles();
  }

  unmapMmio(range: MmioRange): void {
    const n = this.#mmio.indexOf(range);
    if (n >= 0) this.#mmio.splice(n, 1);
    this.#findHoles();
  }

  #findHoles(): void {
    const holes = this.#mmio.filter((r) => r.base < this.linear.ramSize);
    this.#holesBegin = Math.min(this.linear.ramSize, ...holes.map((r) => r.base));
    this.#holesEnd = Math.max(0, ...holes.map((r) => r.base + r.length));
    // For emitted code.
    const { u64, ramSize } = this.linear;
    u64[PLAIN_END >> 3] = BigInt(this.#holesBegin);
    u64[PLAIN_AGAIN >> 3] = BigInt(this.#holesEnd);
    u64[PLAIN_BYTES >> 3] = BigInt(Math.max(0, ramSize - this.#holesEnd));
  }

  /** RAM for certain, without looking at the devices. False may mean anything. */
  #plain(p: PhysAddr, size: number): boolean {
    return p + size <= this.#holesBegin || (p >= this.#holesEnd && p + size <= this.linear.ramSize);
  }

  mmioRanges(): readonly MmioRange[] {
    return this.#mmio;
  }

  /** The MMIO range that claims an address, before RAM (holes are MMIO ranges laid over RAM). */
  mmioAt(p: PhysAddr): MmioRange | undefined {
    if (this.#plain(p, 1)) return undefined;
    for (const r of this.#mmio) if (p >= r.base && p < r.base + r.length) return r;
    return undefined;
  }

  isRam(p: PhysAddr): boolean {
    return this.#plain(p, 1) || (p < this.linear.ramSize && this.mmioAt(p) === undefined);
  }

  /** Address of RAM in linear memory; the caller knows that `p` is RAM. */
  hostOf(p: PhysAddr): number {
    return RAM + p;
  }

  /** Little-endian read of 1, 2 or 4 bytes; may cross pages. */
  read(p: PhysAddr, size: 1 | 2 | 4): number {
    if (this.#plain(p, size)) return this.#ram(p, size);
    const range = this.mmioAt(p);
    if (range) return range.read(p - range.base, size) >>> 0;
    if (p + size <= this.linear.ramSize) return this.#ram(p, size);
    this.#log.once(`mem ${Math.floor(p / PAGE_SIZE)}`, `access to unmapped physical address 0x${p.toString(16)}: reads give all ones`);
    return size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1;
  }

  write(p: PhysAddr, size: 1 | 2 | 4, value: number): void {
    if (!this.#plain(p, size)) {
      const range = this.mmioAt(p);
      if (range) return range.write(p - range.base, size, value >>> 0);
      if (p + size > this.linear.ramSize) {
        this.#log.once(`mem ${Math.floor(p / PAGE_SIZE)}`, `access to unmapped physical address 0x${p.toString(16)}: writes are ignored`);
        return;
      }
    }
    this.#touch(p, size);
    const at = RAM + p;
    if (size === 1) this.linear.u8[at] = value;
    else if (size === 2) this.linear.view.setUint16(at, value, true);
    else this.linear.view.setUint32(at, value, true);
  }

  read64(p: PhysAddr): bigint {
    if (this.#plain(p, 8)) return this.linear.view.getBigUint64(RAM + p, true);
    return BigInt(this.read(p, 4)) | (BigInt(this.read(p + 4, 4)) << 32n);
  }

  write64(p: PhysAddr, value: bigint): void {
    this.write(p, 4, Number(value & 0xffff_ffffn));
    this.write(p + 4, 4, Number((value >> 32n) & 0xffff_ffffn));
  }

  /** Copies bytes out of RAM for a debugger or the firmware: no device is touched; undefined where there is no RAM. */
  peek(p: PhysAddr, length: number): Uint8Array | undefined {
    if (p < 0 || p + length > this.linear.ramSize) return undefined;
    return this.linear.u8.slice(RAM + p, RAM + p + length);
  }

  /** Writes bytes to RAM (DMA, debugger, firmware); decoded code is invalidated. False where there is no RAM. */
  poke(p: PhysAddr, bytes: Uint8Array): boolean {
    if (p < 0 || p + bytes.length > this.linear.ramSize) return false;
    this.#touch(p, bytes.length);
    this.linear.u8.set(bytes, RAM + p);
    return true;
  }

  fill(p: PhysAddr, length: number, value: number): void {
    this.#touch(p, length);
    this.linear.u8.fill(value, RAM + p, RAM + p + length);
  }

  #ram(p: PhysAddr, size: 1 | 2 | 4): number {
    const at = RAM + p;
    return size === 1 ? this.linear.u8[at]! : size === 2 ? this.linear.view.getUint16(at, true) : this.linear.view.getUint32(at, true);
  }

  #touch(p: PhysAddr, length: number): void {
    for (let page = Math.floor(p / PAGE_SIZE); page * PAGE_SIZE < p + length; page++)
      if (this.pageMarks[page]) this.onMarkedWrite(page, Math.max(0, p - page * PAGE_SIZE), Math.min(PAGE_SIZE, p + length - page * PAGE_SIZE));
  }
}
