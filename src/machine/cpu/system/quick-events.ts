/**
 * Event delivery and IRET as 64-bit systems do them all the time: flat segments, descriptors with their accessed bits set,
 * gates and stacks that the TLB knows, everything in order. Each function either does the whole work or returns false
 * before anything changed; then the general code (deliver-long.ts, iret.ts) does it, with its checks and faults in order.
 * The same state results from both: test/system/quick-events.test.ts compares them.
 */
import { Flag, Interruptibility, type Cpu } from '../cpu.ts';
import type { GuestEvent } from '../fault.ts';
import * as L from '../layout.ts';
import { frameWord, quickFrame, quickWords } from '../mmu/quick.ts';
import { canonicalHigh } from '../mmu/walk.ts';
import { isSoftwareInterrupt } from './event-rules.ts';
import { isWideTss } from './inner-stack.ts';
import { COMMON_FLAGS, iopl, loadFlags } from './rflags.ts';
import { dropInnerSegments, setCpl, UNUSABLE } from './segments.ts';

/** For tests: the general code does everything. */
export const quick = { enabled: true };

/** Attributes in the format of a descriptor's high word >> 8: P, S, code, accessed; conforming, D and L as said; DPL apart. */
const CODE64_MASK = 0x609d;
const CODE64 = 0x2099;
/** Data, writable, accessed, present. */
const DATA_MASK = 0x009b;
const DATA = 0x0093;

const RSP = L.GPR + 4 * 8;

/** Writes word pair n of the frame. */
function push(u32: Uint32Array, n: number, low: number, high: number): number {
  u32[frameWord(n)] = low;
  u32[frameWord(n + 1)] = high;
  return n + 2;
}

/** A descriptor of the GDT as two words at this index of the 32-bit view, or -1. */
function descriptorWords(cpu: Cpu, selector: number): number {
  if ((selector & 4) !== 0 || (selector & 0xfff8) === 0 || (selector | 7) > cpu.u32(L.GDTR_LIMIT)) return -1;
  const low = cpu.u32(L.GDTR_BASE) + (selector & 0xfff8);
  return low > 0xffff_ffff ? -1 : quickWords(cpu, cpu.u32(L.GDTR_BASE + 4), low, 8, false, false);
}

const attributes = (high: number): number => (high >>> 8) & 0xf0ff;

function loadDescriptor(cpu: Cpu, segment: number, selector: number, words: number): void {
  const low = cpu.m.u32[words]!;
  const high = cpu.m.u32[words + 1]!;
  const pages = (high & 0xf_0000) | (low & 0xffff);
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0;
  cpu.segments[segment]!.loadLow(selector, base, (high & 0x80_0000) !== 0 ? ((pages << 12) | 0xfff) >>> 0 : pages, attributes(high));
}

function setSlot(cpu: Cpu, slot: number, high: number, low: number): void {
  cpu.setU32(slot, low);
  cpu.setU32(slot + 4, high);
}

function enter(cpu: Cpu, high: number, low: number): void {
  setSlot(cpu, L.RIP, high, low);
  setSlot(cpu, L.NEXT_RIP, high, low);
  cpu.ripWritten = true;
}

/** 64-bit code interrupted in 64-bit mode: SDM Vol. 3, 6.14. `flags` is RFLAGS as pushed. */
export function quickDelivery(cpu: Cpu, event: GuestEvent, flags: number): boolean {
  if (!quick.enabled || !cpu.code64) return false;
  const { u32 } = cpu.m;
  const { cpl } = cpu;
  if (event.vector * 16 + 15 > cpu.u32(L.IDTR_LIMIT)) return false;
  const idt = cpu.u32(L.IDTR_BASE) + event.vector * 16;
  const gate = idt > 0xffff_ffff ? -1 : quickWords(cpu, cpu.u32(L.IDTR_BASE + 4), idt, 16, false, false);
  if (gate < 0) return false;
  const selector = u32[gate]! >>> 16;
  const middle = u32[gate + 1]!;
  const targetHigh = u32[gate + 2]!;
  // Present, an interrupt or trap gate; the type field of the upper half is 0.
  if ((middle & 0x9e00) !== 0x8e00 || (u32[gate + 3]! & 0x1f00) !== 0) return false;
  const software = isSoftwareInterrupt(event);
  if (software && ((middle >>> 13) & 3) < cpl) return false;
  const code = descriptorWords(cpu, selector);
  if (code < 0) return false;
  const attr = attributes(u32[code + 1]!);
  const level = (attr >> 5) & 3;
  if ((attr & CODE64_MASK) !== CODE64 || level > cpl || !canonicalHigh(cpu, targetHigh)) return false;

  const change = level !== cpl;
  const ist = middle & 7;
  let stackHigh = cpu.u32(RSP + 4);
  let stackLow = cpu.u32(RSP);
  if (change || ist !== 0) {
    const tr = L.SEGMENTS + L.TR * L.SEGMENT_SIZE;
    const at = ist !== 0 ? ist * 8 + 28 : level * 8 + 4;
    if (!isWideTss(cpu.u32(tr + L.SEG_ATTR) & 15) || at + 7 > cpu.u32(tr + L.SEG_LIMIT)) return false;
    const low = cpu.u32(tr + L.SEG_BASE) + at;
    const pointer = low > 0xffff_ffff ? -1 : quickWords(cpu, cpu.u32(tr + L.SEG_BASE + 4), low, 8, false, false);
    if (pointer < 0) return false;
    stackLow = u32[pointer]!;
    stackHigh = u32[pointer + 1]!;
  }
  const length = event.errorCode === undefined ? 40 : 48;
  const newLow = ((stackLow & ~15) >>> 0) - length;
  if (newLow < 0 || !quickFrame(cpu, stackHigh, newLow, length, true, level === 3)) return false;

  // Nothing can fault any more.
  let returnLow = cpu.u32(L.RIP);
  let returnHigh = cpu.u32(L.RIP + 4);
  if (software || event.type === 'privileged-software') {
    returnLow += event.length ?? 0;
    if (returnLow > 0xffff_ffff) returnHigh = (returnHigh + 1) >>> 0;
  }
  let n = 0;
  if (event.errorCode !== undefined) n = push(u32, n, event.errorCode, 0);
  n = push(u32, n, returnLow, returnHigh);
  n = push(u32, n, cpu.u32(L.SEGMENTS + L.CS * L.SEGMENT_SIZE + L.SEG_SELECTOR), 0);
  n = push(u32, n, flags, 0);
  n = push(u32, n, cpu.u32(RSP), cpu.u32(RSP + 4));
  push(u32, n, cpu.u32(L.SEGMENTS + L.SS * L.SEGMENT_SIZE + L.SEG_SELECTOR), 0);
  setSlot(cpu, RSP, stackHigh, newLow);
  if (change) cpu.segments[L.SS]!.loadLow(level, 0, 0, UNUSABLE | (level << 5));
  loadDescriptor(cpu, L.CS, (selector & 0xfffc) | level, code);
  setCpl(cpu, level);
  enter(cpu, targetHigh, ((middle & 0xffff_0000) | (u32[gate]! & 0xffff)) >>> 0);
  loadFlags(cpu, 0, Flag.TF | Flag.NT | Flag.RF | Flag.VM | ((middle & 0x100) === 0 ? Flag.IF : 0));
  return true;
}

/** IRETQ in 64-bit mode to 64-bit code: SDM Vol. 2, IRET. */
export function quickIret(cpu: Cpu): boolean {
  if (!quick.enabled || !cpu.code64 || (cpu.sysflags & Flag.NT) !== 0 || cpu.machine.probe?.branch) return false;
  const { u32 } = cpu.m;
  const { cpl } = cpu;
  if ((cpu.u32(RSP) & 7) !== 0 || !quickFrame(cpu, cpu.u32(RSP + 4), cpu.u32(RSP), 40, false, cpl === 3)) return false;
  const selector = u32[frameWord(2)]! & 0xffff;
  const level = selector & 3;
  const code = level < cpl ? -1 : descriptorWords(cpu, selector);
  if (code < 0) return false;
  const attr = attributes(u32[code + 1]!);
  const ripHigh = u32[frameWord(1)]!;
  if ((attr & CODE64_MASK) !== CODE64 || ((attr >> 5) & 3) !== level || !canonicalHigh(cpu, ripHigh)) return false;
  const stackSelector = u32[frameWord(8)]! & 0xffff;
  let stack = -1;
  if ((stackSelector & 0xfffc) === 0) {
    if (level === 3 || stackSelector !== level) return false;
  } else {
    stack = descriptorWords(cpu, stackSelector);
    if (stack < 0 || (stackSelector & 3) !== level) return false;
    const stackAttr = attributes(u32[stack + 1]!);
    if ((stackAttr & DATA_MASK) !== DATA || ((stackAttr >> 5) & 3) !== level) return false;
  }

  // Nothing can fault any more.
  const flags = u32[frameWord(4)]!;
  let change: number = COMMON_FLAGS | Flag.RF | Flag.AC | Flag.ID;
  if (cpl <= iopl(cpu)) change |= Flag.IF;
  if (cpl === 0) change |= Flag.IOPL | Flag.VIF | Flag.VIP;
  cpu.interruptibility &= ~Interruptibility.nmi;
  const rspLow = u32[frameWord(6)]!;
  const rspHigh = u32[frameWord(7)]!;
  const ripLow = u32[frameWord(0)]!;
  loadDescriptor(cpu, L.CS, selector, code);
  setCpl(cpu, level);
  if (stack >= 0) loadDescriptor(cpu, L.SS, stackSelector, stack);
  else cpu.segments[L.SS]!.loadLow(stackSelector, 0, 0, UNUSABLE | (level << 5));
  setSlot(cpu, RSP, rspHigh, rspLow);
  enter(cpu, ripHigh, ripLow);
  if (level !== cpl) dropInnerSegments(cpu);
  loadFlags(cpu, flags, change);
  return true;
}
