import { RAM } from '../../memory/layout.ts';
import { Activity, type Cpu } from '../cpu.ts';
import { gp, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import * as L from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { locateOrThrow } from '../mmu/locate.ts';
import { MISC_ENABLE_MONITOR } from '../msr/platform.ts';
import { MsrSlot, msrSlot } from '../msr.ts';
import { linearOf } from '../system/operands.ts';

/**
 * MONITOR and MWAIT: SDM Vol. 2, and Vol. 3, 9.10. The monitored line is 64 bytes (CPUID leaf 05H). A processor that waits is woken by
 * anything that is pending, at the machine's next deadline, and when the line does not hold any more what it held at MONITOR: a processor
 * may leave the state at any time, so this is looked at between turns, not at each store.
 */
const LINE = 64;
const [RAX, RCX] = [0, 1] as const;

/** #UD at CPL > 0, and where IA32_MISC_ENABLE turns them off. */
function requireMonitor(cpu: Cpu): void {
  if (cpu.cpl !== 0 || (msrSlot(cpu, MsrSlot.miscEnable) & MISC_ENABLE_MONITOR) === 0n) throw ud();
}

const copyOf = (cpu: Cpu): Uint8Array => cpu.m.u8.subarray(cpu.block + L.MONITORED, cpu.block + L.MONITORED + LINE);

function lineAt(cpu: Cpu, physical: number): Uint8Array | undefined {
  return cpu.machine.memory.isRam(physical) ? cpu.m.u8.subarray(RAM + physical, RAM + physical + LINE) : undefined;
}

/** The line that a processor watches was changed; or it watches none. */
export function monitoredLineChanged(cpu: Cpu): boolean {
  const armed = cpu.u64(L.MONITOR);
  const line = armed === 0n ? undefined : lineAt(cpu, Number(armed - 1n));
  const copy = copyOf(cpu);
  return line === undefined || line.some((byte, n) => byte !== copy[n]);
}

export const monitorInstructions: HelperTable = {
  /** The address is checked as a byte read is. */
  monitor(cpu, insn) {
    requireMonitor(cpu);
    if (cpu.gpr32(RCX) !== 0) throw gp();
    const linear = linearOf(cpu, insn.segment, cpu.readGpr(RAX, insn.addrsize), 1, false);
    readLinear(cpu, linear, 1);
    const physical = locateOrThrow(cpu, Number(linear >> 32n), Number(linear & 0xffff_ffffn), 0);
    const at = physical - (physical % LINE);
    const line = lineAt(cpu, at);
    if (line) copyOf(cpu).set(line);
    cpu.setU64(L.MONITOR, line ? BigInt(at) + 1n : 0n);
  },
  mwait(cpu) {
    requireMonitor(cpu);
    // ECX bit 0: interrupts break even when they are masked. CPUID leaf 05H says so.
    if ((cpu.gpr32(RCX) & ~1) !== 0) throw gp();
    if (!monitoredLineChanged(cpu) && cpu.pending === 0) cpu.activity = Activity.mwait;
    else cpu.setU64(L.MONITOR, 0n);
  },
};
