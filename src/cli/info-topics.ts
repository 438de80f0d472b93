import { F } from '../machine/vmx/fields.ts';
import { currentVmcs } from '../machine/vmx/vmcs.ts';
import type { VmxObserver } from '../gdbstub/machine/vmx-observer.ts';
import type { InfoTopics } from '../gdbstub/monitor/command.ts';
import type { Machine } from '../machine/machine.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import { Secondary } from '../machine/vmx/controls.ts';
import { secondaryControls } from '../machine/vmx/execution-controls.ts';
import { describeEpt, describeVmcsOf, describeVmx } from '../machine/vmx/describe.ts';

/** What the machine's parts tell to `monitor info`. */
export function infoTopics(machine: Machine, observer?: VmxObserver): InfoTopics {
  const { devices } = machine;
  const vmcs = (cpu: Cpu, args: readonly string[]): string => infoVmcs(cpu, args, observer);
  return {
    lapic: (cpu) => devices.lapics[cpu.index]!.describe(),
    vmcs,
    ept,
    vmx: (cpu) => describeVmx(cpu),
    efi: () => machine.firmware?.describe() ?? 'no built-in firmware',
    devices: () => devices.all.map((d) => `${d.name}\n${d.describe().replaceAll(/^/gm, '  ')}`).join('\n'),
    ...Object.fromEntries(devices.all.filter((d) => !d.name.startsWith('lapic')).map((d) => [d.name, () => d.describe()])),
  };
}

const classes = ['control', 'guest', 'host', 'exit'] as const;

/** `info vmcs [control|guest|host|exit] [ADDRESS]`, with marks on what changed since a guest was last entered with it. */
function infoVmcs(cpu: Cpu, args: readonly string[], observer: VmxObserver | undefined): string {
  const only = classes.find((c) => args.includes(c));
  const address = args.find((a) => /^0x[0-9a-f]+$|^\d+$/i.test(a));
  const rest = args.filter((a) => a !== only && a !== address);
  if (rest.length > 0) return `info vmcs: what is "${rest[0]}"? Usage: info vmcs [${classes.join('|')}] [ADDRESS]`;
  return describeVmcsOf(cpu, address === undefined ? undefined : Number(address), only, (at) => observer?.regionAtEntry(at));
}

/** `info ept ADDRESS`: the walk for a guest-physical address under the current VMCS's EPT pointer. */
function ept(cpu: Cpu, args: readonly string[]): string {
  const address = Number(args[0]);
  if (args.length !== 1 || !Number.isFinite(address)) return 'Usage: info ept GUEST-PHYSICAL-ADDRESS';
  const current = currentVmcs(cpu);
  if (!current) return `cpu${cpu.index} has no current VMCS`;
  const modeBased = (secondaryControls(current) & Secondary.modeBasedExecute) !== 0;
  return describeEpt(cpu, current.read(F.eptPointer), address, modeBased);
}
