import type { Timer } from '../../clock.ts';
import { Activity, type Cpu } from '../cpu.ts';
import * as L from '../layout.ts';
import { MsrSlot, msrSlotOffset } from '../msr/row.ts';
import { amount, FIXED_EVENTS, isCounted, Select } from './events.ts';
import { FIXED, perfmonOf } from './model.ts';

/**
 * The counters: SDM Vol. 3, 20.2. Nothing counts while code runs. All that a counter counts follows from the ticks of its CPU, so the
 * values are brought up to date (settled) when something reads or changes them, when the privilege level changes while a counter wants
 * only one of them, and when the first of those that interrupt is about to overflow, which is a deadline in the machine's clock.
 */

/** IA32_DEBUGCTL.FREEZE_PERFMON_ON_PMI, and bit 59 of IA32_PERF_GLOBAL_STATUS: SDM Vol. 3, 18.4.7 and 20.2.4. */
const FREEZE_ON_PMI = 1 << 12;
const FROZEN_HIGH = 1 << 27;

const CTRL = msrSlotOffset(MsrSlot.perfGlobalCtrl);
const STATUS = msrSlotOffset(MsrSlot.perfGlobalStatus);
const FIXED_CTRL = msrSlotOffset(MsrSlot.fixedCtrCtrl);
const DEBUGCTL = msrSlotOffset(MsrSlot.debugctl);
/** The CPU's ticks, and those that were no instructions, when the counters were settled last. */
const TICKS = msrSlotOffset(MsrSlot.perfTicks);
const OTHER = msrSlotOffset(MsrSlot.perfOther);

const HIGH = 0x1_0000_0000;
const number = (cpu: Cpu, slot: number): number => cpu.u32(slot) + cpu.u32(slot + 4) * HIGH;
function setNumber(cpu: Cpu, slot: number, value: number): void {
  cpu.setU32(slot, value);
  cpu.setU32(slot + 4, value / HIGH);
}

const timers = new WeakMap<Cpu, Timer>();

/** The CPU's timer in the machine's clock, which a snapshot knows by its name: to be made with the machine. */
export function createOverflowTimer(cpu: Cpu): Timer {
  let timer = timers.get(cpu);
  if (!timer) {
    timer = cpu.machine.clock.timer(`performance-counters ${cpu.index}`, () => {
      settleCounters(cpu);
      schedule(cpu);
    });
    timers.set(cpu, timer);
  }
  return timer;
}

/** Calls back for each counter that counts now, with its value's slot, its bit in the global registers and what it selects. */
function forEachRunning(cpu: Cpu, visit: (slot: number, bit: number, select: number) => void): void {
  const perfmon = perfmonOf(cpu.model);
  if (!perfmon || (cpu.u32(STATUS + 4) & FROZEN_HIGH) !== 0) return;
  const supervisor = cpu.cpl === 0;
  const general = cpu.u32(CTRL);
  if (general !== 0) {
    const wanted = Select.EN | (supervisor ? Select.OS : Select.USR);
    for (let n = 0; n < perfmon.counters; n++) {
      const select = cpu.u32(msrSlotOffset(MsrSlot.perfEvtSel + n));
      if (((general >> n) & 1) !== 0 && (select & wanted) === wanted) visit(msrSlotOffset(MsrSlot.pmc + n), n, select);
    }
  }
  const fixed = cpu.u32(CTRL + 4);
  for (let n = 0; n < FIXED; n++) {
    const field = cpu.u32(FIXED_CTRL) >> (n * 4);
    if (((fixed >> n) & 1) === 0 || (field & (supervisor ? 1 : 2)) === 0) continue;
    visit(msrSlotOffset(MsrSlot.fixedCtr + n), 32 + n, FIXED_EVENTS[n]! | ((field & 8) !== 0 ? Select.INT : 0));
  }
}

/** Brings all counters up to the instruction that asks. */
export function settleCounters(cpu: Cpu): void {
  const ticks = cpu.machine.retiredBy(cpu);
  const other = number(cpu, L.NOT_RETIRED);
  const cycles = ticks - number(cpu, TICKS);
  if (cycles === 0) return;
  const instructions = cycles - (other - number(cpu, OTHER));
  setNumber(cpu, TICKS, ticks);
  setNumber(cpu, OTHER, other);
  const limit = 2 ** cpu.model.perfmon.width;
  let interrupts = false;
  forEachRunning(cpu, (slot, bit, select) => {
    const value = number(cpu, slot) + amount(select, cycles, instructions);
    setNumber(cpu, slot, value % limit);
    if (value < limit) return;
    const status = STATUS + (bit >> 5) * 4;
    cpu.setU32(status, cpu.u32(status) | (1 << (bit & 31)));
    interrupts ||= (select & Select.INT) !== 0;
  });
  if (interrupts) interrupt(cpu);
}

/** The performance-monitoring interrupt (20.2.2), which may stop the counters: by IA32_PERF_GLOBAL_CTRL, from version 4 on by a status bit. */
function interrupt(cpu: Cpu): void {
  if ((cpu.u32(DEBUGCTL) & FREEZE_ON_PMI) !== 0) {
    if (cpu.model.perfmon.version >= 4) cpu.setU32(STATUS + 4, cpu.u32(STATUS + 4) | FROZEN_HIGH);
    else cpu.setU64(CTRL, 0n);
    derive(cpu);
  }
  cpu.irq.performanceInterrupt?.();
}

/** Arms the clock for the first overflow that interrupts: no event occurs more than once a tick, so it is never late. */
function schedule(cpu: Cpu): void {
  let ticks = Infinity;
  const limit = 2 ** cpu.model.perfmon.width;
  forEachRunning(cpu, (slot, _, select) => {
    if ((select & Select.INT) !== 0 && isCounted(select)) ticks = Math.min(ticks, limit - number(cpu, slot));
  });
  // A processor that does not execute would be asked in vain; it resumes the counters when it does.
  const asleep = ticks !== Infinity && cpu.activity !== Activity.active;
  cpu.setU32(L.COUNTERS_ASLEEP, asleep ? 1 : 0);
  const timer = createOverflowTimer(cpu);
  const due = asleep || ticks === Infinity ? Infinity : cpu.machine.clock.now() + ticks;
  if (timer.due !== due) cpu.machine.clock.arm(timer, due);
}

/** The CPU executes again after it was not executing when an overflow might have been due. */
export function resumeCounters(cpu: Cpu): void {
  settleCounters(cpu);
  schedule(cpu);
}

/** Does any enabled counter want one of the two privilege classes only? Then changes of CPL settle. */
function derive(cpu: Cpu): void {
  let filtered = false;
  const general = cpu.u32(CTRL);
  for (let n = 0; n < (perfmonOf(cpu.model)?.counters ?? 0); n++) {
    const select = cpu.u32(msrSlotOffset(MsrSlot.perfEvtSel + n));
    const one = ((select & Select.OS) !== 0) !== ((select & Select.USR) !== 0);
    filtered ||= ((general >> n) & 1) !== 0 && (select & Select.EN) !== 0 && one;
  }
  for (let n = 0; n < FIXED; n++) {
    const rings = (cpu.u32(FIXED_CTRL) >> (n * 4)) & 3;
    filtered ||= ((cpu.u32(CTRL + 4) >> n) & 1) !== 0 && (rings === 1 || rings === 2);
  }
  cpu.setU32(L.COUNTERS_FILTERED, filtered ? 1 : 0);
}

/** A change of the registers that say what counts, or of a counter. It counts from the instruction that makes it. */
export function changeCounters(cpu: Cpu, change: () => void): void {
  settleCounters(cpu);
  change();
  derive(cpu);
  schedule(cpu);
}

/** IA32_PERF_GLOBAL_CTRL, as VM entries and VM exits load it. */
export function loadPerfGlobalCtrl(cpu: Cpu, value: bigint): void {
  if (cpu.u64(CTRL) !== value) changeCounters(cpu, () => cpu.setU64(CTRL, value));
}

/** Sets CPL, and nothing else that follows from it. */
export function storeCpl(cpu: Cpu, cpl: number): void {
  if (cpu.u32(L.COUNTERS_FILTERED) === 0 || (cpl === 0) === (cpu.cpl === 0)) {
    cpu.setU32(L.CPL, cpl);
    return;
  }
  settleCounters(cpu);
  cpu.setU32(L.CPL, cpl);
  schedule(cpu);
}

/** What RDPMC reads (SDM Vol. 2, RDPMC): bit 30 of the number selects the fixed counters. Undefined: there is none. */
export function readCounter(cpu: Cpu, which: number): bigint | undefined {
  const perfmon = perfmonOf(cpu.model);
  const fixed = (which & 0x4000_0000) !== 0;
  const n = (which & ~0x4000_0000) >>> 0;
  if (!perfmon || n >= (fixed ? FIXED : perfmon.counters)) return undefined;
  settleCounters(cpu);
  return cpu.u64(msrSlotOffset((fixed ? MsrSlot.fixedCtr : MsrSlot.pmc) + n));
}

/** Power-on. */
export function resetCounters(cpu: Cpu): void {
  cpu.setU32(L.COUNTERS_FILTERED, 0);
  cpu.setU32(L.COUNTERS_ASLEEP, 0);
  cpu.machine.clock.arm(createOverflowTimer(cpu), Infinity);
}
