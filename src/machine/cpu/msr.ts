/** RDMSR and WRMSR: the registers by index, those that devices add, and the VMX capability MSRs. An unknown one is #GP. */
import type { MachineServices } from '../machine-services.ts';
import { vmxCapabilityMsr } from '../vmx/capabilities.ts';
import type { Cpu } from './cpu.ts';
import { gp } from './fault.ts';
import { boundMsrs } from './msr/bounds.ts';
import { memoryTypeMsrs } from './msr/memory-types.ts';
import { performanceMsrs } from './msr/performance.ts';
import { platformMsrs } from './msr/platform.ts';
import type { Msr } from './msr/row.ts';
import { systemCallMsrs } from './msr/system-call.ts';
import { timeMsrs } from './msr/time.ts';

export { MsrSlot, msrSlot, msrSlotOffset, setMsrSlot, type Msr } from './msr/row.ts';
export { readTsc } from './msr/time.ts';

/** All architectural MSRs of this machine, by subject. */
export const msrs: readonly Msr[] = [...platformMsrs, ...timeMsrs, ...systemCallMsrs, ...memoryTypeMsrs, ...performanceMsrs, ...boundMsrs];

const byIndex = new Map(msrs.map((m) => [m.index, m]));
const registered = new WeakMap<MachineServices, Map<number, Msr>>();

/** A device's MSR (the x2APIC's registers, the TSC deadline); it comes before a built-in one of the same index. */
export function registerMsr(machine: MachineServices, msr: Msr): void {
  let table = registered.get(machine);
  if (!table) registered.set(machine, (table = new Map()));
  if (table.has(msr.index)) throw new Error(`MSR 0x${msr.index.toString(16)} (${msr.name}) is registered already`);
  table.set(msr.index, msr);
}

/** The row of an MSR that this CPU has. */
export function findMsr(cpu: Cpu, index: number): Msr | undefined {
  const msr = registered.get(cpu.machine)?.get(index) ?? byIndex.get(index);
  if (!msr || (msr.needs !== undefined && !cpu.model.features.has(msr.needs))) return undefined;
  return msr.offered === undefined || msr.offered(cpu.model) ? msr : undefined;
}

export function readMsr(cpu: Cpu, index: number): bigint {
  const msr = findMsr(cpu, index);
  if (msr) return msr.read(cpu);
  const capability = cpu.model.features.has('vmx') ? vmxCapabilityMsr(cpu.model, index) : undefined;
  if (capability === undefined) throw gp();
  return capability;
}

export function writeMsr(cpu: Cpu, index: number, value: bigint): void {
  const write = findMsr(cpu, index)?.write;
  if (!write) throw gp();
  write(cpu, value);
}

/** Power-on values. INIT leaves these registers alone: SDM Vol. 3, table 10-1. */
export function resetMsrs(cpu: Cpu): void {
  for (const msr of msrs) msr.reset?.(cpu);
}
