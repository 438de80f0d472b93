import type { InfoTopics } from '../gdbstub/monitor/command.ts';
import type { Machine } from '../machine/machine.ts';
import { describeVmcsOf, describeVmx } from '../machine/vmx/describe.ts';

/** What the machine's parts tell to `monitor info`. */
export function infoTopics(machine: Machine): InfoTopics {
  const { devices } = machine;
  return {
    lapic: (cpu) => devices.lapics[cpu.index]!.describe(),
    vmcs: (cpu) => describeVmcsOf(cpu),
    vmx: (cpu) => describeVmx(cpu),
    efi: () => machine.firmware?.describe() ?? 'no built-in firmware',
    devices: () => devices.all.map((d) => `${d.name}\n${d.describe().replaceAll(/^/gm, '  ')}`).join('\n'),
    ...Object.fromEntries(devices.all.filter((d) => !d.name.startsWith('lapic')).map((d) => [d.name, () => d.describe()])),
  };
}
