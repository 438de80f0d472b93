import type { DebuggedMachine } from '../machine/debugged-machine.ts';
import type { VmxObserver } from '../machine/vmx-observer.ts';
import type { MonitorPart, MonitorResult } from '../target.ts';
import { breakCommand } from './break.ts';
import { failure, type InfoTopics, type MonitorCommand, type MonitorDoc } from './command.ts';
import { gpa2hpaCommand } from './gpa2hpa.ts';
import { gva2gpaCommand } from './gva2gpa.ts';
import { helpCommand } from './help.ts';
import { infoCommand } from './info.ts';
import { quitCommand } from './quit.ts';
import { didYouMean } from '../../text/suggest.ts';
import { systemResetCommand } from './system-reset.ts';
import { vmxCommand } from './vmx.ts';
import { xCommand } from './x.ts';
import { xpCommand } from './xp.ts';

/** Every `monitor` command. One is added by a file in this folder and a row here; help and documentation follow. */
const commands: readonly MonitorCommand[] = [
  helpCommand(() => monitorDocs),
  infoCommand,
  xCommand,
  xpCommand,
  gva2gpaCommand,
  gpa2hpaCommand,
  breakCommand,
  vmxCommand,
  systemResetCommand,
  quitCommand,
];

/** Rows of the monitor table in docs/gdb.md. */
export const monitorDocs: readonly MonitorDoc[] = commands.map((c) => c.doc);

/** What a monitor may know besides the machine. */
export interface MonitorSources {
  readonly vmx?: VmxObserver;
  readonly nameOf?: (physical: number) => string | undefined;
}

/** `monitor` for a machine. @param topics what the machine's parts have to tell to `info` */
export function createMonitor(machine: DebuggedMachine, topics: InfoTopics = {}, sources: MonitorSources = {}): MonitorPart {
  const nameOf = sources.nameOf ?? (() => undefined);
  const vmxStops = new Set<string>();
  return {
    execute(thread, line): MonitorResult {
      const [name, ...args] = line.split(/\s+/).filter((w) => w !== '');
      if (name === undefined) return failure('a command is missing: "monitor help" lists them');
      const command = commands.find((c) => c.name === name);
      if (!command) return failure(`unknown command "${name}"${didYouMean(name, commands.map((c) => c.name))} "monitor help" lists all`); // prettier-ignore
      const context = { machine, topics, vmxStops, vmx: sources.vmx, nameOf, cpu: machine.cpus[thread - 1] ?? machine.cpus[0]! };
      return command.run(context, args);
    },
    release(): void {
      vmxStops.clear();
      machine.stopOnVmxInstructions(vmxStops);
      machine.stopOnVmxFailure(false);
    },
  };
}
