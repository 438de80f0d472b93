import type { Cpu } from '../cpu.ts';
import { gp, type GuestEvent } from '../fault.ts';
import * as L from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { checkTarget, enterCode } from './code-segment.ts';
import { externalBit } from './event-rules.ts';
import { checkGate, enterHandlerFlags, handlerSegment } from './deliver-protected.ts';
import { dplOf, isConforming, markAccessed, parseGate, SystemType } from './descriptors.ts';
import { commitInnerStack, innerStack64, pointerFromTss64 } from './inner-stack.ts';
import { mask } from './operands.ts';

/** IA-32e mode: 16-byte gates, IST, aligned 8-byte pushes, SS:RSP always pushed: SDM Vol. 3, 6.14. */
export function deliverLong(cpu: Cpu, event: GuestEvent, flags: number, returnRip: bigint): void {
  const ext = externalBit(event);
  const error = event.vector * 8 + 2 + ext;
  if (event.vector * 16 + 15 > cpu.u32(L.IDTR_LIMIT)) throw gp(error);
  const at = mask(cpu.u64(L.IDTR_BASE) + BigInt(event.vector * 16), 64);
  const raw = readLinear(cpu, at, 8, true);
  const upper = readLinear(cpu, at + 8n, 8, true);
  const high = Number(raw >> 32n);
  const gate = parseGate(Number(raw & 0xffff_ffffn), high, upper);
  if ((high & 0x1000) !== 0 || (gate.type !== SystemType.interruptGate && gate.type !== SystemType.trapGate)) throw gp(error);
  checkGate(cpu, event, gate);

  const code = handlerSegment(cpu, gate, ext);
  const level = isConforming(code) ? cpu.cpl : dplOf(code);
  const change = level !== cpu.cpl;
  const top = change || gate.ist !== 0 ? pointerFromTss64(cpu, level, gate.ist, ext) : cpu.rsp;
  // RSP is aligned before anything is pushed: 6.14.2.
  const inner = innerStack64(cpu, level, top & ~0xfn, ext);
  const { stack } = inner;
  stack.push(BigInt(cpu.segments[L.SS]!.selector), 8);
  stack.push(cpu.rsp, 8);
  stack.push(BigInt(flags), 8);
  stack.push(BigInt(cpu.segments[L.CS]!.selector), 8);
  stack.push(returnRip, 8);
  if (event.errorCode !== undefined) stack.push(BigInt(event.errorCode), 8);
  checkTarget(cpu, code, gate.offset, ext);
  const segment = markAccessed(cpu, code);
  if (change) commitInnerStack(cpu, inner, level);
  else stack.commit();
  enterCode(cpu, undefined, gate.selector, segment, level, gate.offset);
  enterHandlerFlags(cpu, gate);
}
