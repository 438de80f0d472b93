import type { Cpu } from '../cpu.ts';
import type { LinearAddr } from '../../memory/address.ts';
import type { GuestFault } from '../fault.ts';
import * as L from '../layout.ts';
import { readLinear, writeLinear } from '../mmu/access.ts';
import { mask, type SegmentLike } from './operands.ts';

/** A segment or system descriptor out of the GDT or LDT: SDM Vol. 3, 3.4.5, 3.5, 7.2.3 and 5.8.3. */
export interface Descriptor extends SegmentLike {
  readonly address: LinearAddr;
  readonly low: number;
  readonly high: number;
}

/** A call, interrupt, trap or task gate: SDM Vol. 3, 5.8.3 and 6.11. */
export interface Gate {
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
  readonly selector: number;
  readonly offset: bigint;
  /** Call gates: parameters to copy. */
  readonly parameters: number;
  /** IA-32e interrupt gates: interrupt stack table index. */
  readonly ist: number;
}

/** System-descriptor types: SDM Vol. 3, table 3-2. */
export const SystemType = {
  tss16: 1, ldt: 2, tss16Busy: 3, callGate16: 4, taskGate: 5, interruptGate16: 6, trapGate16: 7, tss: 9, tssBusy: 11, callGate: 12, interruptGate: 14, trapGate: 15,
} as const; // prettier-ignore

export const rpl = (selector: number): number => selector & 3;
/** The null selectors are 0..3. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
/** The selector part of an error code: SDM Vol. 3, 6.13. */
export const errorSelector = (selector: number): number => selector & 0xfffc;

export const isSystem = (d: SegmentLike): boolean => (d.attr & 0x10) === 0;
export const isCode = (d: SegmentLike): boolean => (d.attr & 0x18) === 0x18;
export const isConforming = (d: SegmentLike): boolean => (d.attr & 0x1c) === 0x1c;
export const isReadable = (d: SegmentLike): boolean => (d.attr & 0x10) !== 0 && ((d.attr & 8) === 0 || (d.attr & 2) !== 0);
export const isWritableData = (d: SegmentLike): boolean => (d.attr & 0x1a) === 0x12;
export const isPresent = (d: SegmentLike): boolean => (d.attr & 0x80) !== 0;
export const isLong = (d: SegmentLike): boolean => (d.attr & 0x2000) !== 0;
export const isBig = (d: SegmentLike): boolean => (d.attr & 0x4000) !== 0;
export const dplOf = (d: SegmentLike): number => (d.attr >> 5) & 3;
export const typeOf = (d: SegmentLike): number => d.attr & 15;

/** Linear address of a descriptor of `bytes` bytes, or undefined when its table does not hold it all. */
function addressOf(cpu: Cpu, selector: number, bytes: number): LinearAddr | undefined {
  const index = selector & 0xfff8;
  if ((selector & 4) !== 0) {
    const ldt = cpu.segments[L.LDTR]!;
    return ldt.unusable || index + bytes - 1 > ldt.limit ? undefined : mask(ldt.base + BigInt(index), cpu.longMode ? 64 : 32);
  }
  return index + bytes - 1 > cpu.u32(L.GDTR_LIMIT) ? undefined : mask(cpu.u64(L.GDTR_BASE) + BigInt(index), cpu.longMode ? 64 : 32);
}

export function parseDescriptor(selector: number, address: LinearAddr, raw: bigint): Descriptor {
  const low = Number(raw & 0xffff_ffffn);
  const high = Number(raw >> 32n);
  const pages = (high & 0xf_0000) | (low & 0xffff);
  return {
    selector,
    address,
    low,
    high,
    attr: (high >>> 8) & 0xf0ff,
    base: BigInt(((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0),
    limit: (high & 0x80_0000) !== 0 ? ((pages << 12) | 0xfff) >>> 0 : pages,
  };
}

/** Reads an 8-byte descriptor as an implicit supervisor access (SDM Vol. 3, 4.6.1); undefined beyond the table. */
export function findDescriptor(cpu: Cpu, selector: number): Descriptor | undefined {
  const address = addressOf(cpu, selector, 8);
  return address === undefined ? undefined : parseDescriptor(selector, address, readLinear(cpu, address, 8, true));
}

/** The same, throwing `fault(selector)` beyond the table. */
export function fetchDescriptor(cpu: Cpu, selector: number, fault: (errorCode: number) => GuestFault, ext = 0): Descriptor {
  const descriptor = findDescriptor(cpu, selector);
  if (!descriptor) throw fault(errorSelector(selector) | ext);
  return descriptor;
}

/**
 * The upper 8 bytes of a 16-byte system descriptor of IA-32e mode (SDM Vol. 3, 3.5.2); undefined when the table ends before
 * or the type field there is not 0.
 */
export function upperHalf(cpu: Cpu, descriptor: Descriptor): bigint | undefined {
  if (addressOf(cpu, descriptor.selector, 16) === undefined) return undefined;
  const upper = readLinear(cpu, descriptor.address + 8n, 8, true);
  return ((upper >> 40n) & 0x1fn) === 0n ? upper : undefined;
}

/** An LDT or TSS descriptor with its 64-bit base in IA-32e mode; throws #GP-like `fault` when malformed. */
export function widenSystem(cpu: Cpu, descriptor: Descriptor, fault: (errorCode: number) => GuestFault, ext = 0): Descriptor {
  if (!cpu.longMode) return descriptor;
  const upper = upperHalf(cpu, descriptor);
  if (upper === undefined) throw fault(errorSelector(descriptor.selector) | ext);
  const base = descriptor.base | ((upper & 0xffff_ffffn) << 32n);
  if (!cpu.canonicalBase(base)) throw fault(errorSelector(descriptor.selector) | ext);
  return { ...descriptor, base };
}

export function parseGate(low: number, high: number, upper: bigint): Gate {
  const type = (high >>> 8) & 15;
  const wide = type >= SystemType.callGate;
  const offset = wide ? BigInt(((high & 0xffff_0000) | (low & 0xffff)) >>> 0) | ((upper & 0xffff_ffffn) << 32n) : BigInt(low & 0xffff);
  return {
    type,
    dpl: (high >>> 13) & 3,
    present: (high & 0x8000) !== 0,
    selector: low >>> 16,
    offset,
    parameters: high & 0x1f,
    ist: high & 7,
  };
}

/** Sets the accessed bit of a code or data descriptor in memory, and gives the descriptor as loaded: SDM Vol. 3, 3.4.5.1. */
export function markAccessed<D extends Descriptor>(cpu: Cpu, descriptor: D): D {
  if ((descriptor.attr & 1) !== 0) return descriptor;
  writeLinear(cpu, descriptor.address + 5n, 1, BigInt(((descriptor.high >>> 8) & 0xff) | 1), true);
  return { ...descriptor, attr: descriptor.attr | 1, high: descriptor.high | 0x100 };
}

/** Sets or clears the busy bit of a TSS descriptor in memory: SDM Vol. 3, 7.2.2. */
export function setBusy(cpu: Cpu, address: LinearAddr, busy: boolean): void {
  const access = readLinear(cpu, address + 5n, 1, true);
  writeLinear(cpu, address + 5n, 1, busy ? access | 2n : access & ~2n, true);
}
