import type { Cpu } from '../cpu.ts';
import { gp, np, ss, type GuestFault } from '../fault.ts';
import * as L from '../layout.ts';
import { flushCodeTlb, selectTlb } from '../mmu/tlb.ts';
import { storeCpl } from '../perfmon/counters.ts';
import type { SegmentLike } from './operands.ts';
import {
  dplOf, errorSelector, fetchDescriptor, isConforming, isNull, isPresent, isReadable, isWritableData, markAccessed, rpl, type Descriptor,
} from './descriptors.ts'; // prettier-ignore

export const UNUSABLE = 0x1_0000;
/** Data segment of real-address mode (SDM Vol. 3, table 9-1) and of v8086 mode (26.3.1.2): present, read/write, accessed. */
export const REAL_DATA = 0x93;
export const V86_DATA = 0xf3;

/** Recomputes what follows from EFER.LMA, CS.L, CS.D and CPL: the code size and the TLB half. */
export function updateMode(cpu: Cpu): void {
  const cs = cpu.segments[L.CS]!;
  const codeSize = cpu.longMode && cs.long ? 2 : cs.big ? 1 : 0;
  const changed = cpu.u32(L.CODE_SIZE) !== codeSize;
  cpu.setU32(L.CODE_SIZE, codeSize);
  selectTlb(cpu);
  // Decoded code is found through the code TLB and was decoded for one code size.
  if (changed) flushCodeTlb(cpu);
}

export function setCpl(cpu: Cpu, cpl: number): void {
  if (cpu.cpl === cpl) return;
  storeCpl(cpu, cpl);
  selectTlb(cpu);
}

/** Loads CS and CPL without checks. */
export function setCodeSegment(cpu: Cpu, selector: number, base: bigint, limit: number, attr: number, cpl: number): void {
  cpu.segments[L.CS]!.load(selector, base, limit, attr);
  storeCpl(cpu, cpl);
  updateMode(cpu);
}

/** Loads a segment register without checks. */
export function setSegment(cpu: Cpu, segment: number, selector: number, from: SegmentLike): void {
  cpu.segments[segment]!.load(selector, from.base, from.limit, from.attr);
}

/** A null selector makes the register unusable; its DPL then stands for CPL in SS (SDM Vol. 3, 25.4.1). */
export function setNull(cpu: Cpu, segment: number, selector: number, dpl = 0): void {
  cpu.segments[segment]!.load(selector, 0n, 0, UNUSABLE | (dpl << 5));
}

/**
 * Real-address mode: the base follows the selector, limit and rights stay as they were ("unreal mode" depends on it);
 * v8086 mode gives fixed ones: SDM Vol. 3, 20.1.1 and 20.2.1.
 */
export function setRealSegment(cpu: Cpu, segment: number, selector: number): void {
  const base = BigInt(selector) << 4n;
  const s = cpu.segments[segment]!;
  if (cpu.v8086) s.load(selector, base, 0xffff, V86_DATA);
  else if (s.unusable) s.load(selector, base, 0xffff, REAL_DATA);
  else s.load(selector, base, s.limit, s.attr | 0x90);
}

/** Checks of a descriptor for SS at privilege level `cpl`; `fault` is #GP or, in stack and task switches, #TS. */
export function checkStackSegment(cpu: Cpu, selector: number, cpl: number, fault: (errorCode: number) => GuestFault, ext = 0): Descriptor {
  const error = errorSelector(selector) | ext;
  const descriptor = fetchDescriptor(cpu, selector, fault, ext);
  if (rpl(selector) !== cpl || !isWritableData(descriptor) || dplOf(descriptor) !== cpl) throw fault(error);
  if (!isPresent(descriptor)) throw ss(error);
  return descriptor;
}

/** Checks of a descriptor for DS, ES, FS or GS. */
export function checkDataSegment(cpu: Cpu, selector: number, cpl: number, fault: (errorCode: number) => GuestFault, ext = 0): Descriptor {
  const error = errorSelector(selector) | ext;
  const descriptor = fetchDescriptor(cpu, selector, fault, ext);
  if (!isReadable(descriptor)) throw fault(error);
  if (!isConforming(descriptor) && (rpl(selector) > dplOf(descriptor) || cpl > dplOf(descriptor))) throw fault(error);
  if (!isPresent(descriptor)) throw np(error);
  return descriptor;
}

/** Loads ES, SS, DS, FS or GS as MOV does: SDM Vol. 2, MOV. CS is loaded by far transfers only. */
export function loadSegment(cpu: Cpu, segment: number, selector: number): void {
  selector &= 0xffff;
  if (cpu.realMode || cpu.v8086) {
    setRealSegment(cpu, segment, selector);
  } else if (segment === L.SS) {
    if (isNull(selector)) {
      if (!cpu.code64 || cpu.cpl === 3 || rpl(selector) !== cpu.cpl) throw gp();
      setNull(cpu, L.SS, selector, cpu.cpl);
    } else {
      setSegment(cpu, L.SS, selector, markAccessed(cpu, checkStackSegment(cpu, selector, cpu.cpl, gp)));
    }
  } else if (isNull(selector)) {
    setNull(cpu, segment, selector);
  } else {
    setSegment(cpu, segment, selector, markAccessed(cpu, checkDataSegment(cpu, selector, cpu.cpl, gp)));
  }
}

/**
 * After a return to an outer ring: data segments that the new CPL may not use become null (SDM Vol. 2, RET and IRET). Registers
 * that already hold a null selector keep their base: in 64-bit mode FS and GS use it.
 */
export function dropInnerSegments(cpu: Cpu): void {
  for (const n of [L.ES, L.DS, L.FS, L.GS]) {
    const s = cpu.segments[n]!;
    if (s.unusable || isConforming(s) || dplOf(s) >= cpu.cpl) continue;
    s.load(0, s.base, 0, UNUSABLE);
  }
}
