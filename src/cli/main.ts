import yargs from 'yargs';
import { cpuModels } from '../machine/cpu/models/index.ts';
import { adjustableFeatures } from '../machine/cpu/models/parse.ts';
import { TransportError } from '../gdbstub/transports/connection.ts';
import { nearest } from '../text/suggest.ts';
import { ExitStatus, UserError } from './errors.ts';
import { machineOptions } from './options.ts';
import { run } from './run.ts';
import { traceCommand, traceOptions } from './trace.ts';

export const runOptions = {
  ...machineOptions,
  s: { type: 'boolean', default: false, describe: 'shorthand for --gdb tcp:127.0.0.1:1234' },
  S: { type: 'boolean', default: false, describe: 'wait for the debugger before the first instruction' },
  gdb: { type: 'string', requiresArg: true, describe: 'debugger port: tcp:HOST:PORT, unix:PATH, stdio or none' },
  until: { type: 'string', requiresArg: true, describe: 'stop at a symbol, or at the first vmlaunch, vmxon, ...' },
  'stop-after': { type: 'string', requiresArg: true, describe: 'stop after N instructions' },
  timeout: { type: 'string', requiresArg: true, describe: 'give up after so many seconds' },
  stats: { type: 'boolean', default: false, describe: 'say at the end what the run took' },
  json: { type: 'boolean', default: false, describe: 'report the end of the run as JSON on standard output' },
} as const;

function cpuHelp(): string {
  const models = cpuModels.map((m) => `  ${m.name.padEnd(12)} ${m.description}`);
  return `CPU models:\n${models.join('\n')}\n\nFeatures for --cpu MODEL,+feature,-feature:\n  ${adjustableFeatures.join(' ')}\n`;
}

/** What yargs says of a mistake, with a suggestion for an unknown option. */
function usageMessage(message: string): string {
  const unknown = /^Unknown arguments?: (.+)$/.exec(message)?.[1]?.split(',')[0]?.trim();
  if (unknown === undefined) return message;
  const options = [...Object.keys(runOptions), 'format', 'only', 'help', 'version'];
  const near = nearest(unknown, options);
  const dashes = (name: string): string => (name.length === 1 ? `-${name}` : `--${name}`);
  return `unknown option ${dashes(unknown)}${near ? `; did you mean ${dashes(near)}?` : ''}`;
}

/** The command line. Returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  let status: number = ExitStatus.ok;
  if (argv.some((a, n) => a === '--cpu=help' || (a === 'help' && argv[n - 1]?.replace(/^-+/, '') === 'cpu'))) {
    process.stdout.write(cpuHelp());
    return status;
  }
  const parser = yargs()
    .scriptName('vmxscope')
    .parserConfiguration({ 'short-option-groups': false, 'boolean-negation': false, 'parse-positional-numbers': false })
    .usage('$0 <command> [options] [image.efi]\n\nAn emulated x86-64 PC with UEFI and Intel VMX behind a gdb stub.')
    .command(
      ['run [image]', '$0 [image]'],
      'boot the machine; without --esp or an image, the embedded guest',
      (y) => y.positional('image', { type: 'string', describe: 'UEFI image to start' }).options(runOptions),
      async (args) => {
        status = await run(args);
      },
    )
    .command(
      'trace [image]',
      'print the call tree of the boot, with symbols',
      (y) => y.positional('image', { type: 'string', describe: 'UEFI image to start' }).options(traceOptions),
      (args) => {
        status = traceCommand(args);
      },
    )
    .example('$0 run -s -S', "then, elsewhere: gdb -ex 'target remote :1234'")
    .example('$0 run --esp DIR', 'boot a hypervisor from DIR (loadvmm.efi and bitvisor.elf)')
    .example('$0 trace --until vmlaunch', 'the boot of the embedded guest as a call tree')
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      if (error) throw error;
      throw new UserError(usageMessage(message), ExitStatus.usage);
    });
  await parser.parseAsync([...argv]);
  return status;
}

/** Runs and turns errors into messages and statuses. */
export async function cli(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', (e: NodeJS.ErrnoException) => {
    if (e.code === 'EPIPE') process.exit(ExitStatus.ok); // the reader of our output went away
    throw e;
  });
  try {
    process.exitCode = await main(argv);
  } catch (e) {
    if (e instanceof UserError) {
      process.stderr.write(`vmxscope: ${e.message}\n${e.status === ExitStatus.usage ? 'Try: vmxscope --help\n' : ''}`);
      process.exitCode = e.status;
    } else if (e instanceof TransportError) {
      process.stderr.write(`vmxscope: ${e.message}\n`);
      process.exitCode = ExitStatus.failure;
    } else {
      process.stderr.write(`vmxscope: internal error, please report: ${e instanceof Error ? e.stack : String(e)}\n`);
      process.exitCode = ExitStatus.internal;
    }
  }
}
