import type { Machine } from '../machine/machine.ts';
import type { StopReason } from '../machine/stop.ts';
import { ExitStatus } from './errors.ts';

/** How the run ended, for the exit status and the report. */
export interface Ending {
  readonly status: number;
  readonly why: string;
}

export interface Goal {
  /** `--until`, and the ids of its breakpoints. */
  readonly until: string | undefined;
  readonly untilIds: ReadonlySet<number>;
  /** `--stop-after`. */
  readonly limit: number | undefined;
  /** `--no-reboot`. */
  readonly noReboot?: boolean;
}

export const interrupted: Ending = { status: ExitStatus.interrupted, why: 'interrupted' };

/** What a stop means when no debugger handles it; undefined: run on. */
export function endingOf(machine: Machine, reason: StopReason, { until, untilIds, noReboot }: Goal): Ending | undefined {
  const reached = { status: ExitStatus.ok, why: `reached ${until} after ${machine.instructions.toLocaleString('en')} instructions` };
  switch (reason.kind) {
    case 'power-off':
      return { status: ExitStatus.ok, why: 'the machine powered off' };
    case 'reset':
      return noReboot === true ? { status: ExitStatus.ok, why: 'the guest asked for a reset' } : undefined;
    case 'debug-exit':
      return { status: ((reason.code << 1) | 1) & 0xff, why: `the guest wrote ${reason.code} to the debug exit port` };
    case 'triple-fault':
      return { status: ExitStatus.tripleFault, why: `triple fault on CPU ${reason.cpu}: the processor shut down` };
    case 'breakpoint':
      return untilIds.has(reason.id) ? reached : undefined;
    case 'vmx-instruction':
      return until === reason.name ? reached : undefined;
    default:
      return undefined;
  }
}

export function limitReached({ until, limit }: Goal): Ending {
  const why = `stopped after ${limit!.toLocaleString('en')} instructions`;
  return until === undefined ? { status: ExitStatus.ok, why } : { status: ExitStatus.notReached, why: `${why}; ${until} was not reached` };
}

const HALTED = 'every CPU halts and no timer is armed';

/** Nothing more happens by itself: the end of a run that has a goal. */
export function deadEnd({ until, limit }: Goal): Ending | undefined {
  const goal = until ?? (limit === undefined ? undefined : `instruction ${limit.toLocaleString('en')}`);
  return goal === undefined ? undefined : { status: ExitStatus.notReached, why: `${HALTED}: ${goal} will not be reached` };
}
export const deadEndHint = `${HALTED}: only input, the debugger or a reset can go on`;
