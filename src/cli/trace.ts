import type { Machine } from '../machine/machine.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { nearest } from '../text/suggest.ts';
import { traceBoot } from '../trace/trace-boot.ts';
import type { Tracer } from '../trace/trace-boot.ts';
import { buildMachine } from './build-machine.ts';
import { openSerial } from './console.ts';
import { ExitStatus, UserError } from './errors.ts';
import { log } from './log.ts';
import { machineOptions, parseCount } from './options.ts';
import { vmxMnemonics } from './until.ts';

export const traceOptions = {
  ...machineOptions,
  serial: { ...machineOptions.serial, default: 'none' },
  format: { choices: ['text', 'ndjson'] as const, default: 'text' as const, describe: 'a tree for people, or one JSON object a line' },
  only: { type: 'string', array: true, requiresArg: true, describe: 'only these functions (vt_*, efi:AllocatePages) or images (bitvisor.elf)' },
  until: { type: 'string', requiresArg: true, describe: 'stop when this function is entered, or at the first vmlaunch, vmxon, ...' },
  'stop-after': { type: 'string', requiresArg: true, describe: 'stop after N instructions' },
  timeout: { type: 'string', requiresArg: true, describe: 'give up after so many seconds' },
} as const;

export interface TraceArguments {
  readonly m: string;
  readonly smp: string;
  readonly cpu: string;
  readonly accel: 'interp' | 'jit' | 'auto';
  readonly serial: string;
  readonly esp?: string | undefined;
  readonly image?: string | undefined;
  readonly format: 'text' | 'ndjson';
  readonly only?: readonly string[] | undefined;
  readonly until?: string | undefined;
  readonly stopAfter?: string | undefined;
  readonly timeout?: string | undefined;
}

/** Times in a row that every CPU halts with nothing to do but wait for a key: the boot is over. */
const IDLE_ROUNDS = 5;
const QUANTUM = 2_000_000;

/** `vmxscope trace`: prints the call tree of the boot until it waits for input, or as long as the options say. */
export function traceCommand(args: TraceArguments): number {
  const limit = args.stopAfter === undefined ? Infinity : parseCount('stop-after', args.stopAfter);
  const deadline = args.timeout === undefined ? Infinity : Date.now() + parseCount('timeout', args.timeout) * 1000;
  const serial = openSerial(args.serial);
  const { machine, files } = buildMachine(args, (bytes) => serial.write(bytes), log);
  const mnemonic = args.until !== undefined && vmxMnemonics.has(args.until);
  if (mnemonic) machine.stopOnVmxInstructions(new Set([args.until!]));
  else if (args.until !== undefined) checkName(args.until, files);
  const tracer = traceBoot(machine, files, {
    format: args.format,
    only: args.only ?? [],
    ...(args.until !== undefined && !mnemonic && { until: args.until }),
    write: lineWriter(),
  });
  try {
    const status = traceUntilEnd(machine, tracer, limit, deadline);
    if (status !== undefined) return status;
    if (args.until === undefined) return ExitStatus.ok;
    log(`${args.until} was not reached`);
    return ExitStatus.notReached;
  } finally {
    tracer.finish();
    flushLines();
    serial.close();
  }
}

/** The exit status that ends the trace, or undefined when the boot was over by itself. */
function traceUntilEnd(machine: Machine, tracer: Tracer, limit: number, deadline: number): number | undefined {
  for (let idle = 0; idle < IDLE_ROUNDS;) {
    const left = limit - Number(machine.instructions);
    if (left <= 0) return undefined;
    if (Date.now() > deadline) return ExitStatus.timeout;
    const reason = machine.run(Math.min(QUANTUM, left));
    if (tracer.reached) return ExitStatus.ok;
    switch (reason.kind) {
      case 'idle':
        idle = reason.until === Infinity ? IDLE_ROUNDS : idle + 1;
        break;
      case 'quantum':
        idle = 0;
        break;
      case 'vmx-instruction':
      case 'power-off':
        return ExitStatus.ok;
      case 'debug-exit':
        return ((reason.code << 1) | 1) & 0xff;
      case 'triple-fault':
        log(`triple fault on CPU ${reason.cpu}: the processor shut down`);
        return ExitStatus.tripleFault;
      default:
        break;
    }
  }
  return undefined;
}

function checkName(name: string, files: readonly SymbolFile[]): void {
  const service = name.startsWith('efi:');
  if (service || files.some((f) => f.findFunction(name).length > 0 || f.symbols().has(name))) return;
  const near = nearest(name, files.flatMap((f) => [...f.symbols().keys()])); // prettier-ignore
  throw new UserError(`--until ${name}: no such symbol${near ? `; did you mean ${near}?` : ' in the files that are booted'}`, ExitStatus.usage);
}

let pending = '';
function lineWriter(): (line: string) => void {
  return (line) => {
    pending += `${line}\n`;
    if (pending.length > 1 << 16) flushLines();
  };
}
function flushLines(): void {
  process.stdout.write(pending);
  pending = '';
}
