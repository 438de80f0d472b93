/** Time-stamp counter: SDM Vol. 3, 18.17. One instruction is one nanosecond is one tick. */
import { VmxMode, type Cpu } from '../cpu.ts';
import * as L from '../layout.ts';
import { MsrSlot, stored, within, type Msr } from './row.ts';

const ticks = (cpu: Cpu): bigint => BigInt(Math.floor(cpu.machine.clock.now()));

/** What RDTSC, RDTSCP and RDMSR of IA32_TIME_STAMP_COUNTER read; in VMX non-root operation with the TSC multiplier and offset in effect (26.3, 25.6.5). */
export function readTsc(cpu: Cpu): bigint {
  const tsc = ticks(cpu) + cpu.u64(L.TSC_ADJUST);
  if (cpu.vmxMode !== VmxMode.nonRoot) return BigInt.asUintN(64, tsc);
  const multiplier = cpu.u64(L.TSC_MULTIPLIER);
  const scaled = multiplier === 0n ? tsc : (BigInt.asUintN(64, tsc) * multiplier) >> 48n;
  return BigInt.asUintN(64, scaled + cpu.u64(L.TSC_OFFSET));
}

export const timeMsrs: readonly Msr[] = [
  {
    index: 0x10,
    name: 'IA32_TIME_STAMP_COUNTER',
    section: 'SDM Vol. 3, 18.17',
    read: readTsc,
    write: (cpu, value) => cpu.setU64(L.TSC_ADJUST, BigInt.asUintN(64, value - ticks(cpu))),
    reset: (cpu) => cpu.setU64(L.TSC_ADJUST, 0n),
  },
  // The counter starts at 0 with the clock, so that the adjustment since reset is what RDTSC adds: SDM Vol. 3, 18.17.3.
  {
    index: 0x3b,
    name: 'IA32_TSC_ADJUST',
    section: 'SDM Vol. 3, 18.17.3',
    needs: 'tsc-adjust',
    read: (cpu) => cpu.u64(L.TSC_ADJUST),
    write: (cpu, value) => cpu.setU64(L.TSC_ADJUST, value),
  },
  stored(0xc000_0103, 'IA32_TSC_AUX', 'SDM Vol. 3, 18.17.2', MsrSlot.tscAux, within(0xffff_ffffn), { needs: 'rdtscp' }),
];
