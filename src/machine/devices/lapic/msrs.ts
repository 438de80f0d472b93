import { platformMsrs } from '../../cpu/msr/platform.ts';
import { registerMsr } from '../../cpu/msr.ts';
import type { MachineServices } from '../../machine-services.ts';
import type { Lapic } from './lapic.ts';
import { x2ApicMsrs } from './x2apic.ts';

const IA32_APIC_BASE = 0x1b;
const IA32_TSC_DEADLINE = 0x6e0;

/** The MSRs that reach into a local APIC. IA32_APIC_BASE itself is the CPU's: here its APIC is told about a write. */
export function registerLapicMsrs(machine: MachineServices, lapics: readonly Lapic[]): void {
  const base = platformMsrs.find((m) => m.index === IA32_APIC_BASE)!;
  registerMsr(machine, {
    ...base,
    write(cpu, value) {
      base.write!(cpu, value);
      lapics[cpu.index]!.apicBaseChanged();
    },
  });
  for (const msr of x2ApicMsrs((index) => lapics[index]!)) registerMsr(machine, msr);
  registerMsr(machine, {
    index: IA32_TSC_DEADLINE,
    name: 'IA32_TSC_DEADLINE',
    section: 'SDM Vol. 3, 11.5.4.1',
    needs: 'tsc-deadline',
    read: (cpu) => lapics[cpu.index]!.timer.deadline,
    write: (cpu, value) => lapics[cpu.index]!.setTscDeadline(value),
  });
}
