/** Architectural performance monitoring: SDM Vol. 3, 20.2. The counters themselves are in `perfmon/`. */
import type { Cpu } from '../cpu.ts';
import { gp } from '../fault.ts';
import type { CpuModel } from '../models/model.ts';
import { changeCounters, resetCounters, settleCounters } from '../perfmon/counters.ts';
import { isCounted, Select } from '../perfmon/events.ts';
import { counterBits, FIXED, MAX_GENERAL, perfmonOf } from '../perfmon/model.ts';
import { constant, MsrSlot, msrSlot, setMsrSlot, type Msr } from './row.ts';

const version = (model: CpuModel): number => perfmonOf(model)?.version ?? 0;
/** IA32_PERF_CAPABILITIES bit 13: IA32_A_PMCx take values of the full width (20.2.8). */
const FULL_WIDTH_WRITE = 1n << 13n;
const OVERFLOW_BUFFER = 1n << 62n;
const COND_CHANGED = 1n << 63n;
const UNCORE = 1n << 61n;
/** LBR_Frz and CTR_Frz of version 4 (20.2.4.1). */
const FREEZE = 3n << 58n;

const hasGeneral =
  (n: number) =>
  (model: CpuModel): boolean =>
    n < (perfmonOf(model)?.counters ?? 0);
const general = (n: number) => ({ needs: 'arch-perfmon', offered: hasGeneral(n) });
const limit = (cpu: Cpu): bigint => 1n << BigInt(cpu.model.perfmon.width);

function read(cpu: Cpu, slot: number): bigint {
  settleCounters(cpu);
  return msrSlot(cpu, slot);
}

function change(cpu: Cpu, slot: number, value: bigint, reserved: bigint): void {
  if ((value & reserved) !== 0n) throw gp();
  changeCounters(cpu, () => setMsrSlot(cpu, slot, value));
}

/** IA32_PMCx takes 32 bits and extends their sign; its alias IA32_A_PMCx takes all. */
function counter(index: number, name: string, section: string, slot: number, more: Partial<Msr>, full: boolean): Msr {
  return {
    index,
    name,
    section,
    ...more,
    read: (cpu) => read(cpu, slot),
    write(cpu, value) {
      if (full) change(cpu, slot, value, ~(limit(cpu) - 1n));
      else change(cpu, slot, BigInt.asIntN(32, value) & (limit(cpu) - 1n), 0n);
    },
    reset: (cpu) => setMsrSlot(cpu, slot, 0n),
  };
}

function eventSelect(n: number): Msr {
  const slot = MsrSlot.perfEvtSel + n;
  return {
    index: 0x186 + n,
    name: `IA32_PERFEVTSEL${n}`,
    section: 'SDM Vol. 3, 20.2.1.1',
    ...general(n),
    read: (cpu) => msrSlot(cpu, slot),
    write(cpu, value) {
      change(cpu, slot, value, version(cpu.model) >= 3 ? ~0xffff_ffffn : ~BigInt(0xffff_ffff - Select.ANY));
      const select = Number(value);
      if ((select & Select.EN) !== 0 && !isCounted(select)) {
        const event = (select & 0xffff).toString(16).padStart(4, '0');
        cpu.machine.log.once(`perfmon ${event}`, `performance event ${event.slice(2)}H with unit mask ${event.slice(0, 2)}H is not counted`);
      }
    },
    reset: (cpu) => setMsrSlot(cpu, slot, 0n),
  };
}

/** A bit that is set says that an overflow occurred; software clears it. Version 4 can set it too. */
const statusBits = (model: CpuModel): bigint =>
  counterBits(model) | OVERFLOW_BUFFER | COND_CHANGED | (version(model) >= 3 ? UNCORE : 0n) | (version(model) >= 4 ? FREEZE : 0n);

/** IA32_PERF_GLOBAL_INUSE: which counters some software selected an event for, and whether any interrupts (20.2.4.3). */
function inUse(cpu: Cpu): bigint {
  let bits = 0n;
  let interrupts = false;
  for (let n = 0; n < MAX_GENERAL; n++) {
    const select = msrSlot(cpu, MsrSlot.perfEvtSel + n);
    if ((select & 0xffn) !== 0n) bits |= 1n << BigInt(n);
    interrupts ||= (select & BigInt(Select.INT)) !== 0n;
  }
  for (let n = 0; n < FIXED; n++) {
    const field = msrSlot(cpu, MsrSlot.fixedCtrCtrl) >> BigInt(n * 4);
    if ((field & 3n) !== 0n) bits |= 1n << BigInt(32 + n);
    interrupts ||= (field & 8n) !== 0n;
  }
  return bits | (interrupts ? 1n << 63n : 0n);
}

const needs = 'arch-perfmon';
const numbers = (length: number): number[] => Array.from({ length }, (_, n) => n);

export const performanceMsrs: readonly Msr[] = [
  ...numbers(MAX_GENERAL).map((n) => counter(0xc1 + n, `IA32_PMC${n}`, 'SDM Vol. 3, 20.2.1', MsrSlot.pmc + n, general(n), false)),
  ...numbers(MAX_GENERAL).map((n) =>
    counter(0x4c1 + n, `IA32_A_PMC${n}`, 'SDM Vol. 3, 20.2.8', MsrSlot.pmc + n, { needs: 'pdcm', offered: hasGeneral(n) }, true),
  ),
  ...numbers(MAX_GENERAL).map(eventSelect),
  ...numbers(FIXED).map((n) => counter(0x309 + n, `IA32_FIXED_CTR${n}`, 'SDM Vol. 3, 20.2.2', MsrSlot.fixedCtr + n, { needs }, true)),
  constant(0x345, 'IA32_PERF_CAPABILITIES', 'SDM Vol. 3, 20.8', () => FULL_WIDTH_WRITE, { needs: 'pdcm' }),
  {
    index: 0x38d,
    name: 'IA32_FIXED_CTR_CTRL',
    section: 'SDM Vol. 3, 20.2.2',
    needs,
    read: (cpu) => msrSlot(cpu, MsrSlot.fixedCtrCtrl),
    // AnyThread, bit 2 of each field, came with version 3.
    write: (cpu, value) => change(cpu, MsrSlot.fixedCtrCtrl, value, version(cpu.model) >= 3 ? ~0xfffn : ~0xbbbn),
    reset: (cpu) => setMsrSlot(cpu, MsrSlot.fixedCtrCtrl, 0n),
  },
  {
    index: 0x38e,
    name: 'IA32_PERF_GLOBAL_STATUS',
    section: 'SDM Vol. 3, 20.2.2',
    needs,
    read: (cpu) => read(cpu, MsrSlot.perfGlobalStatus),
    reset: (cpu) => setMsrSlot(cpu, MsrSlot.perfGlobalStatus, 0n),
  },
  {
    index: 0x38f,
    name: 'IA32_PERF_GLOBAL_CTRL',
    section: 'SDM Vol. 3, 20.2.2',
    needs,
    read: (cpu) => msrSlot(cpu, MsrSlot.perfGlobalCtrl),
    write: (cpu, value) => change(cpu, MsrSlot.perfGlobalCtrl, value, ~counterBits(cpu.model)),
    // The general counters are enabled here from the start, as software of version 1 expects: SDM Vol. 3, table 10-1.
    reset(cpu) {
      setMsrSlot(cpu, MsrSlot.perfGlobalCtrl, counterBits(cpu.model) & 0xffn);
      resetCounters(cpu);
    },
  },
  {
    index: 0x390,
    name: 'IA32_PERF_GLOBAL_STATUS_RESET', // IA32_PERF_GLOBAL_OVF_CTRL before version 4
    section: 'SDM Vol. 3, 20.2.4.2',
    needs,
    read: () => 0n,
    write(cpu, value) {
      if ((value & ~statusBits(cpu.model)) !== 0n) throw gp();
      changeCounters(cpu, () => setMsrSlot(cpu, MsrSlot.perfGlobalStatus, msrSlot(cpu, MsrSlot.perfGlobalStatus) & ~value));
    },
  },
  {
    index: 0x391,
    name: 'IA32_PERF_GLOBAL_STATUS_SET',
    section: 'SDM Vol. 3, 20.2.4.2',
    needs,
    offered: (model) => version(model) >= 4,
    read: () => 0n,
    write(cpu, value) {
      if ((value & ~(statusBits(cpu.model) & ~COND_CHANGED)) !== 0n) throw gp();
      changeCounters(cpu, () => setMsrSlot(cpu, MsrSlot.perfGlobalStatus, msrSlot(cpu, MsrSlot.perfGlobalStatus) | value));
    },
  },
  { index: 0x392, name: 'IA32_PERF_GLOBAL_INUSE', section: 'SDM Vol. 3, 20.2.4.3', needs, offered: (model) => version(model) >= 4, read: inUse },
];
