import type { Cpu } from '../../cpu/cpu.ts';
import { ABANDONED } from '../../cpu/fault.ts';
import type { Access } from '../../cpu/hooks.ts';
import { Pending } from '../../cpu/layout.ts';
import { instructionLength } from '../../cpu/instruction-length.ts';
import { accessSpan } from '../../cpu/mmu/span.ts';
import { leaf } from '../../cpu/mmu/walk.ts';
import { currentDelivery } from '../../cpu/system/deliver.ts';
import type { PhysAddr } from '../../memory/address.ts';
import { Primary, Secondary } from '../controls.ts';
import { secondaryControls } from '../execution-controls.ts';
import { vmExit } from '../exit.ts';
import { F } from '../fields.ts';
import { ExitReason } from '../reasons.ts';
import { APIC_WRITE } from '../state.ts';
import { guestVmcs, type Vmcs } from '../vmcs.ts';
import { Reg } from './registers.ts';

/** "Virtualize APIC accesses": SDM Vol. 3, 30.4. */

type Span = readonly [first: number, last: number];
const within = (spans: readonly Span[], register: number): boolean => spans.some(([first, last]) => register >= first && register <= last);

/** Registers whose reads APIC-register virtualization answers from the virtual-APIC page: 30.4.2. */
const READABLE: readonly Span[] = [
  [Reg.id, Reg.version], [Reg.tpr, Reg.tpr], [Reg.eoi, Reg.eoi], [Reg.ldr, Reg.svr], [Reg.isr, Reg.esr], [Reg.icrLow, Reg.initialCount], [Reg.divide, Reg.divide],
]; // prettier-ignore
/** Registers whose writes it takes: 30.4.3.1. */
const WRITABLE: readonly Span[] = [
  [Reg.id, Reg.id], [Reg.tpr, Reg.tpr], [Reg.eoi, Reg.eoi], [Reg.ldr, Reg.svr], [Reg.esr, Reg.esr], [Reg.icrLow, Reg.lvtError], [Reg.initialCount, Reg.initialCount], [Reg.divide, Reg.divide],
]; // prettier-ignore

/** Is an access to this offset of the page virtualized, and not a VM exit? All of it must lie in the low 4 bytes of a register: 30.4.2, 30.4.3.1. */
function virtualized(vmcs: Vmcs, offset: number, length: number, write: boolean): boolean {
  if ((vmcs.num(F.primaryControls) & Primary.useTprShadow) === 0 || (offset & 15) + length > 4) return false;
  const register = offset & 0xff0;
  if (register === Reg.tpr) return true;
  const secondary = secondaryControls(vmcs);
  if ((secondary & Secondary.apicRegisterVirtualization) !== 0) return within(write ? WRITABLE : READABLE, register);
  const delivery = (secondary & Secondary.virtualInterruptDelivery) !== 0;
  return write && delivery && (register === Reg.eoi || register === Reg.icrLow);
}

/** Access types of the exit qualification: table 28-6. */
const Type = { read: 0, write: 1, fetch: 2, delivery: 3, physicalDelivery: 10, physical: 15 } as const;

function exitQualification(cpu: Cpu, offset: number, access: Access, linear: boolean): bigint {
  const delivering = currentDelivery[cpu.index] !== undefined;
  if (!linear) return BigInt((delivering ? Type.physicalDelivery : Type.physical) << 12);
  const type = access.execute ? Type.fetch : delivering ? Type.delivery : access.write ? Type.write : Type.read;
  return BigInt(offset | (type << 12));
}

/**
 * Beyond any physical address: where virtualized accesses of each CPU are sent. What is read and written there is the virtual-APIC
 * page; a write is emulated when the instruction is complete.
 */
const WINDOW = 2 ** 48;
const windowed = new WeakSet<Cpu>();

export function openApicWindow(cpu: Cpu): void {
  if (windowed.has(cpu)) return;
  windowed.add(cpu);
  const { memory } = cpu.machine;
  const at = (offset: number): PhysAddr => Number(guestVmcs(cpu).big(F.virtualApicAddress)) + offset;
  memory.mapMmio({
    name: `virtual-APIC page of cpu${cpu.index}`,
    base: WINDOW + cpu.index * 4096,
    length: 4096,
    read: (offset, size) => memory.read(at(offset), size),
    write(offset, size, value) {
      memory.write(at(offset), size, value);
      cpu.setU32(APIC_WRITE, offset + 1);
      cpu.raise(Pending.window);
    },
  });
}

/** A guest's access has been translated: what it means if it is to the APIC-access page. Throws ABANDONED after a VM exit. */
export function translateApicAccess(cpu: Cpu, physical: PhysAddr, access: Access, linear: boolean): PhysAddr {
  const vmcs = guestVmcs(cpu);
  const page = vmcs.high(F.apicAccessAddress) * 2 ** 32 + vmcs.low(F.apicAccessAddress);
  if (physical < page || physical >= page + 4096) return physical;
  const offset = physical - page;
  if (!linear || access.execute || !virtualized(vmcs, offset, accessSpan.length, access.write)) {
    // Hypervisors that emulate the access go on after the instruction, whose length processors store.
    const length = linear && !access.execute && !currentDelivery[cpu.index] ? instructionLength(cpu) : undefined;
    vmExit(cpu, { reason: ExitReason.apicAccess, qualification: exitQualification(cpu, offset, access, linear), length, resume: 'one' });
    throw ABANDONED;
  }
  leaf.cacheRead = leaf.cacheWrite = false;
  return WINDOW + cpu.index * 4096 + offset;
}
