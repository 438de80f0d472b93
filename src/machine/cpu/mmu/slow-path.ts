/**
 * What emitted code calls when the TLB does not answer. It gives an address in linear memory where the access can be
 * made: the guest's RAM itself, or BOUNCE, from where `commitBounce` carries a write to where it belongs (a device, two
 * pages, a page with decoded code, a watched page). A fault is a return code, and nothing has happened then.
 */
import type { LinearAddr, PhysAddr } from '../../memory/address.ts';
import { BOUNCE, RAM } from '../../memory/layout.ts';
import * as L from '../layout.ts';
import { hasDataBreakpointIn, noteDataAccess } from '../breakpoint-registers.ts';
import type { Cpu } from '../cpu.ts';
import { ABANDONED, GuestFault, Vector } from '../fault.ts';
import { locate, PageMark } from './locate.ts';
import { onAccess } from './on-access.ts';
import { accessSpan } from './span.ts';
import { alignmentChecked } from './tlb.ts';
import { watchesPage } from './watch.ts';
import { canonicalHigh, pageFault, Want } from './walk.ts';

/** Kinds of access, as emitted code passes them; `stack` is or-ed in and turns #GP into #SS. */
export const AccessKind = { read: 0, write: 1, readWrite: 2, stack: 4 } as const;

/** FAULT_VECTOR when a VM exit took the place of the access. */
export const FAULT_ABANDONED = 0xffff_ffff;

/** The write that BOUNCE stages. It lives from `slowAccess` to `commitBounce` within one instruction: not machine state. */
const staged = { linear: 0n, size: 0, first: 0, firstLength: 0, second: 0 };

/** As `slowAccessAt`, with the address as a parameter. */
export function slowAccess(cpu: Cpu, linear: LinearAddr, size: number, kind: number): number {
  cpu.setU64(L.SLOW_ADDRESS, linear);
  return slowAccessAt(cpu, size, kind);
}

/** An access of `size` (1..64) bytes at the linear address in SLOW_ADDRESS. Returns 0 for a fault, which is in FAULT_VECTOR. */
export function slowAccessAt(cpu: Cpu, size: number, kind: number): number {
  try {
    return attempt(cpu, size, kind);
  } catch (e) {
    if (e instanceof GuestFault) return fail(cpu, e.vector, e.errorCode);
    if (e !== ABANDONED) throw e;
    cpu.setU32(L.FAULT_VECTOR, FAULT_ABANDONED);
    return 0;
  }
}

function fail(cpu: Cpu, vector: number, errorCode: number | undefined): 0 {
  cpu.setU32(L.FAULT_VECTOR, vector | (errorCode === undefined ? 0 : 0x100));
  cpu.setU32(L.FAULT_CODE, errorCode ?? 0);
  return 0;
}

function failPage(cpu: Cpu, high: number, low: number): 0 {
  return fail(cpu, Vector.PF, pageFault(cpu, high, low).errorCode);
}

/** A write to a page with decoded code that touches none of it. */
function besidesCode(cpu: Cpu, physical: PhysAddr, size: number): boolean {
  const lines = cpu.machine.memory.codeLines.get(Math.floor(physical / 4096));
  const offset = physical % 4096;
  return lines !== undefined && !lines.covers(offset, offset + size) && !lines.abandoned;
}

/** Address in linear memory of bytes that may be accessed there, unseen; else 0. */
function plainRam(cpu: Cpu, high: number, low: number, physical: PhysAddr, size: number, write: boolean): number {
  const { memory } = cpu.machine;
  if (!memory.isRam(physical) || watchesPage?.(cpu, high, low) || hasDataBreakpointIn(cpu, high, low)) return 0;
  const marks = memory.pageMarks[Math.floor(physical / 4096)]!;
  const plain = write ? marks === 0 || (marks === PageMark.code && besidesCode(cpu, physical, size)) : (marks & PageMark.watched) === 0;
  return plain ? RAM + physical : 0;
}

/** SDM Vol. 3, 6.15, interrupt 17: wider than quadwords, alignment is the instruction's own matter. */
const misaligned = (cpu: Cpu, low: number, size: number): boolean => size > 1 && size <= 8 && (low & (size - 1)) !== 0 && alignmentChecked(cpu);

/**
 * What regions call when the TLB does not answer: the address in linear memory of an access to plain RAM within a page, or 0 for
 * anything else. Then nothing happened that will not happen again: the region leaves, and tier 0 makes the access.
 */
export function ramAt(cpu: Cpu, size: number, kind: number): number {
  const long = cpu.longMode;
  const low = cpu.u32(L.SLOW_ADDRESS);
  const high = long ? cpu.u32(L.SLOW_ADDRESS + 4) : 0;
  // Below EPT the walk itself may end in a VM exit.
  if (cpu.guest?.nested || (low & 0xfff) + size > 4096 || (long && !canonicalHigh(cpu, high)) || misaligned(cpu, low, size)) return 0;
  const write = (kind & 3) !== 0;
  const physical = locate(cpu, high, low, (write ? Want.write : 0) | (cpu.cpl === 3 ? Want.user : 0));
  return physical < 0 ? 0 : plainRam(cpu, high, low, physical, size, write);
}

function attempt(cpu: Cpu, size: number, kind: number): number {
  const long = cpu.longMode;
  const low = cpu.u32(L.SLOW_ADDRESS);
  const high = long ? cpu.u32(L.SLOW_ADDRESS + 4) : 0;
  const write = (kind & 3) !== 0;
  const last = low + size - 1;
  const wrap = !cpu.code64;
  const lastHigh = last >= 2 ** 32 && !wrap ? (high + 1) | 0 : high;
  if (long && !(canonicalHigh(cpu, high) && canonicalHigh(cpu, lastHigh))) return fail(cpu, kind & AccessKind.stack ? Vector.SS : Vector.GP, 0);
  if (misaligned(cpu, low, size)) return fail(cpu, Vector.AC, 0);
  const want = (write ? Want.write : 0) | (cpu.cpl === 3 ? Want.user : 0);
  const firstLength = Math.min(size, 4096 - (low & 0xfff));
  accessSpan.length = firstLength;
  const first = locate(cpu, high, low, want);
  if (first < 0) return failPage(cpu, high, low);
  let second = 0;
  if (firstLength < size) {
    const next = (low - (low & 0xfff) + 4096) | 0;
    accessSpan.length = size - firstLength;
    second = locate(cpu, lastHigh, next, want);
    if (second < 0) return failPage(cpu, lastHigh, next);
  } else {
    const address = plainRam(cpu, high, low, first, size, write);
    if (address !== 0) return address;
  }
  staged.linear = (BigInt(high >>> 0) << 32n) | BigInt(low);
  staged.size = size;
  staged.first = first;
  staged.firstLength = firstLength;
  staged.second = second;
  if ((kind & 3) !== AccessKind.write) {
    noteDataAccess(cpu, staged.linear, size, false);
    if (onAccess) onAccess(cpu, staged.linear, size, false);
    transfer(cpu, first, BOUNCE, firstLength, false);
    if (firstLength < size) transfer(cpu, second, BOUNCE + firstLength, size - firstLength, false);
  }
  return BOUNCE;
}

/** Carries out the write whose bytes emitted code has put into BOUNCE. */
export function commitBounce(cpu: Cpu): void {
  const { first, firstLength, second, size } = staged;
  noteDataAccess(cpu, staged.linear, size, true);
  if (onAccess) onAccess(cpu, staged.linear, size, true);
  transfer(cpu, first, BOUNCE, firstLength, true);
  if (firstLength < size) transfer(cpu, second, BOUNCE + firstLength, size - firstLength, true);
}

/** Moves bytes between physical memory and BOUNCE in the largest pieces that a device takes, in ascending order. */
function transfer(cpu: Cpu, physical: PhysAddr, bounce: number, length: number, write: boolean): void {
  const { memory } = cpu.machine;
  const { view } = cpu.m;
  for (let done = 0; done < length;) {
    const left = length - done;
    const size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const at = bounce + done;
    if (write) memory.write(physical + done, size, size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at));
    else if (size === 4) view.setUint32(at, memory.read(physical + done, 4), true);
    else if (size === 2) view.setUint16(at, memory.read(physical + done, 2), true);
    else view.setUint8(at, memory.read(physical + done, 1));
    done += size;
  }
}
