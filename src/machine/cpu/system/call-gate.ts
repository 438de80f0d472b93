import type { Cpu } from '../cpu.ts';
import { gp, np } from '../fault.ts';
import * as L from '../layout.ts';
import { mask } from './operands.ts';
import {
  dplOf, errorSelector, fetchDescriptor, isBig, isCode, isConforming, isLong, isNull, isPresent, markAccessed, parseGate, SystemType, upperHalf,
  type Descriptor, type Gate,
} from './descriptors.ts'; // prettier-ignore
import { checkTarget, enterCode } from './code-segment.ts';
import { commitInnerStack, innerStack, innerStack64, pointerFromTss64 } from './inner-stack.ts';
import { currentStack, Stack } from './stack.ts';

type SlotSize = 2 | 4 | 8;

/** CALL and JMP through a call gate whose DPL was already checked: SDM Vol. 3, 5.8.3-5.8.5; Vol. 2, CALL, "CALL-GATE". */
export function throughCallGate(cpu: Cpu, kind: 'call' | 'jmp', descriptor: Descriptor): void {
  const error = errorSelector(descriptor.selector);
  const upper = cpu.longMode ? upperHalf(cpu, descriptor) : 0n;
  if (upper === undefined) throw gp(error);
  const gate = parseGate(descriptor.low, descriptor.high, upper);
  if (!gate.present) throw np(error);
  if (isNull(gate.selector)) throw gp();
  const code = fetchDescriptor(cpu, gate.selector, gp);
  const codeError = errorSelector(gate.selector);
  if (!isCode(code) || dplOf(code) > cpu.cpl) throw gp(codeError);
  if (kind === 'jmp' && !isConforming(code) && dplOf(code) !== cpu.cpl) throw gp(codeError);
  if (cpu.longMode && (!isLong(code) || isBig(code))) throw gp(codeError);
  if (!isPresent(code)) throw np(codeError);

  if (kind === 'jmp') {
    checkTarget(cpu, code, gate.offset);
    enterCode(cpu, 'jump', gate.selector, markAccessed(cpu, code), cpu.cpl, gate.offset);
  } else if (!isConforming(code) && dplOf(code) < cpu.cpl) {
    callInner(cpu, gate, code);
  } else {
    callSame(cpu, gate, code);
  }
}

const slotSize = (cpu: Cpu, gate: Gate): SlotSize => (gate.type === SystemType.callGate16 ? 2 : cpu.longMode ? 8 : 4);

function callSame(cpu: Cpu, gate: Gate, code: Descriptor): void {
  const size = slotSize(cpu, gate);
  const stack = cpu.longMode ? new Stack(cpu, cpu.segments[L.SS]!, cpu.rsp, 64) : currentStack(cpu);
  stack.push(BigInt(cpu.segments[L.CS]!.selector), size);
  stack.push(cpu.nextRip, size);
  checkTarget(cpu, code, gate.offset);
  const segment = markAccessed(cpu, code);
  stack.commit();
  enterCode(cpu, 'call', gate.selector, segment, cpu.cpl, gate.offset);
}

function callInner(cpu: Cpu, gate: Gate, code: Descriptor): void {
  const level = dplOf(code);
  const size = slotSize(cpu, gate);
  const inner = cpu.longMode ? innerStack64(cpu, level, pointerFromTss64(cpu, level, 0, 0), 0) : innerStack(cpu, level, 0);
  const { stack } = inner;
  stack.push(BigInt(cpu.segments[L.SS]!.selector), size);
  stack.push(mask(cpu.rsp, size * 8), size);
  if (!cpu.longMode) {
    const caller = currentStack(cpu);
    for (let n = gate.parameters - 1; n >= 0; n--) stack.push(caller.peek(n * size, size), size);
  }
  stack.push(BigInt(cpu.segments[L.CS]!.selector), size);
  stack.push(cpu.nextRip, size);
  checkTarget(cpu, code, gate.offset);
  const segment = markAccessed(cpu, code);
  commitInnerStack(cpu, inner, level);
  enterCode(cpu, 'call', gate.selector, segment, level, gate.offset);
}
