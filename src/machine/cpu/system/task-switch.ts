import { CR0, Flag, type Cpu } from '../cpu.ts';
import { GuestFault, gp, np, ss, ts } from '../fault.ts';
import * as L from '../layout.ts';
import { writeCr3 } from '../control-registers.ts';
import { readLinear, writeLinear } from '../mmu/access.ts';
import { selectTlb } from '../mmu/tlb.ts';
import { translate } from '../mmu/walk.ts';
import { checkTarget } from './code-segment.ts';
import {
  dplOf, errorSelector, fetchDescriptor, findDescriptor, isCode, isConforming, isNull, isPresent, isSystem, isWritableData, markAccessed, rpl, setBusy,
  SystemType, typeOf, type Descriptor,
} from './descriptors.ts'; // prettier-ignore
import { isWideTss } from './inner-stack.ts';
import { mask, setRip } from './operands.ts';
import { checkDataSegment, setCodeSegment, setNull, setSegment, UNUSABLE, V86_DATA } from './segments.ts';

export type TaskSource = 'call' | 'iret' | 'jmp' | 'gate';

/** Where a TSS keeps what: SDM Vol. 3, figures 7-2 (32-bit) and 7-10 (16-bit). */
interface TssFormat {
  readonly minimumLimit: number;
  readonly size: 2 | 4;
  readonly eip: number;
  readonly eflags: number;
  /** EAX ECX EDX EBX ESP EBP ESI EDI, then the segment registers from ES on. */
  readonly registers: number;
  readonly segments: number;
  readonly segmentRegisters: readonly number[];
  readonly ldt: number;
}
const SIX = [L.ES, L.CS, L.SS, L.DS, L.FS, L.GS];
const FORMAT_32: TssFormat = {
  minimumLimit: 0x67,
  size: 4,
  eip: 0x20,
  eflags: 0x24,
  registers: 0x28,
  segments: 0x48,
  segmentRegisters: SIX,
  ldt: 0x60,
};
const FORMAT_16: TssFormat = {
  minimumLimit: 0x2b,
  size: 2,
  eip: 0x0e,
  eflags: 0x10,
  registers: 0x12,
  segments: 0x22,
  segmentRegisters: SIX.slice(0, 4),
  ldt: 0x2a,
};
const CR3_FIELD = 0x1c;
const TRAP_FIELD = 0x64;

const formatOf = (type: number): TssFormat => ((type & 8) !== 0 ? FORMAT_32 : FORMAT_16);

/** What the new task starts from. */
interface TaskImage {
  readonly cr3: number;
  readonly eip: number;
  readonly eflags: number;
  readonly registers: readonly number[];
  readonly segments: ReadonlyMap<number, number>;
  readonly ldt: number;
  readonly trap: boolean;
}

/** A task gate, in a descriptor table or the IDT: SDM Vol. 3, 7.2.5. */
export function throughTaskGate(
  cpu: Cpu,
  selector: number,
  source: TaskSource,
  savedRip: bigint,
  savedFlags: number,
  ext = 0,
): GuestFault | undefined {
  const error = errorSelector(selector) | ext;
  if ((selector & 4) !== 0) throw gp(error);
  const tss = fetchDescriptor(cpu, selector, gp, ext);
  if (!isSystem(tss) || (typeOf(tss) !== SystemType.tss && typeOf(tss) !== SystemType.tss16)) throw gp(error);
  if (!isPresent(tss)) throw np(error);
  return switchTask(cpu, tss, source, savedRip, savedFlags, ext);
}

/** IRET with NT set: SDM Vol. 2, IRET, "TASK-RETURN". */
export function returnToTask(cpu: Cpu): GuestFault | undefined {
  const tr = cpu.segments[L.TR]!;
  const selector = Number(readLinear(cpu, mask(tr.base, 32), 2, true));
  const error = errorSelector(selector);
  if ((selector & 4) !== 0) throw ts(error);
  const tss = fetchDescriptor(cpu, selector, ts);
  if (!isSystem(tss) || (typeOf(tss) !== SystemType.tssBusy && typeOf(tss) !== SystemType.tss16Busy)) throw ts(error);
  if (!isPresent(tss)) throw np(error);
  return switchTask(cpu, tss, 'iret', cpu.nextRip, cpu.rflags);
}

/**
 * Switches to the task of a TSS descriptor that was checked for type, privilege and presence: SDM Vol. 3, 7.3. Faults of the old task's
 * context are thrown before anything changes; one of the new task's (table 7-1, from the LDT selector on) is returned, with RIP in the new task.
 */
export function switchTask(cpu: Cpu, tss: Descriptor, source: TaskSource, savedRip: bigint, savedFlags: number, ext = 0): GuestFault | undefined {
  cpu.guest?.taskSwitch(cpu, tss.selector, source);
  const format = formatOf(typeOf(tss));
  if (tss.limit < format.minimumLimit) throw ts(errorSelector(tss.selector) | ext);
  const tr = cpu.segments[L.TR]!;
  const old = { base: tr.base, format: formatOf(tr.type), selector: tr.selector };
  const nested = source === 'call' || source === 'gate';

  // Everything that can fault in the old context.
  const image = readImage(cpu, tss, format);
  const oldDescriptor = findDescriptor(cpu, old.selector);
  checkWritable(cpu, old.base + BigInt(old.format.eip), old.format.ldt - old.format.eip);
  if (nested) checkWritable(cpu, tss.base, 2);
  if (source !== 'iret') checkWritable(cpu, tss.address + 5n, 1);

  if (!nested && oldDescriptor) setBusy(cpu, oldDescriptor.address, false);
  saveImage(cpu, old.base, old.format, savedRip, source === 'iret' ? savedFlags & ~Flag.NT : savedFlags);
  if (nested) writeLinear(cpu, mask(tss.base, 32), 2, BigInt(old.selector), true);
  if (source !== 'iret') setBusy(cpu, tss.address, true);

  tr.load(tss.selector, tss.base, tss.limit, tss.attr | 2);
  cpu.cr0 |= BigInt(CR0.TS);
  // Local breakpoints belong to the task that set them: SDM Vol. 3, 17.2.4.
  cpu.setDr(7, cpu.dr(7) & ~0x155n);
  loadTask(cpu, image, format, nested);
  try {
    qualifyTask(cpu, image, format, ext);
    return undefined;
  } catch (fault) {
    if (fault instanceof GuestFault) return fault;
    throw fault;
  }
}

function readImage(cpu: Cpu, tss: Descriptor, format: TssFormat): TaskImage {
  const field = (at: number, size: 2 | 4): number => Number(readLinear(cpu, mask(tss.base + BigInt(at), 32), size, true));
  const wide = format === FORMAT_32;
  return {
    cr3: wide ? field(CR3_FIELD, 4) : 0,
    eip: field(format.eip, format.size),
    eflags: field(format.eflags, format.size),
    registers: Array.from({ length: 8 }, (_, n) => field(format.registers + n * format.size, format.size)),
    segments: new Map(format.segmentRegisters.map((s, n) => [s, field(format.segments + n * format.size, 2)])),
    ldt: field(format.ldt, 2),
    trap: wide && (field(TRAP_FIELD, 2) & 1) !== 0,
  };
}

function checkWritable(cpu: Cpu, base: bigint, length: number): void {
  const access = { write: true, execute: false, user: false };
  translate(cpu, mask(base, 32), access);
  translate(cpu, mask(base + BigInt(length - 1), 32), access);
}

function saveImage(cpu: Cpu, base: bigint, format: TssFormat, rip: bigint, flags: number): void {
  const put = (at: number, size: 2 | 4, value: bigint): void => writeLinear(cpu, mask(base + BigInt(at), 32), size, mask(value, size * 8), true);
  put(format.eip, format.size, rip);
  put(format.eflags, format.size, BigInt(flags));
  for (let n = 0; n < 8; n++) put(format.registers + n * format.size, format.size, cpu.gpr(n));
  format.segmentRegisters.forEach((s, n) => put(format.segments + n * format.size, 2, BigInt(cpu.segments[s]!.selector)));
}

const selectorIn = (image: TaskImage, segment: number): number => image.segments.get(segment) ?? 0;

/** Loads the new task's registers and selectors: SDM Vol. 3, 7.3. The segments stay unusable until they are qualified. */
function loadTask(cpu: Cpu, image: TaskImage, format: TssFormat, nested: boolean): void {
  cpu.rflags = image.eflags | (nested ? Flag.NT : 0);
  setRip(cpu, BigInt(image.eip));
  image.registers.forEach((value, n) => (format === FORMAT_32 ? cpu.setGpr32(n, value) : cpu.setGpr32(n, 0xffff_0000 | value)));
  for (const s of SIX) if (s !== L.CS) setNull(cpu, s, selectorIn(image, s));
  setNull(cpu, L.LDTR, image.ldt);
  const cs = selectorIn(image, L.CS);
  const cpl = cpu.v8086 ? 3 : rpl(cs);
  setCodeSegment(cpu, cs, 0n, 0, UNUSABLE | (cpl << 5), cpl);
  selectTlb(cpu);
  if (image.trap) {
    cpu.setU64(L.PENDING_DEBUG, cpu.u64(L.PENDING_DEBUG) | 0x8000n);
    cpu.raise(L.Pending.debug);
  }
}

/** Loads CR3 and the descriptors of the selectors: SDM Vol. 3, 7.3 and table 7-1. */
function qualifyTask(cpu: Cpu, image: TaskImage, format: TssFormat, ext: number): void {
  const selector = (segment: number): number => selectorIn(image, segment);
  if (format === FORMAT_32 && cpu.pagingOn) writeCr3(cpu, BigInt(image.cr3));

  loadTaskLdt(cpu, image.ldt, ext);
  if (cpu.v8086) {
    for (const s of SIX) if (s !== L.CS) cpu.segments[s]!.load(selector(s), BigInt(selector(s)) << 4n, 0xffff, V86_DATA);
    setCodeSegment(cpu, selector(L.CS), BigInt(selector(L.CS)) << 4n, 0xffff, V86_DATA, 3);
  } else {
    const code = loadTaskCode(cpu, selector(L.CS), ext);
    loadTaskStack(cpu, selector(L.SS), cpu.cpl, ext);
    for (const s of [L.DS, L.ES, L.FS, L.GS]) loadTaskData(cpu, s, selector(s), cpu.cpl, ext);
    checkTarget(cpu, code, cpu.rip, ext);
  }
}

function loadTaskLdt(cpu: Cpu, selector: number, ext: number): void {
  if (isNull(selector)) return;
  const error = errorSelector(selector) | ext;
  if ((selector & 4) !== 0) throw ts(error);
  const ldt = fetchDescriptor(cpu, selector, ts, ext);
  if (!isSystem(ldt) || typeOf(ldt) !== SystemType.ldt || !isPresent(ldt)) throw ts(error);
  setSegment(cpu, L.LDTR, selector, ldt);
}

function loadTaskCode(cpu: Cpu, selector: number, ext: number): Descriptor {
  const error = errorSelector(selector) | ext;
  if (isNull(selector)) throw ts(error);
  const code = fetchDescriptor(cpu, selector, ts, ext);
  if (!isCode(code) || (isConforming(code) ? dplOf(code) > rpl(selector) : dplOf(code) !== rpl(selector))) throw ts(error);
  if (!isPresent(code)) throw np(error);
  const { base, limit, attr } = markAccessed(cpu, code);
  setCodeSegment(cpu, selector, base, limit, attr, rpl(selector));
  return code;
}

function loadTaskStack(cpu: Cpu, selector: number, cpl: number, ext: number): void {
  const error = errorSelector(selector) | ext;
  if (isNull(selector)) throw ts(error);
  const stack = fetchDescriptor(cpu, selector, ts, ext);
  if (!isWritableData(stack)) throw ts(error);
  if (!isPresent(stack)) throw ss(error);
  if (dplOf(stack) !== cpl || rpl(selector) !== cpl) throw ts(error);
  setSegment(cpu, L.SS, selector, markAccessed(cpu, stack));
}

function loadTaskData(cpu: Cpu, segment: number, selector: number, cpl: number, ext: number): void {
  if (isNull(selector)) return;
  setSegment(cpu, segment, selector, markAccessed(cpu, checkDataSegment(cpu, selector, cpl, ts, ext)));
}

/** After a switch for an exception with an error code, the code goes on the new task's stack, in the TSS's width: SDM Vol. 3, 6.12.2. */
export const taskSlotSize = (cpu: Cpu): 2 | 4 => (isWideTss(cpu.segments[L.TR]!.type) ? 4 : 2);
