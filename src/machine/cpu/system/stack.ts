import type { Cpu } from '../cpu.ts';
import type { LinearAddr } from '../../memory/address.ts';
import { ss } from '../fault.ts';
import { SS } from '../layout.ts';
import { checkAlignment, readLinear, writeLinear } from '../mmu/access.ts';
import { translate } from '../mmu/walk.ts';
import { mask, withinLimit, type SegmentLike } from './operands.ts';

export type StackWidth = 16 | 32 | 64;
type SlotSize = 2 | 4 | 8;

interface Slot {
  readonly linear: LinearAddr;
  readonly size: SlotSize;
  readonly value: bigint | (() => bigint);
}

export interface StackOptions {
  /** Error code of the #SS that a push beyond the segment raises: a selector when the stack is being switched, and EXT. */
  readonly errorCode?: number;
  /** Pushes are supervisor accesses although CPL is still 3: the stack of an inner ring. */
  readonly supervisor?: boolean;
}

/** Width of the stack pointer in use: 64-bit mode, else SS.B (SDM Vol. 3, 6.2.3 of Vol. 1). */
export function stackWidth(cpu: Cpu): StackWidth {
  return cpu.code64 ? 64 : cpu.segments[SS]!.big ? 32 : 16;
}

/**
 * A stack being pushed to or popped from. Pops read at once. Pushes are checked at once but written by `write`, after every
 * page was found writable, and the stack pointer changes with `commit`: a fault leaves everything as it was.
 */
export class Stack {
  readonly #cpu: Cpu;
  readonly #segment: SegmentLike;
  readonly #width: StackWidth;
  readonly #errorCode: number;
  readonly #supervisor: boolean;
  readonly #slots: Slot[] = [];
  /** Stack pointer, `width` bits. */
  sp: bigint;

  constructor(cpu: Cpu, segment: SegmentLike, sp: bigint, width: StackWidth, options: StackOptions = {}) {
    this.#cpu = cpu;
    this.#segment = segment;
    this.#width = width;
    this.#errorCode = options.errorCode ?? 0;
    // A 64-bit stack entered from compatibility mode has 64-bit addresses already, as only implicit accesses do there.
    const wide = width === 64 && !cpu.code64 && cpu.cpl < 3;
    this.#supervisor = wide || ((options.supervisor ?? false) && cpu.cpl === 3);
    this.sp = mask(sp, width);
  }

  /** `value` as a function is asked when its turn to be written comes: ENTER may read back what it pushed just before. */
  push(value: bigint | (() => bigint), size: SlotSize): void {
    this.sp = mask(this.sp - BigInt(size), this.#width);
    const linear = this.#linear(this.sp, size, true);
    checkAlignment(this.#cpu, linear, size, this.#supervisor);
    this.#slots.push({ linear, size, value });
  }

  /** Reads without popping, `at` bytes above the stack pointer. */
  peek(at: number, size: SlotSize): bigint {
    return readLinear(this.#cpu, this.#linear(mask(this.sp + BigInt(at), this.#width), size, false), size, this.#supervisor);
  }

  pop(size: SlotSize): bigint {
    const value = this.peek(0, size);
    this.release(size);
    return value;
  }

  release(bytes: number): void {
    this.sp = mask(this.sp + BigInt(bytes), this.#width);
  }

  /** Performs the pushes. */
  write(): void {
    // A single push is precise by itself.
    if (this.#slots.length > 1) this.probe();
    for (const { linear, size, value } of this.#slots) {
      writeLinear(this.#cpu, linear, size, mask(typeof value === 'bigint' ? value : value(), size * 8), this.#supervisor);
    }
    this.#slots.length = 0;
  }

  /** Translates every page that the pushes write, so that none of them happens when one would fault. */
  probe(): void {
    const pages = new Set<bigint>();
    for (const { linear, size } of this.#slots) {
      for (const at of [linear, mask(linear + BigInt(size - 1), 64) & ~0xfffn]) {
        if (pages.has(at >> 12n)) continue;
        pages.add(at >> 12n);
        translate(this.#cpu, at, { write: true, execute: false, user: this.#cpu.cpl === 3 && !this.#supervisor });
      }
    }
  }

  /** Performs the pushes and sets SP, ESP or RSP. */
  commit(): void {
    this.write();
    this.#cpu.writeGpr(4, this.#width, this.sp);
  }

  #linear(offset: bigint, size: number, write: boolean): LinearAddr {
    const s = this.#segment;
    if (this.#width === 64) {
      if (!this.#cpu.canonical(offset) || !this.#cpu.canonical(mask(offset + BigInt(size - 1), 64))) throw ss(this.#errorCode);
      return offset;
    }
    if ((s.attr & 0x1_0000) !== 0 || !withinLimit(s, offset, size)) throw ss(this.#errorCode);
    // SS always holds a writable data segment in protected mode; real-address mode makes no type checks.
    if (write && !this.#cpu.realMode && (s.attr & 0xa) !== 2) throw ss(this.#errorCode);
    return mask(s.base + offset, 32);
  }
}

/** The stack in use. */
export function currentStack(cpu: Cpu, options: StackOptions = {}): Stack {
  return new Stack(cpu, cpu.segments[SS]!, cpu.rsp, stackWidth(cpu), options);
}

/** Pushes values in order, each of `bits` bits, and commits. */
export function push(cpu: Cpu, bits: number, ...values: readonly bigint[]): void {
  const stack = currentStack(cpu);
  for (const value of values) stack.push(value, (bits >> 3) as SlotSize);
  stack.commit();
}

/** Pops one value and commits. */
export function pop(cpu: Cpu, bits: number): bigint {
  const stack = currentStack(cpu);
  const value = stack.pop((bits >> 3) as SlotSize);
  stack.commit();
  return value;
}
