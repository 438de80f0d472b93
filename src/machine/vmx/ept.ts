import { ABANDONED } from '../cpu/fault.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { Access } from '../cpu/hooks.ts';
import type { CpuModel } from '../cpu/models/model.ts';
import type { PhysAddr } from '../memory/address.ts';
import { nmiUnblockedByCurrentIret, vmExit } from './exit.ts';
import { hasVmxFeature } from './features.ts';
import { F } from './fields.ts';
import { ExitReason } from './reasons.ts';
import { guestVmcs } from './vmcs.ts';

/** EPT: SDM Vol. 3, 29.3. Four levels; a level-n entry at level 1 maps 4 KiB, at 2 and 3 with bit 7 set 2 MiB and 1 GiB. */

const [READ, WRITE, EXECUTE] = [1, 2, 4] as const;
const LARGE = 0x80;
const ACCESSED = 0x100;
const DIRTY = 0x200;
const TWO_32 = 0x1_0000_0000;

/** One entry met by a walk, for `describe` and for the permission bits of a violation. */
export interface EptStep {
  readonly level: number;
  readonly address: PhysAddr;
  readonly entry: bigint;
}

export type EptWalk =
  | { readonly kind: 'mapped'; readonly address: PhysAddr; readonly permissions: number; readonly size: number }
  | { readonly kind: 'violation'; readonly permissions: number }
  | { readonly kind: 'misconfiguration'; readonly step: EptStep; readonly why: string };

/** SDM Vol. 3, 29.3.3.1: why an entry with any of bits 2:0 set is misconfigured, or undefined. */
function misconfigured(model: CpuModel, low: number, high: number, level: number): string | undefined {
  if ((low & (READ | WRITE)) === WRITE) return 'writable but not readable';
  if ((low & 7) === EXECUTE && !hasVmxFeature(model, 'ept-execute-only')) return 'execute-only is not supported';
  if ((high & 0xf_ffff) >>> (model.physicalBits - 32) !== 0) return 'address bits beyond the physical-address width';
  const large = (low & LARGE) !== 0;
  if (level === 4) return (low & 0xf8) !== 0 ? 'reserved bits 7:3 of a PML4 entry' : undefined;
  if (level === 3 && large && !hasVmxFeature(model, 'ept-1g')) return '1-GByte pages are not supported';
  if (level === 2 && large && !hasVmxFeature(model, 'ept-2m')) return '2-MByte pages are not supported';
  if (level > 1 && !large) return (low & 0x78) !== 0 ? 'reserved bits 6:3 of a table reference' : undefined;
  const memoryType = (low >> 3) & 7;
  if (memoryType === 2 || memoryType === 3 || memoryType === 7) return `memory type ${memoryType} is reserved`;
  if (level > 1 && (low & ((1 << (12 + (level - 1) * 9)) - 1) & ~0xfff) !== 0) return 'reserved address bits of a large page';
  return undefined;
}

/** A walk's steps are given to `visit`; flags are set by the caller. */
export function walkEpt(cpu: Cpu, eptp: bigint, guestPhysical: PhysAddr, visit?: (step: EptStep) => void): EptWalk {
  const { memory } = cpu.machine;
  let table: PhysAddr = Number(eptp & 0xf_ffff_ffff_f000n);
  let permissions = 7;
  if (guestPhysical >= 2 ** 48) return { kind: 'violation', permissions: 0 };
  for (let level = 4; ; level--) {
    const shift = 12 + (level - 1) * 9;
    const address = table + (Math.floor(guestPhysical / 2 ** shift) & 511) * 8;
    const low = memory.read(address, 4);
    const high = memory.read(address + 4, 4);
    const step = (): EptStep => ({ level, address, entry: (BigInt(high) << 32n) | BigInt(low) });
    visit?.(step());
    if ((low & 7) === 0) return { kind: 'violation', permissions: 0 };
    const why = misconfigured(cpu.model, low, high, level);
    if (why !== undefined) return { kind: 'misconfiguration', step: step(), why };
    permissions &= low;
    const base = (high & 0xf_ffff) * TWO_32 + ((low & ~0xfff) >>> 0);
    if (level > 1 && (low & LARGE) === 0) {
      table = base;
      continue;
    }
    const size = 2 ** shift;
    return { kind: 'mapped', address: base - (base % size) + (guestPhysical % size), permissions, size };
  }
}

/** Sets accessed flags of the entries used, and the dirty flag of the leaf: SDM Vol. 3, 29.3.5. */
function setFlags(cpu: Cpu, eptp: bigint, guestPhysical: PhysAddr, write: boolean): void {
  const { memory } = cpu.machine;
  const steps: EptStep[] = [];
  walkEpt(cpu, eptp, guestPhysical, (step) => steps.push(step));
  for (const [n, step] of steps.entries()) {
    const flags = ACCESSED | (write && n === steps.length - 1 ? DIRTY : 0);
    if ((Number(step.entry & 0xfffn) & flags) !== flags) memory.write(step.address, 4, Number(step.entry & 0xffff_ffffn) | flags);
  }
}

/** GuestHooks.translate: SDM Vol. 3, 29.3.3. `walk`: the access is to a guest paging-structure entry. */
export function translateGuestPhysical(cpu: Cpu, guestPhysical: PhysAddr, access: Access, linear: bigint | undefined, walk: boolean): PhysAddr {
  const vmcs = guestVmcs(cpu);
  const eptp = vmcs.big(F.eptPointer);
  const flags = (eptp & 0x40n) !== 0n;
  const result = walkEpt(cpu, eptp, guestPhysical);
  if (result.kind === 'misconfiguration') {
    vmcs.setBig(F.guestPhysicalAddress, BigInt(guestPhysical));
    cpu.machine.log.once(
      `ept ${result.step.address}`,
      `vmx: EPT misconfiguration: level-${result.step.level} entry at 0x${result.step.address.toString(16)} is 0x${result.step.entry.toString(16)}: ${result.why} [SDM Vol. 3, 29.3.3.1]`,
    );
    vmExit(cpu, { reason: ExitReason.eptMisconfiguration, qualification: 0n, resume: 'one' });
    throw ABANDONED;
  }
  // With accessed and dirty flags for EPT, accesses to guest paging structures count as writes: 29.3.3.2.
  const write = access.write || (walk && flags);
  const needed = access.execute ? EXECUTE : write ? WRITE | (walk ? READ : 0) : READ;
  if (result.kind === 'violation' || (result.permissions & needed) !== needed) {
    const kind = access.execute ? 4 : write ? (walk ? 3 : 2) : 1;
    const about = linear === undefined ? 0 : 0x80 | (walk ? 0 : 0x100);
    const unblocked = nmiUnblockedByCurrentIret(cpu) ? 0x1000 : 0;
    vmcs.setBig(F.guestPhysicalAddress, BigInt(guestPhysical));
    vmExit(cpu, {
      reason: ExitReason.eptViolation,
      qualification: BigInt(kind | (result.permissions << 3) | about | unblocked),
      linear,
      resume: 'one',
    });
    throw ABANDONED;
  }
  if (flags) setFlags(cpu, eptp, guestPhysical, write);
  return result.address;
}

/** GuestHooks.peek. */
export function peekGuestPhysical(cpu: Cpu, guestPhysical: PhysAddr): PhysAddr | undefined {
  const result = walkEpt(cpu, guestVmcs(cpu).big(F.eptPointer), guestPhysical);
  return result.kind === 'mapped' ? result.address : undefined;
}
