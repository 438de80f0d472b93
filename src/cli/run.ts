import { createMonitor } from '../gdbstub/monitor/index.ts';
import { MachineTarget } from '../gdbstub/machine/machine-target.ts';
import { VmxObserver } from '../gdbstub/machine/vmx-observer.ts';
import { GdbServer } from '../gdbstub/server.ts';
import type { Listener } from '../gdbstub/transports/connection.ts';
import type { Machine } from '../machine/machine.ts';
import { buildMachine } from './build-machine.ts';
import { connectKeys, openSerial } from './console.ts';
import { deadEnd, deadEndHint, endingOf, interrupted, limitReached, type Ending, type Goal } from './ending.ts';
import { ExitStatus } from './errors.ts';
import { gdbAddress, openGdbPort } from './gdb-port.ts';
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
  readonly accel: 'interp' | 'jit' | 'auto';
  readonly serial: string;
  readonly esp?: string | undefined;
  readonly image?: string | undefined;
  readonly kernel?: string | undefined;
  readonly append?: string | undefined;
  readonly initrd?: string | undefined;
  readonly s: boolean;
  readonly S: boolean;
  readonly gdb?: string | undefined;
  readonly until?: string | undefined;
  readonly stopAfter?: string | undefined;
  readonly timeout?: string | undefined;
  readonly noReboot: boolean;
  readonly stats: boolean;
  readonly json: boolean;
}

/** `vmxscope run`: boots the machine and lets it run, with or without a debugger, until something ends it. */
export async function run(args: RunArguments): Promise<number> {
  const address = gdbAddress(args);
  const limit = args.stopAfter === undefined ? undefined : parseCount('stop-after', args.stopAfter);
  const timeout = args.timeout === undefined ? undefined : parseCount('timeout', args.timeout);
  const serial = openSerial(address.kind === 'stdio' && args.serial === 'stdio' ? 'none' : args.serial);
  const { machine, files } = buildMachine(args, (bytes) => serial.write(bytes), log);
  const symbols = new RunSymbols(machine, files);
  const goal: Goal = {
    until: args.until,
    untilIds: args.until === undefined ? new Set() : stopAt(machine, symbols, args.until),
    limit,
    noReboot: args.noReboot,
  };

  const started = process.hrtime.bigint();
  let finish!: (ending: Ending) => void;
  const ended = new Promise<Ending>((resolve) => (finish = resolve));

  const vmx = new VmxObserver();
  if (address.kind !== 'none') machine.observe(vmx.probe);
  const sources = { vmx, nameOf: (physical: number) => symbols.symbolizer.describe(physical) };
  const target = new MachineTarget(machine, { symbols, monitor: createMonitor(machine, infoTopics(machine, vmx), sources) });
  const limited = limit === undefined ? target : limitedTarget(target, machine, limit, () => finish(limitReached(goal)));
  const server = new GdbServer({
    target,
    machine: limited,
    stopEvent: (reason, client) => target.stopEvent(reason, client),
    log,
    idle: (until) => {
      if (until === Infinity) return stuck();
      // A run of a given length is not for a person at the keyboard: time jumps to the next timer.
      if (limit !== undefined && !server.attached) return 0;
      return Math.min(10, Math.max(0, (until - machine.clock.now()) / 1e6));
    },
    onQuit: () => finish({ status: ExitStatus.ok, why: 'the debugger asked to quit' }),
    onStop: (reason) => {
      const ending = endingOf(machine, reason, goal);
      if (ending) finish(ending);
      else if (!server.attached) server.start();
    },
  });

  let told = false;
  const stuck = (): number => {
    const ending = deadEnd(goal);
    if (ending && !server.attached) finish(ending);
    else if (!told) log(deadEndHint);
    told = true;
    return Infinity;
  };

  let listener: Listener | undefined;
  try {
    listener = await openGdbPort(address, (connection) => {
      server.connect(connection);
      // The other end of a pipe cannot come back.
      if (address.kind === 'stdio') connection.onClose(() => finish({ status: ExitStatus.ok, why: 'the debugger closed its end' }));
    });
  } catch (e) {
    serial.close();
    throw e;
  }
  const disconnectKeys = address.kind === 'stdio' ? () => {} : connectKeys(machine, () => server.runner.wake(), (how) => finish(how === 'Ctrl-C' ? interrupted : { status: ExitStatus.ok, why: `ended by ${how}` })); // prettier-ignore
  const timer = timeout === undefined ? undefined : setTimeout(() => finish({ status: ExitStatus.timeout, why: `not finished after ${timeout} s` }), timeout * 1000); // prettier-ignore
  const onSignal = (): void => finish(interrupted);
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
  if (serial.midLine() && process.stdout.isTTY) process.stderr.write('\n');
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
