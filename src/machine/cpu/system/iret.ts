import { Flag, Interruptibility, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { gp } from '../fault.ts';
import * as L from '../layout.ts';
import { codeAddress, checkReturnCode, checkTarget, enterCode, enterRealCode } from './code-segment.ts';
import { fetchDescriptor, isNull, markAccessed, rpl } from './descriptors.ts';
import { checkOuterStack, commitOuterStack } from './far-return.ts';
import { bytesOf, setRip } from './operands.ts';
import { endTaskSwitch } from './raise.ts';
import { COMMON_FLAGS, iopl, loadFlags } from './rflags.ts';
import { dropInnerSegments, setCodeSegment, V86_DATA } from './segments.ts';
import { currentStack, type Stack } from './stack.ts';
import { returnToTask } from './task-switch.ts';
import { checkVirtualImage, virtualInV8086, withVirtualIf } from './virtual-interrupts.ts';

type SlotSize = 2 | 4 | 8;

/** IRET, IRETD, IRETQ: SDM Vol. 2, IRET. */
function iret(cpu: Cpu, opsize: number): void {
  if (opsize === 64 && !cpu.machine.probe?.branch && cpu.quick?.iret(cpu.block)) {
    cpu.ripWritten = true;
    return;
  }
  // NMIs are unblocked even when the IRET faults: SDM Vol. 3, 6.7.1, and 27.2.3 ("NMI unblocking due to IRET").
  cpu.interruptibility &= ~Interruptibility.nmi;
  if (cpu.realMode) return fromRealMode(cpu, opsize);
  if (cpu.v8086) {
    const virtual = opsize === 16 && virtualInV8086(cpu);
    if (iopl(cpu) < 3 && !virtual) throw gp();
    return fromRealMode(cpu, opsize, virtual);
  }
  if ((cpu.sysflags & Flag.NT) !== 0) {
    if (cpu.longMode) throw gp();
    return endTaskSwitch(cpu, returnToTask(cpu));
  }
  const size = bytesOf(opsize) as SlotSize;
  const stack = currentStack(cpu);
  const rip = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const flags = Number(stack.pop(size) & 0xffff_ffffn);
  if (opsize === 32 && !cpu.longMode && cpu.cpl === 0 && (flags & Flag.VM) !== 0) toV8086(cpu, stack, rip, selector, flags);
  else toProtected(cpu, stack, size, rip, selector, flags);
}

/**
 * Real-address mode, and v8086 mode with IOPL 3, which keeps IOPL, VM, VIF and VIP.
 * @param virtual IF of the image is VIF: v8086 mode with CR4.VME and IOPL below 3
 */
function fromRealMode(cpu: Cpu, opsize: number, virtual = false): void {
  const size = bytesOf(opsize) as SlotSize;
  const stack = currentStack(cpu);
  const rip = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const flags = Number(stack.pop(size) & 0xffff_ffffn);
  if (virtual) checkVirtualImage(cpu, flags);
  checkTarget(cpu, cpu.segments[L.CS]!, rip);
  stack.commit();
  const change = COMMON_FLAGS | (virtual ? Flag.VIF : Flag.IF) | (cpu.v8086 ? 0 : Flag.IOPL) | (size === 2 ? 0 : Flag.RF | Flag.AC | Flag.ID);
  enterRealCode(cpu, 'return', selector, rip);
  loadFlags(cpu, virtual ? withVirtualIf(flags) : flags, change);
}

/** Bits that IRET may load at the privilege it executes with. */
function changeable(cpu: Cpu, size: SlotSize): number {
  let change: number = COMMON_FLAGS;
  if (size !== 2) change |= Flag.RF | Flag.AC | Flag.ID;
  if (cpu.cpl <= iopl(cpu)) change |= Flag.IF;
  if (cpu.cpl === 0) change |= Flag.IOPL | (size !== 2 ? Flag.VIF | Flag.VIP : 0);
  return change;
}

function toProtected(cpu: Cpu, stack: Stack, size: SlotSize, rip: bigint, selector: number, flags: number): void {
  if (isNull(selector)) throw gp();
  const code = fetchDescriptor(cpu, selector, gp);
  checkReturnCode(cpu, selector, code);
  const level = rpl(selector);
  const change = changeable(cpu, size);
  const outer = level !== cpu.cpl;
  if (!outer && !cpu.code64) {
    checkTarget(cpu, code, rip);
    const segment = markAccessed(cpu, code);
    stack.commit();
    enterCode(cpu, 'return', selector, segment, level, rip);
  } else {
    // 64-bit mode always pops SS:RSP: SDM Vol. 3, 6.14.4.
    const sp = stack.pop(size);
    const stackSelector = Number(stack.pop(size) & 0xffffn);
    const stackDescriptor = checkOuterStack(cpu, stackSelector, code, level);
    checkTarget(cpu, code, rip);
    const segment = markAccessed(cpu, code);
    const stackSegment = stackDescriptor && markAccessed(cpu, stackDescriptor);
    enterCode(cpu, 'return', selector, segment, level, rip);
    commitOuterStack(cpu, stackSelector, stackSegment, sp, code, level);
    if (outer) dropInnerSegments(cpu);
  }
  loadFlags(cpu, flags, change);
}

/** SDM Vol. 3, 20.2.2; Vol. 2, IRET, "RETURN-TO-VIRTUAL-8086-MODE". */
function toV8086(cpu: Cpu, stack: Stack, rip: bigint, selector: number, flags: number): void {
  const sp = stack.pop(4);
  const order = [L.SS, L.ES, L.DS, L.FS, L.GS];
  const selectors = order.map(() => Number(stack.pop(4) & 0xffffn));
  if (rip > 0xffffn) throw gp();
  const from = codeAddress(cpu, cpu.rip);
  cpu.rflags = flags;
  order.forEach((s, n) => cpu.segments[s]!.load(selectors[n]!, BigInt(selectors[n]!) << 4n, 0xffff, V86_DATA));
  cpu.writeGpr(4, 32, sp);
  setCodeSegment(cpu, selector, BigInt(selector) << 4n, 0xffff, V86_DATA, 3);
  setRip(cpu, rip);
  cpu.machine.probe?.branch?.(cpu, 'return', from, codeAddress(cpu, rip));
}

export const iretInstructions: HelperTable = {
  iret: (cpu, insn) => iret(cpu, insn.opsize),
};
