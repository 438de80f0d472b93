import { Flag, type Cpu } from '../cpu.ts';
import { gp, np, type GuestEvent } from '../fault.ts';
import * as L from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { badSize, checkTarget, enterCode } from './code-segment.ts';
import { externalBit, isSoftwareInterrupt } from './event-rules.ts';
import {
  dplOf, errorSelector, fetchDescriptor, isCode, isConforming, isLong, isNull, isPresent, markAccessed, parseGate, SystemType, type Descriptor, type Gate,
} from './descriptors.ts'; // prettier-ignore
import { commitInnerStack, innerStack } from './inner-stack.ts';
import { mask } from './operands.ts';
import { loadFlags } from './rflags.ts';
import { setNull } from './segments.ts';
import { currentStack } from './stack.ts';
import { taskSlotSize, throughTaskGate } from './task-switch.ts';

/** Checks of an IDT gate other than its type: SDM Vol. 3, 6.12.1.1. INT1 is not a software interrupt here: Vol. 2, INT n. */
export function checkGate(cpu: Cpu, event: GuestEvent, gate: Gate): void {
  const error = event.vector * 8 + 2;
  if (isSoftwareInterrupt(event) && gate.dpl < cpu.cpl) throw gp(error);
  if (!gate.present) throw np(error + externalBit(event));
}

/** The handler's code segment. In IA-32e mode it must be a 64-bit one. */
export function handlerSegment(cpu: Cpu, gate: Gate, ext: number): Descriptor {
  if (isNull(gate.selector)) throw gp(ext);
  const error = errorSelector(gate.selector) | ext;
  const code = fetchDescriptor(cpu, gate.selector, gp, ext);
  if (!isCode(code) || dplOf(code) > cpu.cpl) throw gp(error);
  if (cpu.longMode && (!isLong(code) || badSize(cpu, code))) throw gp(error);
  if (!isPresent(code)) throw np(error);
  return code;
}

/** RFLAGS in the handler: SDM Vol. 3, 6.12.1.3. */
export function enterHandlerFlags(cpu: Cpu, gate: Gate): void {
  const interruptGate = (gate.type & 1) === 0;
  loadFlags(cpu, 0, Flag.TF | Flag.NT | Flag.RF | Flag.VM | (interruptGate ? Flag.IF : 0));
}

const GATES: ReadonlySet<number> = new Set([
  SystemType.taskGate, SystemType.interruptGate16, SystemType.trapGate16, SystemType.interruptGate, SystemType.trapGate,
]); // prettier-ignore

/** Protected and v8086 mode: SDM Vol. 3, 6.12 and 20.3; Vol. 2, INT n. */
export function deliverProtected(cpu: Cpu, event: GuestEvent, flags: number, returnRip: bigint): void {
  const at = event.vector * 8;
  const ext = externalBit(event);
  if (at + 7 > cpu.u32(L.IDTR_LIMIT)) throw gp(at + 2 + ext);
  const raw = readLinear(cpu, mask(cpu.u64(L.IDTR_BASE) + BigInt(at), 32), 8, true);
  const high = Number(raw >> 32n);
  const gate = parseGate(Number(raw & 0xffff_ffffn), high, 0n);
  if ((high & 0x1000) !== 0 || !GATES.has(gate.type)) throw gp(at + 2 + ext);
  checkGate(cpu, event, gate);
  if (gate.type === SystemType.taskGate) return deliverToTask(cpu, event, gate, flags, returnRip);

  const code = handlerSegment(cpu, gate, ext);
  const inner = !isConforming(code) && dplOf(code) < cpu.cpl;
  // From v8086 mode only a nonconforming handler at ring 0 may be entered.
  if (cpu.v8086 && (!inner || dplOf(code) !== 0)) throw gp(errorSelector(gate.selector) | ext);
  if (inner) enterInner(cpu, event, gate, code, flags, returnRip);
  else enterSame(cpu, event, gate, code, flags, returnRip);
}

const slotSize = (gate: Gate): 2 | 4 => ((gate.type & 8) !== 0 ? 4 : 2);

function enterSame(cpu: Cpu, event: GuestEvent, gate: Gate, code: Descriptor, flags: number, returnRip: bigint): void {
  const ext = externalBit(event);
  const size = slotSize(gate);
  const stack = currentStack(cpu, { errorCode: ext });
  stack.push(BigInt(flags), size);
  stack.push(BigInt(cpu.segments[L.CS]!.selector), size);
  stack.push(returnRip, size);
  if (event.errorCode !== undefined) stack.push(BigInt(event.errorCode), size);
  checkTarget(cpu, code, gate.offset, ext);
  const segment = markAccessed(cpu, code);
  stack.commit();
  enterCode(cpu, undefined, gate.selector, segment, cpu.cpl, gate.offset);
  enterHandlerFlags(cpu, gate);
}

function enterInner(cpu: Cpu, event: GuestEvent, gate: Gate, code: Descriptor, flags: number, returnRip: bigint): void {
  const ext = externalBit(event);
  const size = slotSize(gate);
  const level = dplOf(code);
  const fromV8086 = cpu.v8086;
  const selector = (segment: number): bigint => BigInt(cpu.segments[segment]!.selector);
  const inner = innerStack(cpu, level, ext);
  const { stack } = inner;
  if (fromV8086) for (const segment of [L.GS, L.FS, L.DS, L.ES]) stack.push(selector(segment), size);
  stack.push(selector(L.SS), size);
  stack.push(mask(cpu.rsp, size * 8), size);
  stack.push(BigInt(flags), size);
  stack.push(selector(L.CS), size);
  stack.push(returnRip, size);
  if (event.errorCode !== undefined) stack.push(BigInt(event.errorCode), size);
  checkTarget(cpu, code, gate.offset, ext);
  const segment = markAccessed(cpu, code);
  commitInnerStack(cpu, inner, level);
  if (fromV8086) for (const s of [L.GS, L.FS, L.DS, L.ES]) setNull(cpu, s, 0);
  enterHandlerFlags(cpu, gate);
  enterCode(cpu, undefined, gate.selector, segment, level, gate.offset);
}

/** SDM Vol. 3, 6.12.2. */
function deliverToTask(cpu: Cpu, event: GuestEvent, gate: Gate, flags: number, returnRip: bigint): void {
  const ext = externalBit(event);
  const fault = throughTaskGate(cpu, gate.selector, 'gate', returnRip, flags, ext);
  if (fault) throw fault;
  if (event.errorCode === undefined) return;
  const stack = currentStack(cpu, { errorCode: ext });
  stack.push(BigInt(event.errorCode), taskSlotSize(cpu));
  stack.commit();
}
