import type { Cpu } from '../cpu.ts';
import { gp, ss } from '../fault.ts';
import { CS, SS } from '../layout.ts';
import { bytesOf } from './operands.ts';
import {
  dplOf, errorSelector, fetchDescriptor, isBig, isLong, isNull, isPresent, isWritableData, markAccessed, rpl, type Descriptor,
} from './descriptors.ts'; // prettier-ignore
import { checkReturnCode, checkTarget, enterCode, enterRealCode } from './code-segment.ts';
import { dropInnerSegments, setNull, setSegment } from './segments.ts';
import { currentStack } from './stack.ts';

type SlotSize = 2 | 4 | 8;

/** The SS of the ring that a RET or IRET returns to: SDM Vol. 2, RET, "RETURN-TO-OUTER-PRIVILEGE-LEVEL". Undefined: null, in 64-bit mode. */
export function checkOuterStack(cpu: Cpu, selector: number, code: Descriptor, level: number): Descriptor | undefined {
  if (isNull(selector)) {
    if (!cpu.longMode || !isLong(code) || level === 3) throw gp();
    if (rpl(selector) !== level) throw gp(errorSelector(selector));
    return undefined;
  }
  const error = errorSelector(selector);
  const segment = fetchDescriptor(cpu, selector, gp);
  if (rpl(selector) !== level || !isWritableData(segment) || dplOf(segment) !== level) throw gp(error);
  if (!isPresent(segment)) throw ss(error);
  return segment;
}

/** Loads SS:SP of the outer ring; the width of SP follows the code and stack segments being returned to. */
export function commitOuterStack(cpu: Cpu, selector: number, segment: Descriptor | undefined, sp: bigint, code: Descriptor, level: number): void {
  if (segment) setSegment(cpu, SS, selector, segment);
  else setNull(cpu, SS, selector, level);
  const width = cpu.longMode && isLong(code) ? 64 : segment && isBig(segment) ? 32 : 16;
  cpu.writeGpr(4, width, sp);
}

/** RET far, releasing `bytes` of parameters: SDM Vol. 2, RET. */
export function farReturn(cpu: Cpu, opsize: number, bytes: number): void {
  const size = bytesOf(opsize) as SlotSize;
  const stack = currentStack(cpu);
  const rip = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  if (cpu.realMode || cpu.v8086) {
    checkTarget(cpu, cpu.segments[CS]!, rip);
    stack.release(bytes);
    stack.commit();
    enterRealCode(cpu, 'return', selector, rip);
    return;
  }
  if (isNull(selector)) throw gp();
  const code = fetchDescriptor(cpu, selector, gp);
  checkReturnCode(cpu, selector, code);
  const level = rpl(selector);
  stack.release(bytes);
  if (level === cpu.cpl) {
    checkTarget(cpu, code, rip);
    const segment = markAccessed(cpu, code);
    stack.commit();
    enterCode(cpu, 'return', selector, segment, level, rip);
    return;
  }
  const sp = stack.pop(size);
  const stackSelector = Number(stack.pop(size) & 0xffffn);
  const outer = checkOuterStack(cpu, stackSelector, code, level);
  checkTarget(cpu, code, rip);
  const segment = markAccessed(cpu, code);
  const stackSegment = outer && markAccessed(cpu, outer);
  enterCode(cpu, 'return', selector, segment, level, rip);
  commitOuterStack(cpu, stackSelector, stackSegment, sp + BigInt(bytes), code, level);
  dropInnerSegments(cpu);
}
