import type { Cpu } from '../cpu.ts';
import { ts } from '../fault.ts';
import * as L from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { mask } from './operands.ts';
import { errorSelector, isBig, isNull, markAccessed, SystemType, type Descriptor } from './descriptors.ts';
import { checkStackSegment, setNull, setSegment } from './segments.ts';
import { Stack, type StackWidth } from './stack.ts';

/** The stack of an inner ring while it is being switched to: SDM Vol. 3, 5.8.5. */
export interface InnerStack {
  readonly selector: number;
  /** Undefined for the null SS of IA-32e mode. */
  readonly segment: Descriptor | undefined;
  readonly stack: Stack;
}

/** SS:SP of a privilege level from the current TSS: SDM Vol. 3, 7.2.1 and 7.6. */
function pointerFromTss(cpu: Cpu, level: number, ext: number): { selector: number; sp: bigint } {
  const tr = cpu.segments[L.TR]!;
  const wide = (tr.type & 8) !== 0;
  const at = wide ? level * 8 + 4 : level * 4 + 2;
  if (at + (wide ? 5 : 3) > tr.limit) throw ts(errorSelector(tr.selector) | ext);
  const field = (offset: number, size: 2 | 4): bigint => readLinear(cpu, mask(tr.base + BigInt(offset), 32), size, true);
  return wide ? { sp: field(at, 4), selector: Number(field(at + 4, 2)) } : { sp: field(at, 2), selector: Number(field(at + 2, 2)) };
}

/** RSP0-2 (ist 0) or IST1-7 from the 64-bit TSS: SDM Vol. 3, 6.14.5 and 7.7. */
export function pointerFromTss64(cpu: Cpu, level: number, ist: number, ext: number): bigint {
  const tr = cpu.segments[L.TR]!;
  const at = ist !== 0 ? ist * 8 + 28 : level * 8 + 4;
  if (at + 7 > tr.limit) throw ts(errorSelector(tr.selector) | ext);
  return readLinear(cpu, mask(tr.base + BigInt(at), 64), 8, true);
}

/** Finds and checks the stack for `level` outside IA-32e mode. */
export function innerStack(cpu: Cpu, level: number, ext: number): InnerStack {
  const { selector, sp } = pointerFromTss(cpu, level, ext);
  const errorCode = errorSelector(selector) | ext;
  if (isNull(selector)) throw ts(errorCode);
  const segment = checkStackSegment(cpu, selector, level, ts, ext);
  const width: StackWidth = isBig(segment) ? 32 : 16;
  return { selector, segment, stack: new Stack(cpu, segment, sp, width, { errorCode, supervisor: level < 3 }) };
}

/** The stack for `level` in IA-32e mode: SS becomes null with RPL = CPL. */
export function innerStack64(cpu: Cpu, level: number, sp: bigint, ext: number): InnerStack {
  const stack = new Stack(cpu, cpu.segments[L.SS]!, sp, 64, { errorCode: ext, supervisor: level < 3 });
  return { selector: level, segment: undefined, stack };
}

/** Writes what was pushed and loads SS:SP; nothing after the writes can fault. */
export function commitInnerStack(cpu: Cpu, inner: InnerStack, level: number): void {
  const segment = inner.segment && markAccessed(cpu, inner.segment);
  inner.stack.commit();
  if (segment) setSegment(cpu, L.SS, inner.selector, segment);
  else setNull(cpu, L.SS, inner.selector, level);
}

/** The TSS in use is a 32-bit (or 64-bit) one. */
export const isWideTss = (type: number): boolean => type === SystemType.tss || type === SystemType.tssBusy;
