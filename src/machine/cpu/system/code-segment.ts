import type { Cpu } from '../cpu.ts';
import { gp, np } from '../fault.ts';
import { CS } from '../layout.ts';
import { mask, setRip, type SegmentLike } from './operands.ts';
import { dplOf, errorSelector, isBig, isCode, isConforming, isLong, isPresent, rpl, type Descriptor } from './descriptors.ts';
import { setCodeSegment } from './segments.ts';

export type BranchKind = 'call' | 'return' | 'jump';

/** Linear address of an offset in CS. */
export function codeAddress(cpu: Cpu, rip: bigint): bigint {
  return cpu.code64 ? rip : mask(cpu.segments[CS]!.base + rip, 32);
}

/** The target must lie inside the new code segment, or be canonical when that is a 64-bit one. */
export function checkTarget(cpu: Cpu, segment: SegmentLike, rip: bigint, ext = 0): void {
  const inside = cpu.longMode && isLong(segment) ? cpu.canonical(rip) : rip <= BigInt(segment.limit >>> 0);
  if (!inside) throw gp(ext);
}

/** CS.L and CS.D may not both be set in IA-32e mode: SDM Vol. 3, 5.2.1. */
export const badSize = (cpu: Cpu, d: SegmentLike): boolean => cpu.longMode && isLong(d) && isBig(d);

/** JMP and CALL straight to a code segment, which keep CPL: SDM Vol. 3, 5.8.1. */
export function checkDirectCode(cpu: Cpu, selector: number, d: Descriptor): void {
  const error = errorSelector(selector);
  if (badSize(cpu, d)) throw gp(error);
  if (isConforming(d) ? dplOf(d) > cpu.cpl : rpl(selector) > cpu.cpl || dplOf(d) !== cpu.cpl) throw gp(error);
  if (!isPresent(d)) throw np(error);
}

/** RET and IRET: the selector's RPL becomes CPL: SDM Vol. 3, 5.8.6. */
export function checkReturnCode(cpu: Cpu, selector: number, d: Descriptor): void {
  const error = errorSelector(selector);
  if (!isCode(d) || badSize(cpu, d) || rpl(selector) < cpu.cpl) throw gp(error);
  if (isConforming(d) ? dplOf(d) > rpl(selector) : dplOf(d) !== rpl(selector)) throw gp(error);
  if (!isPresent(d)) throw np(error);
}

/** Commits a transfer to a code segment. The selector's RPL becomes the CPL. */
export function enterCode(cpu: Cpu, kind: BranchKind | undefined, selector: number, segment: SegmentLike, cpl: number, rip: bigint): void {
  const observed = kind !== undefined && cpu.machine.probe?.branch !== undefined;
  const from = observed ? codeAddress(cpu, cpu.rip) : 0n;
  setCodeSegment(cpu, (selector & 0xfffc) | cpl, segment.base, segment.limit, segment.attr, cpl);
  setRip(cpu, rip);
  if (observed) cpu.machine.probe?.branch?.(cpu, kind, from, codeAddress(cpu, rip));
}

/** Commits a transfer in real-address or v8086 mode. */
export function enterRealCode(cpu: Cpu, kind: BranchKind | undefined, selector: number, rip: bigint): void {
  const from = codeAddress(cpu, cpu.rip);
  const cs = cpu.segments[CS]!;
  cs.load(selector, BigInt(selector) << 4n, cs.limit, cs.attr);
  setRip(cpu, rip);
  if (kind) cpu.machine.probe?.branch?.(cpu, kind, from, codeAddress(cpu, rip));
}
