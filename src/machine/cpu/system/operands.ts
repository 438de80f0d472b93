import type { Cpu } from '../cpu.ts';
import type { Insn } from '../isa/insn.ts';
import type { LinearAddr } from '../../memory/address.ts';
import { gp, ss } from '../fault.ts';
import { FS, GS, SS } from '../layout.ts';
import { readLinear, writeLinear } from '../mmu/access.ts';

/** What a segment check needs: a segment register, or a descriptor that is not loaded yet. */
export interface SegmentLike {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  /** VMCS access-rights format (cpu/layout.ts). */
  readonly attr: number;
}

export type OperandSize = 1 | 2 | 4 | 8;

const UNUSABLE = 0x1_0000;

export const mask = (value: bigint, bits: number): bigint => BigInt.asUintN(bits, value);
export const bytesOf = (bits: number): OperandSize => (bits >> 3) as OperandSize;

/** Sets RIP for good: see `Helper`. */
export function setRip(cpu: Cpu, rip: bigint): void {
  cpu.rip = rip;
  cpu.nextRip = rip;
}

/** True when `size` bytes at `offset` lie inside the segment: SDM Vol. 3, 5.3. */
export function withinLimit(segment: SegmentLike, offset: bigint, size: number): boolean {
  const last = offset + BigInt(size - 1);
  const limit = BigInt(segment.limit >>> 0);
  const expandDown = (segment.attr & 0xc) === 4;
  if (!expandDown) return last <= limit;
  return offset > limit && last <= ((segment.attr & 0x4000) !== 0 ? 0xffff_ffffn : 0xffffn);
}

/** Type check of a data access: SDM Vol. 3, 5.5. Real-address mode makes none; segments of v8086 mode always pass it. */
function typeAllows(segment: SegmentLike, write: boolean): boolean {
  if ((segment.attr & (UNUSABLE | 0x90)) !== 0x90) return false;
  const code = (segment.attr & 8) !== 0;
  return write ? !code && (segment.attr & 2) !== 0 : !code || (segment.attr & 2) !== 0;
}

/**
 * Linear address of `size` bytes at an offset in a segment register, checked: SDM Vol. 3, 5.3-5.5; in 64-bit mode only FS and
 * GS have a base, nothing has a limit and the address must be canonical (Vol. 1, 3.3.7.1).
 */
export function linearOf(cpu: Cpu, segment: number, offset: bigint, size: number, write: boolean): LinearAddr {
  const s = cpu.segments[segment]!;
  if (cpu.code64) {
    const linear = mask(segment === FS || segment === GS ? s.base + offset : offset, 64);
    if (!cpu.canonical(linear) || !cpu.canonical(mask(linear + BigInt(size - 1), 64))) throw segment === SS ? ss() : gp();
    return linear;
  }
  if (!withinLimit(s, offset, size) || (!cpu.realMode && !typeAllows(s, write))) throw segment === SS ? ss() : gp();
  return mask(s.base + offset, 32);
}

/** Offset of the memory operand in its segment, wrapped at the address size: SDM Vol. 1, 3.7.5. */
export function effectiveAddress(cpu: Cpu, insn: Insn, bits: number = insn.addrsize): bigint {
  let offset = insn.disp;
  if (insn.base === 16) offset += cpu.nextRip;
  else if (insn.base >= 0) offset += cpu.gpr(insn.base);
  if (insn.index >= 0) offset += cpu.gpr(insn.index) << BigInt(insn.scale);
  return mask(offset, bits);
}

/** Linear address of the memory operand; `length` may be any number of bytes. */
export function operandAddress(cpu: Cpu, insn: Insn, length: number, write: boolean): LinearAddr {
  return linearOf(cpu, insn.segment, effectiveAddress(cpu, insn), length, write);
}

/** Linear address `distance` bytes on: outside 64-bit mode linear addresses wrap at 4 GiB (SDM Vol. 3, 3.3). */
export function advance(cpu: Cpu, linear: LinearAddr, distance: number): LinearAddr {
  return mask(linear + BigInt(distance), cpu.code64 ? 64 : 32);
}

export function readMemory(cpu: Cpu, insn: Insn, bits: number): bigint {
  return readLinear(cpu, operandAddress(cpu, insn, bits >> 3, false), bytesOf(bits));
}

export function writeMemory(cpu: Cpu, insn: Insn, bits: number, value: bigint): void {
  writeLinear(cpu, operandAddress(cpu, insn, bits >> 3, true), bytesOf(bits), mask(value, bits));
}

/** The r/m operand at a width of 8, 16, 32 or 64 bits, zero-extended. */
export function readRm(cpu: Cpu, insn: Insn, bits: number): bigint {
  return insn.isMemory ? readMemory(cpu, insn, bits) : cpu.readGpr(insn.rm, bits, insn.rex);
}

export function writeRm(cpu: Cpu, insn: Insn, bits: number, value: bigint): void {
  if (insn.isMemory) writeMemory(cpu, insn, bits, value);
  else cpu.writeGpr(insn.rm, bits, mask(value, bits), insn.rex);
}
