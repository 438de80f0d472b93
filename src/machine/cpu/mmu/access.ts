/**
 * Linear memory as instructions written in TypeScript see it. Precise: both pages of an access are translated before
 * anything is read or written. Code-page marks, devices and watchpoints are respected, as they are by emitted code.
 */
import type { LinearAddr, PhysAddr } from '../../memory/address.ts';
import { breakpointsEnabled, noteDataAccess } from '../breakpoint-registers.ts';
import type { Cpu } from '../cpu.ts';
import { gp, GuestFault, Vector } from '../fault.ts';
import { locateOrThrow } from './locate.ts';
import { onAccess } from './on-access.ts';
import { accessSpan } from './span.ts';
import { alignmentChecked } from './tlb.ts';
import { canonicalHigh, Want } from './walk.ts';

export { onAccess, setOnAccess, type OnAccess } from './on-access.ts';

/** One or two physically contiguous pieces of an access. */
const piece = { first: 0, firstLength: 0, second: 0 };

/**
 * Outside 64-bit mode linear addresses wrap at 4 GiB; but in IA-32e mode the system tables, which are accessed
 * implicitly, have 64-bit bases whatever the code segment says.
 */
const wraps = (cpu: Cpu, implicit: boolean): boolean => !cpu.longMode || (!cpu.code64 && !implicit);

/** Translates an access of at most a page into `piece`. Throws #PF, #GP for a non-canonical address, and what EPT throws. */
function locateSpan(cpu: Cpu, linear: LinearAddr, length: number, write: boolean, implicit: boolean): void {
  const wrap = wraps(cpu, implicit);
  const low = Number(BigInt.asUintN(32, linear));
  const high = wrap ? 0 : Number(BigInt.asIntN(32, linear >> 32n));
  const next = low - (low & 0xfff) + 4096;
  const nextHigh = !wrap && next >= 2 ** 32 ? (high + 1) | 0 : high;
  piece.firstLength = Math.min(length, next - low);
  const crosses = piece.firstLength < length;
  if (!wrap && !(canonicalHigh(cpu, high) && (!crosses || canonicalHigh(cpu, nextHigh)))) throw gp();
  const want = (write ? Want.write : 0) | (implicit ? Want.implicit : cpu.cpl === 3 ? Want.user : 0);
  accessSpan.length = piece.firstLength;
  piece.first = locateOrThrow(cpu, high, low, want);
  if (crosses) {
    accessSpan.length = length - piece.firstLength;
    piece.second = locateOrThrow(cpu, nextHigh, next | 0, want);
  }
  if (breakpointsEnabled(cpu)) noteDataAccess(cpu, wrap ? BigInt(low) : BigInt.asUintN(64, linear), length, write);
  if (onAccess) onAccess(cpu, wrap ? BigInt(low) : BigInt.asUintN(64, linear), length, write);
}

type Size = 1 | 2 | 4 | 8;

/** SDM Vol. 3, 6.15, interrupt 17: data accesses of programs at CPL 3 that asked for it. */
export function checkAlignment(cpu: Cpu, linear: LinearAddr, size: Size, implicit = false): void {
  if (!implicit && (linear & BigInt(size - 1)) !== 0n && alignmentChecked(cpu)) throw new GuestFault(Vector.AC, 0);
}

/** Reads 1, 2, 4 or 8 bytes that may lie in two pages. */
function readPhysical(cpu: Cpu, size: Size): bigint {
  const { memory } = cpu.machine;
  if (piece.firstLength === size) return size === 8 ? memory.read64(piece.first) : BigInt(memory.read(piece.first, size));
  let value = 0n;
  for (let n = size - 1; n >= 0; n--) value = (value << 8n) | BigInt(memory.read(byteAddress(n), 1));
  return value;
}

/** `implicitSupervisor`: an access to a descriptor table or TSS, which is a supervisor access whatever the CPL. */
export function readLinear(cpu: Cpu, linear: LinearAddr, size: Size, implicitSupervisor = false): bigint {
  checkAlignment(cpu, linear, size, implicitSupervisor);
  locateSpan(cpu, linear, size, false, implicitSupervisor);
  return readPhysical(cpu, size);
}

/** As `readLinear` for 4 bytes or fewer, without a bigint result. */
export function readLinear32(cpu: Cpu, linear: LinearAddr, size: 1 | 2 | 4 = 4, implicitSupervisor = false): number {
  checkAlignment(cpu, linear, size, implicitSupervisor);
  locateSpan(cpu, linear, size, false, implicitSupervisor);
  return piece.firstLength === size ? cpu.machine.memory.read(piece.first, size) : Number(readPhysical(cpu, size));
}

export function writeLinear(cpu: Cpu, linear: LinearAddr, size: Size, value: bigint, implicitSupervisor = false): void {
  checkAlignment(cpu, linear, size, implicitSupervisor);
  locateSpan(cpu, linear, size, true, implicitSupervisor);
  const { memory } = cpu.machine;
  if (piece.firstLength < size) {
    for (let n = 0; n < size; n++) memory.write(byteAddress(n), 1, Number((value >> BigInt(8 * n)) & 0xffn));
  } else if (size === 8) memory.write64(piece.first, BigInt.asUintN(64, value));
  else memory.write(piece.first, size, Number(BigInt.asUintN(size * 8, value)));
}

/** Physical address of byte n of the access in `piece`. */
const byteAddress = (n: number): PhysAddr => (n < piece.firstLength ? piece.first + n : piece.second + n - piece.firstLength);

/** Splits a longer range into spans that lie in one page, all translated before the caller sees the first. */
function pages(cpu: Cpu, linear: LinearAddr, length: number, write: boolean, implicit: boolean): { at: PhysAddr; length: number }[] {
  const spans: { at: PhysAddr; length: number }[] = [];
  for (let done = 0; done < length;) {
    const address = linear + BigInt(done);
    const span = Math.min(length - done, 4096 - Number(address & 0xfffn));
    locateSpan(cpu, address, span, write, implicit);
    spans.push({ at: piece.first, length: span });
    done += span;
  }
  return spans;
}

export function readBytes(cpu: Cpu, linear: LinearAddr, length: number, implicitSupervisor = false): Uint8Array {
  const { memory } = cpu.machine;
  const bytes = new Uint8Array(length);
  let done = 0;
  for (const span of pages(cpu, linear, length, false, implicitSupervisor)) {
    const ram = memory.isRam(span.at) ? memory.peek(span.at, span.length) : undefined;
    if (ram) bytes.set(ram, done);
    else for (let n = 0; n < span.length; n++) bytes[done + n] = memory.read(span.at + n, 1);
    done += span.length;
  }
  return bytes;
}

export function writeBytes(cpu: Cpu, linear: LinearAddr, bytes: Uint8Array, implicitSupervisor = false): void {
  const { memory } = cpu.machine;
  let done = 0;
  for (const span of pages(cpu, linear, bytes.length, true, implicitSupervisor)) {
    const part = bytes.subarray(done, done + span.length);
    if (!memory.isRam(span.at) || !memory.poke(span.at, part)) for (const [n, byte] of part.entries()) memory.write(span.at + n, 1, byte);
    done += span.length;
  }
}

/** Translates for writing without writing: an instruction that must not fault halfway asks first. */
export function probeWrite(cpu: Cpu, linear: LinearAddr, length: number, implicitSupervisor = false): void {
  pages(cpu, linear, length, true, implicitSupervisor);
}
