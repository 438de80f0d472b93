/**
 * The guest's breakpoints in DR0 to DR3: SDM Vol. 3, 18.2.4 to 18.2.6 and 18.3.1. Instruction breakpoints are faults before
 * the instruction; data and I/O breakpoints are traps after it, so what an instruction hits is noted here and becomes
 * pending when it completes. Pages with data breakpoints get no TLB entry: code without breakpoints pays nothing.
 */
import type { LinearAddr } from '../memory/address.ts';
import { CR4, type Cpu } from './cpu.ts';
import * as L from './layout.ts';

/** R/Wn. */
const Kind = { execute: 0, write: 1, io: 2, readWrite: 3 } as const;
const DATA = (1 << Kind.write) | (1 << Kind.readWrite);
/** LENn to bytes. */
const LENGTH = [1, 2, 8, 4] as const;
const DR7 = L.DR0 + 7 * 8;
const ENABLES = 0xff;
/** DR6.B0 to B3, and "enabled breakpoint" of the pending debug exceptions: SDM Vol. 3, 25.4.2. */
const HITS = 0xfn;
const ENABLED_BREAKPOINT = 0x1000n;

/** What the instruction under way has hit: bits 3:0. It lives within one instruction: not machine state. */
let noted = 0;

/** Is any breakpoint enabled, by L or G? */
export const breakpointsEnabled = (cpu: Cpu): boolean => (cpu.u32(DR7) & ENABLES) !== 0;

/** Breakpoints of the kinds, as bits of Kind, that an access of `size` bytes hits, as bits 3:0. */
function hits(cpu: Cpu, kinds: number, address: bigint, size: number): number {
  const dr7 = cpu.u32(DR7);
  let found = 0;
  for (let n = 0; n < 4; n++) {
    if (((dr7 >> (n * 2)) & 3) === 0 || ((kinds >> ((dr7 >>> (16 + n * 4)) & 3)) & 1) === 0) continue;
    const length = BigInt(LENGTH[(dr7 >>> (18 + n * 4)) & 3]!);
    const start = cpu.dr(n) & ~(length - 1n);
    if (start < address + BigInt(size) && address < start + length) found |= 1 << n;
  }
  return found;
}

/** Instruction breakpoints at an address. LEN must be 0 with them; with another one the breakpoint is undefined and here ignored. */
export function instructionBreakpoints(cpu: Cpu, linear: LinearAddr): number {
  const dr7 = cpu.u32(DR7);
  let found = 0;
  for (let n = 0; n < 4; n++) if ((dr7 >> (n * 2)) & 3 && ((dr7 >>> (16 + n * 4)) & 15) === 0 && cpu.dr(n) === linear) found |= 1 << n;
  return found;
}

/** Is an enabled breakpoint of these kinds there? */
function enabled(cpu: Cpu, kinds: number): boolean {
  const dr7 = cpu.u32(DR7);
  if ((dr7 & ENABLES) === 0) return false;
  for (let n = 0; n < 4; n++) if ((dr7 >> (n * 2)) & 3 && (kinds >> ((dr7 >>> (16 + n * 4)) & 3)) & 1) return true;
  return false;
}

export const hasInstructionBreakpoints = (cpu: Cpu): boolean => enabled(cpu, 1 << Kind.execute);
export const hasDataBreakpoints = (cpu: Cpu): boolean => enabled(cpu, DATA);

/** Does a data access hit a breakpoint? */
export function hitsDataBreakpoint(cpu: Cpu, linear: LinearAddr, size: number, write: boolean): boolean {
  return breakpointsEnabled(cpu) && hits(cpu, write ? DATA : 1 << Kind.readWrite, linear, size) !== 0;
}

/** Does a linear page have a data breakpoint, so that it gets no TLB entry? */
export function hasDataBreakpointIn(cpu: Cpu, high: number, low: number): boolean {
  return breakpointsEnabled(cpu) && hits(cpu, DATA, (BigInt(high >>> 0) << 32n) | BigInt((low & ~0xfff) >>> 0), 4096) !== 0;
}

/** A data access is made. */
export function noteDataAccess(cpu: Cpu, linear: LinearAddr, size: number, write: boolean): void {
  if (breakpointsEnabled(cpu)) noted |= hits(cpu, write ? DATA : 1 << Kind.readWrite, linear, size);
}

/** A port access is made: a breakpoint only with CR4.DE. */
export function notePortAccess(cpu: Cpu, port: number, size: number): void {
  if (breakpointsEnabled(cpu) && (cpu.cr4bits & CR4.DE) !== 0) noted |= hits(cpu, 1 << Kind.io, BigInt(port), size);
}

/** The instruction, or the delivery of an event, is complete: what it hit is a debug exception before the next one. */
export function trapNoted(cpu: Cpu): void {
  if (noted === 0) return;
  cpu.setU64(L.PENDING_DEBUG, cpu.u64(L.PENDING_DEBUG) | BigInt(noted) | ENABLED_BREAKPOINT);
  cpu.setU32(L.PENDING, cpu.pending | L.Pending.debug);
  noted = 0;
}

/** The instruction faulted or was replaced by a VM exit: it will be executed again. */
export function dropNoted(): void {
  noted = 0;
}

/**
 * A debug exception is delivered: its causes go to DR6. B0 to B3 are those of this exception; the other bits, once set, stay
 * until software clears them (18.2.3).
 */
export function takeDebugCauses(cpu: Cpu): void {
  const causes = cpu.u64(L.PENDING_DEBUG) & ~ENABLED_BREAKPOINT;
  cpu.setU64(L.PENDING_DEBUG, 0n);
  cpu.clear(L.Pending.debug);
  if (causes !== 0n) cpu.setU64(L.DR0 + 6 * 8, (cpu.dr(6) & ~HITS) | causes);
}
