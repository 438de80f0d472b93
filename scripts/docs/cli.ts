import { ExitStatus } from '../../src/cli/errors.ts';
import { runOptions } from '../../src/cli/main.ts';
import { machineOptions } from '../../src/cli/options.ts';
import { traceOptions } from '../../src/cli/trace.ts';
import type { Blocks } from './blocks.ts';
import { code, table } from './table.ts';

/** What yargs is told of an option, as far as the table shows it. */
interface OptionRow {
  readonly type?: string;
  readonly choices?: readonly string[];
  readonly default?: string | boolean;
  readonly describe: string;
}
type Options = Readonly<Record<string, OptionRow>>;

const flag = (name: string, o: OptionRow): string =>
  `${name.length === 1 ? '-' : '--'}${name}${o.type === 'boolean' ? '' : ` ${o.choices ? o.choices.join('\\|') : 'VALUE'}`}`;
const standard = (o: OptionRow): string => (o.default === undefined || o.default === false ? '' : code(String(o.default)));

/** The options of a command that differ from the machine's. */
function optionTable(options: Options, without: Options = {}): string {
  const rows = Object.entries(options).filter(([name, o]) => without[name]?.default !== o.default || !(name in without));
  return table(['Option', 'Default', 'Meaning'], rows.map(([name, o]) => [code(flag(name, o).replaceAll('\\', '')), standard(o), o.describe])); // prettier-ignore
}

/** A new status without a line here does not compile. */
const statusMeaning: Readonly<Record<keyof typeof ExitStatus, string>> = {
  ok: 'the machine powered off, `--until` or `--stop-after` was reached, the debugger said `monitor quit`, or Ctrl-A X',
  failure: 'something outside the machine is wrong: a missing file, a busy port, a place that cannot be written',
  usage: 'the command line is wrong: an unknown option, a bad value, a symbol that does not exist',
  tripleFault: 'a CPU shut down by a triple fault, and no debugger was attached',
  timeout: '`--timeout` passed first',
  notReached: '`--stop-after` or the end of the boot came before `--until`, or every CPU halted for good before either',
  internal: 'a defect of vmxscope; standard error has the details to report',
  interrupted: 'Ctrl-C or SIGTERM',
};

export const cliBlocks: Blocks = {
  'machine-options': () => optionTable(machineOptions),
  'run-options': () => optionTable(runOptions, machineOptions),
  'trace-options': () => optionTable(traceOptions, machineOptions),
  'exit-statuses': () =>
    table(['Status', 'Meaning'], [
      ...(Object.keys(ExitStatus) as (keyof typeof ExitStatus)[]).map((name) => [ExitStatus[name], statusMeaning[name]]),
      ['2N + 1', 'the guest wrote N to the debug exit port F4h (8 bits of it), as with QEMU’s `isa-debug-exit`'],
    ]), // prettier-ignore
};
