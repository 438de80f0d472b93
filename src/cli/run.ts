import { createMonitor } from '../gdbstub/monitor/index.ts';
import { MachineTarget } from '../gdbstub/machine/machine-target.ts';
import { GdbServer } from '../gdbstub/server.ts';
import type { Listener } from '../gdbstub/transports/connection.ts';
import { parseAddress } from '../gdbstub/transports/address.ts';
import { listen } from '../gdbstub/transports/index.ts';
import type { Machine } from '../machine/machine.ts';
import type { StopReason } from '../machine/stop.ts';
import { buildMachine } from './build-machine.ts';
import { connectKeys, openSerial } from './console.ts';
import { ExitStatus, UserError } from './errors.ts';
import { log } from './log.ts';
import { infoTopics } from './info-topics.ts';
import { parseCount } from './options.ts';
import { RunSymbols } from './run-symbols.ts';
import { statistics, whereIs } from './report.ts';
import { stopAt } from './until.ts';

export interface RunArguments {
  readonly m: string;
  readonly smp: string;
  readonly cpu: string;
  readonly serial: string;
  readonly esp?: string | undefined;
  readonly image?: string | undefined;
  readonly s: boolean;
  readonly S: boolean;
  readonly gdb?: string | undefined;
  readonly until?: string | undefined;
  readonly stopAfter?: string | undefined;
  readonly timeout?: string | undefined;
  readonly stats: boolean;
  readonly json: boolean;
}

/** How the run ended, for the exit status and the report. */
interface Ending {
  readonly status: number;
  readonly why: string;
}

/** `vmxscope run`: boots the machine and lets it run, with or without a debugger, until something ends it. */
export async function run(args: RunArguments): Promise<number> {
  const address = parseAddress(args.gdb ?? (args.s ? 'tcp:127.0.0.1:1234' : 'none'));
  const serialSpec = address.kind === 'stdio' && args.serial === 'stdio' ? 'none' : args.serial;
  if (args.S && address.kind === 'none') throw new UserError('-S waits for a debugger: add -s or --gdb', ExitStatus.usage);
  const limit = args.stopAfter === undefined ? undefined : parseCount('stop-after', args.stopAfter);
  const timeout = args.timeout === undefined ? undefined : parseCount('timeout', args.timeout);
  const serial = openSerial(serialSpec);
  const { machine, files } = buildMachine(args, (bytes) => serial.write(bytes), log);
  const symbols = new RunSymbols(machine, files);
  const untilIds = args.until === undefined ? undefined : stopAt(machine, symbols, args.until);

  const started = process.hrtime.bigint();
  let finish!: (ending: Ending) => void;
  const ended = new Promise<Ending>((resolve) => (finish = resolve));

  const target = new MachineTarget(machine, { symbols, monitor: createMonitor(machine, infoTopics(machine)) });
  const limited = limit === undefined ? target : limitedTarget(target, machine, limit, () => finish(limitReached(args, limit)));
  const server = new GdbServer({
    target,
    machine: limited,
    stopEvent: (reason, client) => target.stopEvent(reason, client),
    log,
    idle: (until) => {
      if (until === Infinity) deadEnd();
      // A run of a given length is not for a person at the keyboard: time jumps to the next timer.
      else if (limit !== undefined && !server.attached) return 0;
      return until === Infinity ? Infinity : Math.min(10, Math.max(0, (until - machine.clock.now()) / 1e6));
    },
    onQuit: () => finish({ status: ExitStatus.ok, why: 'the debugger asked to quit' }),
    onStop: (reason) => {
      const ending = endingOf(machine, reason, untilIds, args.until);
      if (ending) finish(ending);
      else if (!server.attached) server.start();
    },
  });

  let told = false;
  /** Every CPU halts and no timer is armed. */
  const deadEnd = (): void => {
    const why = 'every CPU halts and no timer is armed';
    if (args.until !== undefined || limit !== undefined) {
      finish({ status: ExitStatus.notReached, why: `${why}: ${args.until ?? `instruction ${limit!.toLocaleString('en')}`} will not be reached` });
    } else if (!told) log(`${why}: only input, the debugger or a reset can go on`);
    told = true;
  };

  let listener: Listener | undefined;
  try {
    listener = await listen(address, (connection) => server.connect(connection));
  } catch (e) {
    serial.close();
    throw new UserError((e as Error).message);
  }
  if (listener && address.kind !== 'stdio') {
    log(`gdb stub listening on ${listener.address}`);
    log(
      `attach with: gdb -ex 'target remote ${address.kind === 'tcp' ? listener.address.replace(/^tcp:/, '').replace('127.0.0.1:', ':') : address.kind === 'unix' ? address.path : ''}'`,
    );
  }
  const disconnectKeys = address.kind === 'stdio' ? () => {} : connectKeys(machine, () => server.runner.wake(), () => finish({ status: ExitStatus.interrupted, why: 'interrupted' })); // prettier-ignore
  const timer = timeout === undefined ? undefined : setTimeout(() => finish({ status: ExitStatus.timeout, why: `not finished after ${timeout} s` }), timeout * 1000); // prettier-ignore
  const onSignal = (): void => finish({ status: ExitStatus.interrupted, why: 'interrupted' });
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);

  if (!args.S) server.start();
  const ending = await ended;

  clearTimeout(timer);
  process.off('SIGINT', onSignal);
  process.off('SIGTERM', onSignal);
  disconnectKeys();
  server.close();
  listener?.close();
  serial.close();
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const where = machine.cpus.map((cpu) => ({ cpu: cpu.index, at: whereIs(cpu, symbols) }));
  if (args.json)
    process.stdout.write(`${JSON.stringify({ ended: ending.why, status: ending.status, cpus: where, ...statistics(machine, seconds) })}\n`);
  else {
    if (ending.why !== '') log(ending.why);
    if (ending.status !== ExitStatus.ok || args.until !== undefined) for (const { cpu, at } of where) log(`  cpu${cpu} at ${at}`);
    if (args.stats) for (const [name, value] of Object.entries(statistics(machine, seconds))) log(`${name}: ${value.toLocaleString('en')}`);
  }
  return ending.status;
}

function limitReached(args: RunArguments, limit: number): Ending {
  const why = `stopped after ${limit.toLocaleString('en')} instructions`;
  if (args.until === undefined) return { status: ExitStatus.ok, why };
  return { status: ExitStatus.notReached, why: `${why}; ${args.until} was not reached` };
}

/** The machine with an instruction limit on continued runs. */
function limitedTarget(target: MachineTarget, machine: Machine, limit: number, reached: () => void): MachineTarget {
  const run = target.run.bind(target);
  target.run = (budget) => {
    const left = limit - Number(machine.instructions);
    if (left <= 0) {
      reached();
      return { kind: 'idle', until: Infinity };
    }
    return run(Math.min(budget, left));
  };
  return target;
}

/** What a stop means when no debugger handles it; undefined: run on. */
function endingOf(machine: Machine, reason: StopReason, untilIds: ReadonlySet<number> | undefined, until: string | undefined): Ending | undefined {
  switch (reason.kind) {
    case 'power-off':
      return { status: ExitStatus.ok, why: 'the machine powered off' };
    case 'debug-exit':
      return { status: ((reason.code << 1) | 1) & 0xff, why: `the guest wrote ${reason.code} to the debug exit port` };
    case 'triple-fault':
      return { status: ExitStatus.tripleFault, why: `triple fault on CPU ${reason.cpu}: the processor shut down` };
    case 'breakpoint':
      return untilIds?.has(reason.id) ? { status: ExitStatus.ok, why: `reached ${until} after ${machine.instructions.toLocaleString('en')} instructions` } : undefined; // prettier-ignore
    case 'vmx-instruction':
      return until === reason.name ? { status: ExitStatus.ok, why: `reached ${until} after ${machine.instructions.toLocaleString('en')} instructions` } : undefined; // prettier-ignore
    default:
      return undefined;
  }
}
