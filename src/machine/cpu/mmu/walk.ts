/**
 * Linear to physical: SDM Vol. 3, chapter 4. One walk serves accesses, the TLB and the debugger. It is warm code, so it
 * works on 32-bit halves and doubles and returns through `leaf`; nothing is allocated unless VMX asks for bigints.
 */
import type { LinearAddr, PhysAddr } from '../../memory/address.ts';
import { RAM, RESERVED_1G, RESERVED_ADDRESS } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import * as L from '../layout.ts';
import { CR0, CR4, EFER, Flag, type Cpu } from '../cpu.ts';
import { GuestFault, Vector, gp } from '../fault.ts';
import type { Access } from '../hooks.ts';
import type { CpuModel } from '../models/model.ts';
import { PDPTES } from './pdptes.ts';
import { noteBigPage } from './tlb.ts';

/** What is wanted of a page: bits. `implicit` is a supervisor access whatever the CPL, to a system table: SDM Vol. 3, 4.6.1. */
export const Want = { write: 1, execute: 2, user: 4, implicit: 8, peek: 16 } as const;

/** Page-fault error code: SDM Vol. 3, 4.7. */
export const PageFault = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16, protectionKey: 32 } as const;

/** Bits common to paging-structure entries: SDM Vol. 3, figure 4-11. */
export const Entry = { PRESENT: 1, WRITABLE: 2, USER: 4, ACCESSED: 0x20, DIRTY: 0x40, PS: 0x80 } as const;
const { PRESENT, WRITABLE, USER, ACCESSED, DIRTY, PS } = Entry;
const TWO_32 = 0x1_0000_0000;

/**
 * What the last walk found. A fault leaves its error code; a success says what the TLB may remember. The entries met on
 * the way are kept for `describeWalk`.
 */
export const leaf = {
  errorCode: 0,
  /** Physical address of the byte asked for, below EPT guest-physical. */
  guestPhysical: 0,
  user: false,
  writable: false,
  executable: false,
  /** Protection key of a user page: SDM Vol. 3, 4.6.2. */
  key: 0,
  /** The translation may be cached for reads / writes by the privilege that asked. */
  cacheRead: false,
  cacheWrite: false,
  /** Log2 of the page size: 12, 21, 22, 30; 0 without paging. */
  pageBits: 0,
  /** Paging-structure entries, the top one first. */
  depth: 0,
  address: new Float64Array(5),
  level: new Uint8Array(5),
  low: new Uint32Array(5),
  high: new Uint32Array(5),
};

const ACCESSES: readonly Access[] = Array.from({ length: 8 }, (_, n) => ({
  write: (n & Want.write) !== 0,
  execute: (n & Want.execute) !== 0,
  user: (n & Want.user) !== 0,
}));
const ENTRY_READ = ACCESSES[0]!;
const ENTRY_WRITE = ACCESSES[Want.write]!;

const joinLinear = (high: number, low: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** Reads a paging-structure entry into `leaf` at index `leaf.depth`. False: nothing there (only when peeking). */
function fetchEntry(cpu: Cpu, at: PhysAddr, level: number, wide: boolean, high: number, low: number, want: number): boolean {
  let host = at;
  const guest = cpu.guest;
  if (guest?.nested) {
    const translated = want & Want.peek ? guest.peek(cpu, at) : guest.translate(cpu, at, ENTRY_READ, joinLinear(high, low), true);
    if (translated === undefined) return false;
    host = translated;
  }
  const n = leaf.depth++;
  const { memory } = cpu.machine;
  leaf.address[n] = at;
  leaf.level[n] = level;
  if (host + 8 <= memory.ramSize && (want & Want.peek || !memory.mmioAt(host))) {
    const word = (RAM + host) >>> 2;
    leaf.low[n] = cpu.m.u32[word]!;
    leaf.high[n] = wide ? cpu.m.u32[word + 1]! : 0;
  } else if (want & Want.peek) {
    return false;
  } else {
    leaf.low[n] = memory.read(host, 4);
    leaf.high[n] = wide ? memory.read(host + 4, 4) : 0;
  }
  return true;
}

/**
 * Sets accessed and dirty flags of the entries just walked: SDM Vol. 3, 4.8. One page may be several structures at once
 * (a directory that maps itself), so each flag is or-ed into what memory holds now.
 */
function setFlags(cpu: Cpu, high: number, low: number, write: boolean): void {
  const { memory } = cpu.machine;
  for (let n = 0; n < leaf.depth; n++) {
    const flags = n === leaf.depth - 1 && write ? ACCESSED | DIRTY : ACCESSED;
    if ((leaf.low[n]! & flags) === flags) continue;
    let host = leaf.address[n]!;
    if (cpu.guest?.nested) host = cpu.guest.translate(cpu, host, ENTRY_WRITE, joinLinear(high, low), true);
    memory.write(host, 4, memory.read(host, 4) | flags);
    leaf.low[n]! |= flags;
  }
}

/** Records the page fault; the code's fetch bit exists only with NX or SMEP. */
function fault(cpu: Cpu, bits: number, want: number): -1 {
  const fetchReported = (cpu.cr4bits & CR4.SMEP) !== 0 || ((cpu.cr4bits & CR4.PAE) !== 0 && (cpu.u32(L.EFER) & EFER.NXE) !== 0);
  leaf.errorCode =
    bits |
    (want & Want.write ? PageFault.write : 0) |
    (want & Want.user ? PageFault.user : 0) |
    (want & Want.execute && fetchReported ? PageFault.fetch : 0);
  return -1;
}

/** Does PKRU deny a data access to the leaf? Only user pages of IA-32e paging have keys: SDM Vol. 3, 4.6.2. */
function keyDenies(cpu: Cpu, write: boolean, user: boolean): boolean {
  if ((cpu.cr4bits & CR4.PKE) === 0 || !leaf.user || !cpu.longMode) return false;
  const rights = cpu.u32(L.PKRU) >>> (leaf.key * 2);
  return (rights & 1) !== 0 || (write && (rights & 2) !== 0 && (user || (cpu.cr0bits & CR0.WP) !== 0));
}

/** SDM Vol. 3, 4.6.1: does the leaf's combined permission admit the access? */
function permitted(cpu: Cpu, want: number): boolean {
  const write = (want & Want.write) !== 0;
  if (want & Want.user) return leaf.user && (want & Want.execute ? leaf.executable : !write || leaf.writable);
  if (want & Want.execute) return leaf.executable && !(leaf.user && (cpu.cr4bits & CR4.SMEP) !== 0);
  if (leaf.user && (cpu.cr4bits & CR4.SMAP) !== 0 && (want & Want.implicit || (cpu.sysflags & Flag.AC) === 0)) return false;
  return !write || leaf.writable || (cpu.cr0bits & CR0.WP) === 0;
}

/** The walk is done and `leaf` filled but for caching: checks permission, sets flags, goes through EPT. */
function finish(cpu: Cpu, high: number, low: number, want: number): PhysAddr {
  const peek = (want & Want.peek) !== 0;
  const write = (want & Want.write) !== 0;
  if (leaf.depth > 0 && !peek) {
    const key = (want & Want.execute) === 0 && keyDenies(cpu, write, (want & Want.user) !== 0) ? PageFault.protectionKey : 0;
    if (key !== 0 || !permitted(cpu, want)) return fault(cpu, PageFault.present | key, want);
    setFlags(cpu, high, low, write);
    if (leaf.pageBits > 12) noteBigPage(cpu, high, low, leaf.pageBits);
  }
  const guest = cpu.guest;
  const nested = guest !== null && guest.nested;
  const dirty = leaf.depth === 0 || (leaf.low[leaf.depth - 1]! & DIRTY) !== 0;
  const supervisorMayWrite = leaf.writable || (cpu.cr0bits & CR0.WP) === 0;
  const keyMayWrite = !keyDenies(cpu, true, (want & Want.user) !== 0);
  // SMAP depends on RFLAGS.AC, which changes without notice: user pages are then checked at each supervisor access.
  const smap = (want & Want.user) === 0 && leaf.user && (cpu.cr4bits & CR4.SMAP) !== 0;
  leaf.cacheRead = (want & Want.execute) === 0 && !smap;
  // EPT was asked about this access only: a read says nothing about writes.
  leaf.cacheWrite = leaf.cacheRead && keyMayWrite && dirty && (want & Want.user ? leaf.writable : supervisorMayWrite) && (write || !nested);
  if (!nested) return leaf.guestPhysical;
  if (peek) return guest.peek(cpu, leaf.guestPhysical) ?? -1;
  return guest.translate(cpu, leaf.guestPhysical, ACCESSES[want & 7]!, joinLinear(high, low), false);
}

/** 32-bit paging with 4-MByte pages: SDM Vol. 3, 4.3. */
function walk32(cpu: Cpu, low: number, want: number): PhysAddr {
  const table = cpu.u32(L.CR3) & ~0xfff;
  if (!fetchEntry(cpu, (table >>> 0) + (low >>> 22) * 4, 2, false, 0, low, want)) return -1;
  const pde = leaf.low[0]!;
  if ((pde & PRESENT) === 0) return fault(cpu, 0, want);
  leaf.executable = true;
  if (pde & PS && (cpu.cr4bits & CR4.PSE) !== 0) {
    // PSE-36: bits 20:13 are address bits 39:32, as many as there are; the rest up to bit 21 is reserved (table 4-4).
    const extra = cpu.model.features.has('pse36') ? Math.min(cpu.model.physicalBits, 40) - 32 : 0;
    if (pde & 0x3f_e000 & ~(((1 << extra) - 1) << 13)) return fault(cpu, PageFault.present | PageFault.reserved, want);
    leaf.user = (pde & USER) !== 0;
    leaf.writable = (pde & WRITABLE) !== 0;
    leaf.pageBits = 22;
    leaf.guestPhysical = ((pde >>> 13) & 0xff) * TWO_32 + ((pde & 0xffc0_0000) >>> 0) + (low & 0x3f_ffff);
    return finish(cpu, 0, low, want);
  }
  if (!fetchEntry(cpu, ((pde & ~0xfff) >>> 0) + ((low >>> 12) & 0x3ff) * 4, 1, false, 0, low, want)) return -1;
  const pte = leaf.low[1]!;
  if ((pte & PRESENT) === 0) return fault(cpu, 0, want);
  leaf.user = (pde & pte & USER) !== 0;
  leaf.writable = (pde & pte & WRITABLE) !== 0;
  leaf.pageBits = 12;
  leaf.guestPhysical = ((pte & ~0xfff) >>> 0) + (low & 0xfff);
  return finish(cpu, 0, low, want);
}

/** Index of a 64-bit entry at a level: bits 20:12 of the address at level 1, nine bits up for each level above. */
function tableIndex(high: number, low: number, level: number): number {
  if (level === 1) return (low >>> 12) & 511;
  if (level === 2) return (low >>> 21) & 511;
  if (level === 3) return ((high << 2) | (low >>> 30)) & 511;
  return (high >>> (level === 4 ? 7 : 16)) & 511;
}

/** Address bits of the low half of a leaf that lie below its page size and above the PAT bit: reserved. Index: level. */
export const BIG_PAGE_RESERVED = [0, 0, 0x1f_e000, 0x3fff_e000];

/** Tells quick/walk.ts what the model reserves: address bits of an entry, and bits of one that maps 1 GByte. */
export function publishReservedBits(m: LinearMemory, model: CpuModel): void {
  m.u64[RESERVED_ADDRESS >> 3] = (1n << 52n) - (1n << BigInt(model.physicalBits));
  m.u64[RESERVED_1G >> 3] = BigInt(model.features.has('pdpe1gb') ? BIG_PAGE_RESERVED[3]! : PS);
}

/** PAE, 4-level and 5-level paging: SDM Vol. 3, 4.4 and 4.5. */
function walk64(cpu: Cpu, high: number, low: number, want: number): PhysAddr {
  const long = cpu.longMode;
  const bits = cpu.model.physicalBits - 32;
  const nxe = (cpu.u32(L.EFER) & EFER.NXE) !== 0;
  // Reserved in the high half: address bits above MAXPHYADDR (PAE: up to bit 62, else to bit 51), and XD when not enabled.
  const reservedHigh = ((long ? 0xf_ffff : 0x7fff_ffff) & ~((1 << bits) - 1)) | (nxe ? 0 : 0x8000_0000);
  let permissions = WRITABLE | USER;
  let noExecute = false;
  let level: number;
  let table: PhysAddr;
  if (long) {
    level = (cpu.cr4bits & CR4.LA57) !== 0 ? 5 : 4;
    table = (cpu.u32(L.CR3 + 4) & ((1 << bits) - 1)) * TWO_32 + ((cpu.u32(L.CR3) & ~0xfff) >>> 0);
  } else {
    level = 2;
    const pdpte = PDPTES + (low >>> 30) * 8;
    const entry = cpu.u32(pdpte);
    if ((entry & PRESENT) === 0) return fault(cpu, 0, want);
    table = cpu.u32(pdpte + 4) * TWO_32 + ((entry & ~0xfff) >>> 0);
  }
  for (; ; level--) {
    const n = leaf.depth;
    if (!fetchEntry(cpu, table + tableIndex(high, low, level) * 8, level, true, high, low, want)) return -1;
    const entryLow = leaf.low[n]!;
    const entryHigh = leaf.high[n]!;
    if ((entryLow & PRESENT) === 0) return fault(cpu, 0, want);
    const big = level > 1 && (entryLow & PS) !== 0;
    const bigReserved = big && (level > 3 || (level === 3 && !cpu.model.features.has('pdpe1gb')) || (entryLow & BIG_PAGE_RESERVED[level]!) !== 0);
    if ((entryHigh & reservedHigh) !== 0 || bigReserved) return fault(cpu, PageFault.present | PageFault.reserved, want);
    permissions &= entryLow;
    noExecute ||= entryHigh >>> 31 === 1;
    const addressHigh = (entryHigh & ((1 << bits) - 1)) * TWO_32;
    if (!big && level > 1) {
      table = addressHigh + ((entryLow & ~0xfff) >>> 0);
      continue;
    }
    leaf.user = (permissions & USER) !== 0;
    leaf.writable = (permissions & WRITABLE) !== 0;
    leaf.executable = !noExecute;
    leaf.key = (entryHigh >>> 27) & 15;
    leaf.pageBits = 12 + (level - 1) * 9;
    const offset = (1 << leaf.pageBits) - 1;
    leaf.guestPhysical = addressHigh + ((entryLow & ~offset & ~0xfff) >>> 0) + ((low & offset) >>> 0);
    return finish(cpu, high, low, want);
  }
}

/**
 * Walks the paging structures for one byte. Returns its physical address, or -1 with `leaf.errorCode` set for a page
 * fault (the caller sets CR2). Throws only what `cpu.guest.translate` throws. The address is canonical.
 */
export function walk(cpu: Cpu, high: number, low: number, want: number): PhysAddr {
  leaf.depth = 0;
  if (!cpu.pagingOn) {
    leaf.user = false;
    leaf.writable = leaf.executable = true;
    leaf.pageBits = 0;
    leaf.guestPhysical = low >>> 0;
    return finish(cpu, 0, low, want);
  }
  return (cpu.cr4bits & CR4.PAE) === 0 ? walk32(cpu, low, want) : walk64(cpu, high, low, want);
}

/** True when bits 63:47 (63:56 with 5-level paging) are all the same: SDM Vol. 1, 3.3.7.1. */
export function canonicalHigh(cpu: Cpu, high: number): boolean {
  const top = high >> ((cpu.cr4bits & CR4.LA57) !== 0 ? 24 : 15);
  return top === 0 || top === -1;
}

/** Where `pageFault` keeps the CR2 that it replaces: behind the PDPTEs in the CPU block. */
export const OLD_CR2 = PDPTES + 4 * 8;

/** The page fault that the last walk recorded; CR2 is set at once. */
export function pageFault(cpu: Cpu, high: number, low: number): GuestFault {
  cpu.setU64(OLD_CR2, cpu.cr2);
  cpu.setU32(L.CR2, low);
  cpu.setU32(L.CR2 + 4, high);
  return new GuestFault(Vector.PF, leaf.errorCode);
}

/**
 * The page fault is not delivered but causes a VM exit: takes back the faulting address out of CR2, which such an exit
 * leaves alone, for the exit qualification. SDM Vol. 3, 27.1 and 27.2.1.
 */
export function withdrawPageFault(cpu: Cpu): LinearAddr {
  const address = cpu.cr2;
  cpu.cr2 = cpu.u64(OLD_CR2);
  return address;
}

const HIGH = (linear: LinearAddr): number => Number(BigInt.asIntN(32, linear >> 32n));
const LOW = (linear: LinearAddr): number => Number(BigInt.asUintN(32, linear));

/** `Want` bits of an access; a supervisor access at CPL 3 can only be an implicit one. */
export function wantOf(cpu: Cpu, access: Access): number {
  return (access.write ? Want.write : 0) | (access.execute ? Want.execute : 0) | (access.user ? Want.user : cpu.cpl === 3 ? Want.implicit : 0);
}

/** Physical address of a byte for an access. Throws #PF (CR2 set), #GP for a non-canonical address, ABANDONED from EPT. */
export function translate(cpu: Cpu, linear: LinearAddr, access: Access): PhysAddr {
  const long = cpu.longMode;
  const high = long ? HIGH(linear) : 0;
  const low = LOW(linear);
  if (long && !canonicalHigh(cpu, high)) throw gp();
  const physical = walk(cpu, high, low, wantOf(cpu, access));
  if (physical < 0) throw pageFault(cpu, high, low);
  return physical;
}

/** For debuggers: no permission is asked for, no flag set, no device read, no exit caused; undefined where nothing is mapped. */
export function peekTranslate(cpu: Cpu, linear: LinearAddr): PhysAddr | undefined {
  const long = cpu.longMode;
  const high = long ? HIGH(linear) : 0;
  if (long && !canonicalHigh(cpu, high)) return undefined;
  const physical = walk(cpu, high, LOW(linear), Want.peek);
  return physical < 0 ? undefined : physical;
}
