import { ABANDONED, GuestFault, Vector } from '../cpu/fault.ts';
import { CR4, EFER, type Cpu } from '../cpu/cpu.ts';
import type { Access } from '../cpu/hooks.ts';
import * as L from '../cpu/layout.ts';
import { leaf } from '../cpu/mmu/walk.ts';
import type { CpuModel } from '../cpu/models/model.ts';
import type { PhysAddr } from '../memory/address.ts';
import { RAM } from '../memory/layout.ts';
import { Secondary } from './controls.ts';
import { nmiUnblockedByCurrentIret, vmExit } from './exit.ts';
import { secondaryControls } from './execution-controls.ts';
import { reportExit } from './failure.ts';
import { hasVmxFeature } from './features.ts';
import { F } from './fields.ts';
import { logModification } from './page-modification-log.ts';
import { ExitReason } from './reasons.ts';
import { becomesException, writeVeInformation } from './virtualization-exception.ts';
import { guestVmcs, type Vmcs } from './vmcs.ts';

/**
 * EPT: SDM Vol. 3, 29.3. Four levels; a level-n entry at level 1 maps 4 KiB, at 2 and 3 with bit 7 set 2 MiB and 1 GiB. The walk
 * is warm code: it works on 32-bit halves and returns through `eptWalk`.
 */

export const EptEntry = { READ: 1, WRITE: 2, EXECUTE: 4, LARGE: 0x80, ACCESSED: 0x100, DIRTY: 0x200, USER_EXECUTE: 0x400 } as const;
const { READ, WRITE, EXECUTE, LARGE, ACCESSED, DIRTY, USER_EXECUTE } = EptEntry;
const TWO_32 = 0x1_0000_0000;
/** EPTP bit 6: accessed and dirty flags are enabled. */
const EPTP_AD = 0x40;

export const EptResult = { mapped: 0, violation: 1, misconfiguration: 2 } as const;

/** What the last walk found, and the entries it met. */
export const eptWalk = {
  result: 0,
  physical: 0,
  /** AND of the entries' bits 2:0 and 10. */
  permissions: 0,
  /** Log2 of the page size. */
  pageBits: 0,
  why: '',
  depth: 0,
  address: new Float64Array(4),
  low: new Uint32Array(4),
  high: new Uint32Array(4),
};

/** What the processor's features and the controls make of EPT entries. */
interface Rules {
  readonly executeOnly: boolean;
  readonly pages1G: boolean;
  readonly pages2M: boolean;
  /** Reserved in the high half: address bits beyond the physical-address width. */
  readonly reservedHigh: number;
}

const rulesOf = new WeakMap<CpuModel, Rules>();
let lastModel: CpuModel | undefined;
let lastRules: Rules | undefined;

function rules(model: CpuModel): Rules {
  if (model === lastModel) return lastRules!;
  let r = rulesOf.get(model);
  if (!r) {
    r = {
      executeOnly: hasVmxFeature(model, 'ept-execute-only'),
      pages1G: hasVmxFeature(model, 'ept-1g'),
      pages2M: hasVmxFeature(model, 'ept-2m'),
      reservedHigh: 0xf_ffff & ~(2 ** (model.physicalBits - 32) - 1),
    };
    rulesOf.set(model, r);
  }
  lastModel = model;
  lastRules = r;
  return r;
}

/** Memory types 2, 3 and 7 are reserved: SDM Vol. 3, table 29-6. */
const RESERVED_TYPES = (1 << 2) | (1 << 3) | (1 << 7);
/** Address bits of a large page's entry that lie below its size: reserved. Index: level. */
const LARGE_RESERVED = [0, 0, 0x1f_f000, 0x3fff_f000];

/** SDM Vol. 3, 29.3.3.1: why a present entry is misconfigured, or ''. `executable`: bit 2, with mode-based execute control bit 10 too. */
function misconfigured(r: Rules, low: number, high: number, level: number, executable: number): string {
  if ((low & (READ | WRITE)) === WRITE) return 'writable but not readable';
  if ((low & READ) === 0 && (low & executable) !== 0 && !r.executeOnly) return 'execute-only is not supported';
  if ((high & r.reservedHigh) !== 0) return 'address bits beyond the physical-address width';
  if (level === 1) return (RESERVED_TYPES >> ((low >> 3) & 7)) & 1 ? `memory type ${(low >> 3) & 7} is reserved` : '';
  if (level === 4) return (low & 0xf8) !== 0 ? 'reserved bits 7:3 of a PML4 entry' : '';
  if ((low & LARGE) === 0) return (low & 0x78) !== 0 ? 'reserved bits 6:3 of a table reference' : '';
  if (level === 3 && !r.pages1G) return '1-GByte pages are not supported';
  if (level === 2 && !r.pages2M) return '2-MByte pages are not supported';
  if ((RESERVED_TYPES >> ((low >> 3) & 7)) & 1) return `memory type ${(low >> 3) & 7} is reserved`;
  return (low & LARGE_RESERVED[level]!) !== 0 ? 'reserved address bits of a large page' : '';
}

/** Walks the EPT paging structures of an EPTP into `eptWalk`. @param modeBased "mode-based execute control for EPT" is 1 */
export function walkEpt(cpu: Cpu, eptpLow: number, eptpHigh: number, guestPhysical: PhysAddr, modeBased: boolean): number {
  const { memory } = cpu.machine;
  const r = rules(cpu.model);
  const executable = modeBased ? EXECUTE | USER_EXECUTE : EXECUTE;
  const pageLow = guestPhysical >>> 0;
  const pageHigh = Math.floor(guestPhysical / TWO_32);
  let table: PhysAddr = (eptpHigh & 0xf_ffff) * TWO_32 + ((eptpLow & ~0xfff) >>> 0);
  let permissions = READ | WRITE | EXECUTE | USER_EXECUTE;
  eptWalk.depth = 0;
  eptWalk.permissions = 0;
  eptWalk.pageBits = 0;
  if (guestPhysical >= 2 ** 48) return (eptWalk.result = EptResult.violation);
  for (let level = 4; ; level--) {
    const index = level === 1 ? pageLow >>> 12 : level === 2 ? pageLow >>> 21 : level === 3 ? (pageHigh << 2) | (pageLow >>> 30) : pageHigh >>> 7;
    const address = table + (index & 511) * 8;
    let low: number;
    let high: number;
    if (address + 8 <= memory.ramSize && !memory.mmioAt(address)) {
      const word = (RAM + address) >>> 2;
      low = cpu.m.u32[word]!;
      high = cpu.m.u32[word + 1]!;
    } else {
      low = memory.read(address, 4);
      high = memory.read(address + 4, 4);
    }
    const n = eptWalk.depth++;
    eptWalk.address[n] = address;
    eptWalk.low[n] = low;
    eptWalk.high[n] = high;
    // An entry is present if any of bits 2:0 is 1, with mode-based execute control also if bit 10 is (29.3.2).
    if ((low & (READ | WRITE | executable)) === 0) return (eptWalk.result = EptResult.violation);
    const why = misconfigured(r, low, high, level, executable);
    if (why !== '') {
      eptWalk.why = why;
      return (eptWalk.result = EptResult.misconfiguration);
    }
    permissions &= low;
    const base = (high & 0xf_ffff) * TWO_32 + ((low & ~0xfff) >>> 0);
    if (level > 1 && (low & LARGE) === 0) {
      table = base;
      continue;
    }
    const bits = 12 + (level - 1) * 9;
    eptWalk.permissions = permissions;
    eptWalk.pageBits = bits;
    eptWalk.physical = base + (bits === 12 ? pageLow & 0xfff : pageLow & ((1 << bits) - 1));
    return (eptWalk.result = EptResult.mapped);
  }
}

const nmiUnblocking = (cpu: Cpu): number => (nmiUnblockedByCurrentIret(cpu) ? 0x1000 : 0);

/**
 * Sets accessed flags of the entries used, and the dirty flag of the leaf, which is logged first when "enable PML" is 1: SDM Vol. 3,
 * 29.3.5 and 29.3.6.
 */
function setFlags(cpu: Cpu, vmcs: Vmcs, guestPhysical: PhysAddr, write: boolean, secondary: number): void {
  const { memory } = cpu.machine;
  const last = eptWalk.depth - 1;
  if (write && (eptWalk.low[last]! & DIRTY) === 0 && (secondary & Secondary.enablePml) !== 0 && !logModification(cpu, vmcs, guestPhysical)) {
    vmExit(cpu, { reason: ExitReason.pmlFull, qualification: BigInt(nmiUnblocking(cpu)), resume: 'one' });
    throw ABANDONED;
  }
  for (let n = 0; n <= last; n++) {
    const flags = write && n === last ? ACCESSED | DIRTY : ACCESSED;
    if ((eptWalk.low[n]! & flags) === flags) continue;
    const at = eptWalk.address[n]!;
    memory.write(at, 4, memory.read(at, 4) | flags);
  }
}

function misconfigurationExit(cpu: Cpu, vmcs: Vmcs, guestPhysical: PhysAddr): never {
  const n = eptWalk.depth - 1;
  const [at, low, high] = [eptWalk.address[n]!, eptWalk.low[n]!, eptWalk.high[n]!];
  const entry = `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`;
  reportExit(cpu, ExitReason.eptMisconfiguration, {
    rule: 'ept.misconfiguration',
    title: `EPT misconfiguration: ${eptWalk.why}`,
    section: '29.3.3.1',
    detail: `level-${4 - n} entry at 0x${at.toString(16)} = ${entry}, guest-physical address 0x${guestPhysical.toString(16)}`,
  });
  vmcs.setBig(F.guestPhysicalAddress, BigInt(guestPhysical));
  vmExit(cpu, { reason: ExitReason.eptMisconfiguration, qualification: 0n, resume: 'one' });
  throw ABANDONED;
}

/** Bits 11:9 of the qualification: what the guest's own paging says of the linear address (table 28-7). */
function linearInformation(cpu: Cpu): number {
  if (!cpu.pagingOn) return 0x600;
  const canDisable = (cpu.cr4bits & CR4.PAE) !== 0 && (cpu.u32(L.EFER) & EFER.NXE) !== 0;
  return (leaf.user ? 0x200 : 0) | (leaf.writable ? 0x400 : 0) | (canDisable && !leaf.executable ? 0x800 : 0);
}

/** SDM Vol. 3, 29.3.3.2 and table 28-7; with "EPT-violation #VE" 1 the violation may be an exception of the guest instead (26.5.7). */
function violation(cpu: Cpu, vmcs: Vmcs, guestPhysical: PhysAddr, kind: number, linear: bigint | undefined, walk: boolean, secondary: number): never {
  const { permissions } = eptWalk;
  const about = linear === undefined ? 0 : 0x80 | (walk ? 0 : 0x100);
  const userExecute = (secondary & Secondary.modeBasedExecute) !== 0 && (permissions & USER_EXECUTE) !== 0 ? 0x40 : 0;
  const advanced = about === 0x180 && hasVmxFeature(cpu.model, 'ept-advanced-information') ? linearInformation(cpu) : 0;
  const qualification = kind | ((permissions & 7) << 3) | userExecute | about | advanced;
  const last = eptWalk.depth - 1;
  const suppressed = last >= 0 && eptWalk.high[last]! >>> 31 === 1;
  if ((secondary & Secondary.eptViolationVe) !== 0 && !suppressed && becomesException(cpu, vmcs)) {
    writeVeInformation(cpu, vmcs, { qualification, linear: linear ?? 0n, guestPhysical });
    throw new GuestFault(Vector.VE);
  }
  vmcs.setBig(F.guestPhysicalAddress, BigInt(guestPhysical));
  vmExit(cpu, { reason: ExitReason.eptViolation, qualification: BigInt(qualification | nmiUnblocking(cpu)), linear, resume: 'one' });
  throw ABANDONED;
}

/** A fetch from a user-mode linear address is governed by bit 10 with mode-based execute control; without paging all are user-mode. */
function executeBit(cpu: Cpu, secondary: number): number {
  if ((secondary & Secondary.modeBasedExecute) === 0) return EXECUTE;
  return !cpu.pagingOn || leaf.user ? USER_EXECUTE : EXECUTE;
}

/** GuestHooks.translate: SDM Vol. 3, 29.3.3. `walk`: the access is to a guest paging-structure entry. */
export function translateGuestPhysical(cpu: Cpu, guestPhysical: PhysAddr, access: Access, linear: bigint | undefined, walk: boolean): PhysAddr {
  const vmcs = guestVmcs(cpu);
  const secondary = secondaryControls(vmcs);
  const eptp = vmcs.low(F.eptPointer);
  const flags = (eptp & EPTP_AD) !== 0;
  const result = walkEpt(cpu, eptp, vmcs.high(F.eptPointer), guestPhysical, (secondary & Secondary.modeBasedExecute) !== 0);
  if (result === EptResult.misconfiguration) misconfigurationExit(cpu, vmcs, guestPhysical);
  // With accessed and dirty flags for EPT, accesses to guest paging structures count as writes: 29.3.3.2.
  const write = access.write || (walk && flags);
  const needed = access.execute ? executeBit(cpu, secondary) : write ? WRITE | (walk ? READ : 0) : READ;
  if (result === EptResult.violation || (eptWalk.permissions & needed) !== needed) {
    violation(cpu, vmcs, guestPhysical, access.execute ? 4 : write ? (walk ? 3 : 2) : 1, linear, walk, secondary);
  }
  if (!flags) return eptWalk.physical;
  const { physical } = eptWalk;
  setFlags(cpu, vmcs, guestPhysical, write, secondary);
  return physical;
}

/** GuestHooks.peek. */
export function peekGuestPhysical(cpu: Cpu, guestPhysical: PhysAddr): PhysAddr | undefined {
  const vmcs = guestVmcs(cpu);
  const modeBased = (secondaryControls(vmcs) & Secondary.modeBasedExecute) !== 0;
  const result = walkEpt(cpu, vmcs.low(F.eptPointer), vmcs.high(F.eptPointer), guestPhysical, modeBased);
  return result === EptResult.mapped ? eptWalk.physical : undefined;
}
