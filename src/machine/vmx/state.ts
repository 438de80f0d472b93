import { VmxMode, type Cpu } from '../cpu/cpu.ts';
import * as L from '../cpu/layout.ts';
import type { PhysAddr } from '../memory/address.ts';

/**
 * The VMX state of a logical processor outside its VMCS, laid out in the CPU block's VMX area. All plain bytes: a snapshot
 * of the block holds it.
 */
const VMXON_POINTER = L.VMX_STATE; // u64
/** u64, all ones: no current VMCS. */
export const VMCS_POINTER = L.VMX_STATE + 0x8;
const NMI_UNBLOCKED_RIP = L.VMX_STATE + 0x10; // u64: linear address of an IRET that removed blocking by NMI, see below
const EXIT_COUNT = L.VMX_STATE + 0x18; // u32: VM exits since VMXON, for `monitor`
const ENTRY_COUNT = L.VMX_STATE + 0x1c; // u32
/** u64: when the VMX-preemption timer reaches 0, in ns; all ones: not active (preemption-timer.ts). */
export const PREEMPTION_DEADLINE = L.VMX_STATE + 0x20;
/** u32, and u64: see monitor-trap.ts. */
export const MONITOR_TRAP = L.VMX_STATE + 0x28;
export const MONITOR_TRAP_RETIRED = L.VMX_STATE + 0x30;
/** u64 each: TSC of the first and of the last PAUSE of a loop (pause-loop.ts). */
export const PAUSE_FIRST = L.VMX_STATE + 0x38;
export const PAUSE_LAST = L.VMX_STATE + 0x40;

/** u32: 1 when a virtual interrupt is recognized (apic/virtual-interrupts.ts). */
export const VIRTUAL_INTERRUPT = L.VMX_STATE + 0x48;
/** u32: what is due at the next boundary for the virtual APIC: 0 nothing, offset + 1 of a register that was written, or `TPR_AT_ENTRY`. */
export const APIC_WRITE = L.VMX_STATE + 0x4c;
export const TPR_AT_ENTRY = 0x2000;

/** The pointer that VMPTRST stores when there is no current VMCS: SDM Vol. 3, 25.1. */
export const NO_VMCS = 0xffff_ffff_ffff_ffffn;

export function vmxonPointer(cpu: Cpu): bigint {
  return cpu.u64(VMXON_POINTER);
}

export function rawVmcsPointer(cpu: Cpu): bigint {
  return cpu.vmxMode === VmxMode.off ? NO_VMCS : cpu.u64(VMCS_POINTER);
}

export function currentVmcsPointer(cpu: Cpu): PhysAddr | undefined {
  if (cpu.vmxMode === VmxMode.off) return undefined;
  const high = cpu.u32(VMCS_POINTER + 4);
  // Physical addresses have at most 52 bits, so the high half tells NO_VMCS.
  return high === 0xffff_ffff ? undefined : high * 0x1_0000_0000 + cpu.u32(VMCS_POINTER);
}

export function setCurrentVmcs(cpu: Cpu, pointer: bigint): void {
  cpu.setU64(VMCS_POINTER, pointer);
}

/** Enters VMX operation (VMXON). */
export function enterVmxOperation(cpu: Cpu, pointer: bigint): void {
  cpu.setU64(VMXON_POINTER, pointer);
  cpu.setU64(VMCS_POINTER, NO_VMCS);
  cpu.setU64(NMI_UNBLOCKED_RIP, NO_VMCS);
  cpu.setU64(PREEMPTION_DEADLINE, NO_VMCS);
  cpu.setU32(MONITOR_TRAP, 0);
  cpu.setU32(EXIT_COUNT, 0);
  cpu.setU32(ENTRY_COUNT, 0);
  cpu.setU32(L.VMX_MODE, VmxMode.root);
}

/** Leaves VMX operation: VMXOFF, or reset of the processor. */
export function leaveVmxOperation(cpu: Cpu): void {
  cpu.setU32(L.VMX_MODE, VmxMode.off);
  cpu.guest = null;
}

/**
 * An IRET that removes blocking by NMI and then causes a VM exit by a fault has done the former (SDM Vol. 3, 28.2.3): the exit
 * reports it. While such an IRET executes, this slot holds its RIP; another RIP means that it completed.
 */
export function nmiUnblockedBy(cpu: Cpu): bigint {
  return cpu.u64(NMI_UNBLOCKED_RIP);
}
export function setNmiUnblockedBy(cpu: Cpu, rip: bigint): void {
  cpu.setU64(NMI_UNBLOCKED_RIP, rip);
}
export function forgetNmiUnblocked(cpu: Cpu): void {
  cpu.setU32(NMI_UNBLOCKED_RIP, 0xffff_ffff);
  cpu.setU32(NMI_UNBLOCKED_RIP + 4, 0xffff_ffff);
}

export function countExit(cpu: Cpu): void {
  cpu.setU32(EXIT_COUNT, cpu.u32(EXIT_COUNT) + 1);
}
export function countEntry(cpu: Cpu): void {
  cpu.setU32(ENTRY_COUNT, cpu.u32(ENTRY_COUNT) + 1);
}
export function vmxCounts(cpu: Cpu): { readonly entries: number; readonly exits: number } {
  return { entries: cpu.u32(ENTRY_COUNT), exits: cpu.u32(EXIT_COUNT) };
}
