import type { Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { gp, np, ud } from '../fault.ts';
import { CS } from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { advance, bytesOf, mask, operandAddress } from './operands.ts';
import {
  dplOf,
  errorSelector,
  fetchDescriptor,
  isCode,
  isNull,
  isPresent,
  isSystem,
  markAccessed,
  rpl,
  SystemType,
  typeOf,
  type Descriptor,
} from './descriptors.ts';
import { checkDirectCode, checkTarget, enterCode, enterRealCode } from './code-segment.ts';
import { throughCallGate } from './call-gate.ts';
import { endTaskSwitch } from './raise.ts';
import { currentStack } from './stack.ts';
import { switchTask, throughTaskGate } from './task-switch.ts';
import { farReturn } from './far-return.ts';

export type FarKind = 'call' | 'jmp';

/** Far CALL and JMP: SDM Vol. 2, CALL and JMP. */
function farTransfer(cpu: Cpu, kind: FarKind, selector: number, offset: bigint, opsize: number): void {
  offset = mask(offset, opsize);
  if (cpu.realMode || cpu.v8086) {
    checkTarget(cpu, cpu.segments[CS]!, offset);
    if (kind === 'call') pushReturnAddress(cpu, opsize);
    enterRealCode(cpu, kind === 'call' ? 'call' : 'jump', selector, offset);
    return;
  }
  if (isNull(selector)) throw gp();
  const descriptor = fetchDescriptor(cpu, selector, gp);
  if (isCode(descriptor)) toCode(cpu, kind, selector, descriptor, offset, opsize);
  else if (isSystem(descriptor)) toSystem(cpu, kind, selector, descriptor);
  else throw gp(errorSelector(selector));
}

function toCode(cpu: Cpu, kind: FarKind, selector: number, descriptor: Descriptor, offset: bigint, opsize: number): void {
  checkDirectCode(cpu, selector, descriptor);
  checkTarget(cpu, descriptor, offset);
  const segment = markAccessed(cpu, descriptor);
  if (kind === 'call') pushReturnAddress(cpu, opsize);
  enterCode(cpu, kind === 'call' ? 'call' : 'jump', selector, segment, cpu.cpl, offset);
}

/** Gates and TSSs. A descriptor's DPL must admit both CPL and RPL: SDM Vol. 3, 5.8.4 and 7.3. */
function toSystem(cpu: Cpu, kind: FarKind, selector: number, descriptor: Descriptor): void {
  const error = errorSelector(selector);
  const type = typeOf(descriptor);
  const allowed = cpu.longMode
    ? type === SystemType.callGate
    : type === SystemType.callGate16 ||
      type === SystemType.callGate ||
      type === SystemType.taskGate ||
      type === SystemType.tss16 ||
      type === SystemType.tss;
  if (!allowed) throw gp(error);
  if (dplOf(descriptor) < cpu.cpl || dplOf(descriptor) < rpl(selector)) throw gp(error);
  if (type === SystemType.callGate || type === SystemType.callGate16) {
    throughCallGate(cpu, kind, descriptor);
  } else if (type === SystemType.taskGate) {
    if (!isPresent(descriptor)) throw np(error);
    endTaskSwitch(cpu, throughTaskGate(cpu, descriptor.low >>> 16, kind, cpu.nextRip, cpu.rflags));
  } else {
    if ((selector & 4) !== 0) throw gp(error);
    if (!isPresent(descriptor)) throw np(error);
    endTaskSwitch(cpu, switchTask(cpu, descriptor, kind, cpu.nextRip, cpu.rflags));
  }
}

function pushReturnAddress(cpu: Cpu, opsize: number): void {
  const stack = currentStack(cpu);
  const size = bytesOf(opsize) as 2 | 4 | 8;
  stack.push(BigInt(cpu.segments[CS]!.selector), size);
  stack.push(cpu.nextRip, size);
  stack.commit();
}

/** ptr16:16 and ptr16:32; not in 64-bit mode. */
function pointerOperand(cpu: Cpu, kind: FarKind, insn: Insn): void {
  if (cpu.code64) throw ud();
  farTransfer(cpu, kind, insn.imm2 & 0xffff, insn.imm, insn.opsize);
}

/** m16:16, m16:32 and m16:64. */
export function readFarPointer(cpu: Cpu, insn: Insn): { selector: number; offset: bigint } {
  if (!insn.isMemory) throw ud();
  const size = bytesOf(insn.opsize);
  const at = operandAddress(cpu, insn, size + 2, false);
  const offset = readLinear(cpu, at, size);
  return { offset, selector: Number(readLinear(cpu, advance(cpu, at, size), 2)) };
}

function memoryOperand(cpu: Cpu, kind: FarKind, insn: Insn): void {
  const { selector, offset } = readFarPointer(cpu, insn);
  farTransfer(cpu, kind, selector, offset, insn.opsize);
}

export const farTransferInstructions: HelperTable = {
  call_far_ptr: (cpu, insn) => pointerOperand(cpu, 'call', insn),
  call_far_m: (cpu, insn) => memoryOperand(cpu, 'call', insn),
  jmp_far_ptr: (cpu, insn) => pointerOperand(cpu, 'jmp', insn),
  jmp_far_m: (cpu, insn) => memoryOperand(cpu, 'jmp', insn),
  ret_far: (cpu, insn) => farReturn(cpu, insn.opsize, Number(mask(insn.imm, 16))),
};
