/**
 * Writes of CR0, CR3, CR4 and IA32_EFER: what is legal (SDM Vol. 3, 2.5, 4.1 and 10.8.5) and what follows from it. All
 * checks come before any effect. MOV to CR, CLTS, LMSW, WRMSR and the firmware come through here; VM entries, VM exits and
 * reset, which check by rules of their own, through `loadControlRegisters`.
 */
import { cr0Violation, cr4Fixed1, cr4Violation } from '../vmx/fixed-bits.ts';
import { CR0, CR4, EFER, VmxMode, type Cpu } from './cpu.ts';
import { gp } from './fault.ts';
import * as L from './layout.ts';
import { syncContext } from './mmu/contexts.ts';
import { loadPdptes } from './mmu/pdptes.ts';
import type { CpuModel } from './models/model.ts';
import { xdDisabled } from './msr/platform.ts';
import { updateMode } from './system/segments.ts';

/** The bits of CR0 that exist; writes of others in the low half are ignored, in the high half they fault. */
const CR0_BITS = BigInt((CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.ET | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG) >>> 0);
/** With PAE paging, changing one of these reloads the PDPTEs: SDM Vol. 3, 4.4.1. */
const CR0_RELOADS = CR0.CD | CR0.NW | CR0.PG;
const CR4_RELOADS = CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP;
/** Bit 63 of MOV to CR3 with PCIDs: the TLB need not be flushed. SDM Vol. 3, 4.10.4.1. */
const NO_FLUSH = 1n << 63n;

/** CR4 bits that the model has: the others are reserved, and setting one is #GP. */
export function cr4Bits(model: CpuModel): bigint {
  let bits = cr4Fixed1(model);
  if (!model.features.has('vme')) bits &= ~BigInt(CR4.VME | CR4.PVI);
  if (!model.features.has('vmx')) bits &= ~BigInt(CR4.VMXE);
  if (model.features.has('la57')) bits |= BigInt(CR4.LA57);
  return bits;
}

/** IA32_EFER bits that the model has: SDM Vol. 3, 2.2.1. */
export function eferBits(model: CpuModel): bigint {
  const { features } = model;
  return BigInt((features.has('syscall') ? EFER.SCE : 0) | (features.has('lm') ? EFER.LME | EFER.LMA : 0) | (features.has('nx') ? EFER.NXE : 0));
}

/** Something about paging changed: TLB, code size and TLB half follow. */
function applied(cpu: Cpu): void {
  syncContext(cpu);
  updateMode(cpu);
}

/** @param unrestricted the guest runs with "unrestricted guest", so that VMX does not fix CR0.PE and CR0.PG */
export function writeCr0(cpu: Cpu, value: bigint, unrestricted = false): void {
  if (value >> 32n !== 0n) throw gp();
  const next = (value & CR0_BITS) | BigInt(CR0.ET);
  const bits = Number(next);
  const changed = bits ^ cpu.cr0bits;
  const on = (bits & CR0.PG) !== 0;
  const pae = (cpu.cr4bits & CR4.PAE) !== 0;
  const lme = (cpu.u32(L.EFER) & EFER.LME) !== 0;
  if (on && (bits & CR0.PE) === 0) throw gp();
  if ((bits & CR0.NW) !== 0 && (bits & CR0.CD) === 0) throw gp();
  if (cpu.vmxMode !== VmxMode.off && cr0Violation(next, unrestricted) !== 0n) throw gp();
  const activates = on && lme && !cpu.longMode;
  // SDM Vol. 3, 10.8.5.3: PAE first, CS.L clear, and no 16-bit TSS in TR.
  const tr = cpu.segments[L.TR]!;
  if (activates && (!pae || cpu.segments[L.CS]!.long || (!tr.unusable && (tr.type === 1 || tr.type === 3)))) throw gp();
  if (!on && cpu.pagingOn && (cpu.code64 || (cpu.cr4bits & CR4.PCIDE) !== 0)) throw gp();
  if (on && pae && !lme && (changed & CR0_RELOADS) !== 0) loadPdptes(cpu, cpu.cr3);
  cpu.cr0 = next;
  if (activates) cpu.efer |= BigInt(EFER.LMA);
  else if (!on) cpu.efer &= ~BigInt(EFER.LMA);
  if ((changed & ~CR0.TS) !== 0) applied(cpu);
}

export function writeCr3(cpu: Cpu, value: bigint): void {
  const pcid = (cpu.cr4bits & CR4.PCIDE) !== 0;
  const next = pcid ? value & ~NO_FLUSH : value;
  // Outside IA-32e mode CR3 has 32 bits, but for values set before it was left.
  if (cpu.longMode && next >> BigInt(cpu.model.physicalBits) !== 0n) throw gp();
  if (cpu.pagingOn && !cpu.longMode && (cpu.cr4bits & CR4.PAE) !== 0) loadPdptes(cpu, next);
  cpu.cr3 = next;
  syncContext(cpu, !pcid || (value & NO_FLUSH) === 0n);
}

export function writeCr4(cpu: Cpu, value: bigint): void {
  if ((value & ~cr4Bits(cpu.model)) !== 0n) throw gp();
  if (cpu.vmxMode !== VmxMode.off && cr4Violation(cpu.model, value & ~BigInt(CR4.LA57)) !== 0n) throw gp();
  const bits = Number(value);
  const changed = bits ^ cpu.cr4bits;
  if (cpu.longMode && (changed & (CR4.LA57 | ((bits & CR4.PAE) === 0 ? CR4.PAE : 0))) !== 0) throw gp();
  // SDM Vol. 3, 4.10.1: PCIDs are enabled in IA-32e mode only, and with PCID 000H.
  if ((changed & bits & CR4.PCIDE) !== 0 && (!cpu.longMode || (cpu.cr3 & 0xfffn) !== 0n)) throw gp();
  if (cpu.pagingOn && !cpu.longMode && (bits & CR4.PAE) !== 0 && (changed & CR4_RELOADS) !== 0) loadPdptes(cpu, cpu.cr3);
  cpu.cr4 = value;
  // Toggling PGE or PCIDE flushes, as does any other bit that paging depends on: `syncContext` compares them.
  applied(cpu);
}

export function writeEfer(cpu: Cpu, value: bigint): void {
  if ((value & ~eferBits(cpu.model)) !== 0n || (xdDisabled(cpu) && (value & ~cpu.efer & BigInt(EFER.NXE)) !== 0n)) throw gp();
  const old = cpu.efer;
  const [lme, lma] = [BigInt(EFER.LME), BigInt(EFER.LMA)];
  if (cpu.pagingOn && ((value ^ old) & lme) !== 0n) throw gp();
  // LMA is the processor's: writes of it are ignored.
  cpu.efer = (value & ~lma) | (old & lma);
  applied(cpu);
}

/** CR8 is the priority class of the local APIC's TPR: SDM Vol. 3, 11.8.6. */
export function writeCr8(cpu: Cpu, value: bigint): void {
  if (value > 15n) throw gp();
  cpu.irq.setCr8(Number(value));
}

export interface ControlRegisters {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

/**
 * Sets the registers unchecked, PDPTEs untouched. Call `switchContext` before and the loading of CS after: code size and
 * TLB half are recomputed here from the CS that is there.
 */
export function loadControlRegisters(cpu: Cpu, registers: ControlRegisters): void {
  cpu.cr0 = registers.cr0;
  cpu.cr3 = registers.cr3;
  cpu.cr4 = registers.cr4;
  cpu.efer = registers.efer;
  applied(cpu);
}
