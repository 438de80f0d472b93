import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs from 'yargs';
import { cpuModels } from '../machine/cpu/models/index.ts';
import { adjustableFeatures } from '../machine/cpu/models/parse.ts';
import { TransportError } from '../gdbstub/transports/connection.ts';
import { nearest } from '../text/suggest.ts';
import { ExitStatus, UserError } from './errors.ts';
import { kernelOptions } from './kernel.ts';
import { machineOptions } from './options.ts';
import { run } from './run.ts';
import { traceCommand, traceOptions } from './trace.ts';

export const runOptions = {
  ...machineOptions,
  ...kernelOptions,
  s: { type: 'boolean', default: false, describe: 'shorthand for --gdb tcp:127.0.0.1:1234' },
  S: { type: 'boolean', default: false, describe: 'wait for the debugger before the first instruction' },
  gdb: { type: 'string', requiresArg: true, describe: 'debugger port: tcp:HOST:PORT, unix:PATH, stdio or none' },
  until: { type: 'string', requiresArg: true, describe: 'stop at a symbol, or at the first vmlaunch, vmxon, ...' },
  'stop-after': { type: 'string', requiresArg: true, describe: 'stop after N instructions' },
  timeout: { type: 'string', requiresArg: true, describe: 'give up after so many seconds' },
  'no-reboot': { type: 'boolean', default: false, describe: 'end when the guest asks for a reset' },
  stats: { type: 'boolean', default: false, describe: 'say at the end what the run took' },
  json: { type: 'boolean', default: false, describe: 'report the end of the run as JSON on standard output' },
} as const;

function cpuHelp(): string {
  const models = cpuModels.map((m) => `  ${m.name.padEnd(12)} ${m.description}`);
  return `CPU models:\n${models.join('\n')}\n\nFeatures for --cpu MODEL,+feature,-feature:\n  ${adjustableFeatures.join(' ')}\n`;
}

/** What yargs says of a mistake, with a suggestion for an unknown option. */
function usageMessage(message: string, argv: readonly string[]): string {
  const names = /^Unknown arguments?: (.+)$/.exec(message)?.[1]?.split(/,\s*/);
  if (names === undefined) return message.replace(/^Not enough arguments following: (\S+)$/, (_, name: string) => `${dashes(name)} needs a value`);
  const extra = names.find((n) => argv.includes(n));
  if (extra !== undefined) return `${extra}: one image can be started, there is one already`;
  const unknown = names.find((n) => argv.some((a) => a.replace(/^-+/, '').split('=')[0] === n)) ?? names[0]!;
  const options = [...Object.keys(runOptions), ...Object.keys(traceOptions), 'help', 'version'];
  if (options.includes(unknown)) return `${dashes(unknown)} is an option of the other command (run, trace)`;
  const near = unknown.length > 1 ? nearest(unknown, options) : undefined;
  return `unknown option ${dashes(unknown)}${near ? `; did you mean ${dashes(near)}?` : ''}`;
}
const dashes = (name: string): string => (name.length === 1 ? `-${name}` : `--${name}`);

/** package.json is beside src and beside dist. */
function version(): string {
  const { dirname } = import.meta;
  const path = [join(dirname, '../package.json'), join(dirname, '../../package.json')].find((p) => existsSync(p));
  return path === undefined ? 'unknown' : (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
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
    .locale('en') // the messages are rewritten above
    .version(version())
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      if (error && error.name !== 'YError') throw error;
      throw new UserError(usageMessage(message ?? error.message, argv), ExitStatus.usage);
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
  process.on('uncaughtException', (e) => process.exit(report(e)));
  try {
    process.exitCode = await main(argv);
  } catch (e) {
    process.exitCode = report(e);
  }
}

/** Says what went wrong. Only a fault of ours comes with a stack. */
function report(e: unknown): number {
  const say = (text: string): void => void process.stderr.write(`vmxscope: ${text}\n`);
  if (e instanceof UserError) {
    say(`${e.message}${e.status === ExitStatus.usage ? '\nTry: vmxscope --help' : ''}`);
    return e.status;
  }
  if (e instanceof TransportError) {
    say(e.message);
    return ExitStatus.failure;
  }
  say(`internal error, please report: ${e instanceof Error ? e.stack : String(e)}`);
  return ExitStatus.internal;
}
