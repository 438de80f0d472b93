import { Refusal, Status } from '../status.ts';
import type { Arg } from './arguments.ts';
import { Call } from './call.ts';

/** A service has set RIP itself: guest code was called, or the processor waits. */
export const TRANSFERRED = Symbol('transferred');
export type Result = bigint | typeof TRANSFERRED;

/** A row: one function of a table, as the specification declares it. */
export interface Service {
  readonly name: string;
  readonly arguments: readonly string[];
  /** Re-entry points and stubs' calls are not reported as firmware calls. */
  readonly hidden: boolean;
  /** Throws Refusal to end with a status; GuestFault or ABANDONED pass through. */
  invoke(call: Call): Result;
}

type Values<A extends readonly Arg<unknown>[]> = { [K in keyof A]: A[K] extends Arg<infer T> ? T : never };

export function service<const A extends readonly Arg<unknown>[]>(name: string, args: A, run: (call: Call, ...values: Values<A>) => Result): Service {
  return {
    name,
    arguments: args.map((a) => a.name),
    hidden: false,
    invoke(call) {
      void call.returnTo; // read before anything changes, like the arguments
      try {
        return run(call, ...(args.map((a, n) => a.fetch(call, call.argument(n))) as Values<A>));
      } catch (e) {
        if (e instanceof Refusal) return e.status;
        throw e;
      }
    },
  };
}

/** A trap that is no service of the specification: it sets RIP itself. */
export function internal(name: string, run: (call: Call) => Result): Service {
  return { name, arguments: [], hidden: true, invoke: run };
}

/** A service that exists in the table and answers EFI_UNSUPPORTED; the user is told once. */
export function unsupported(name: string): Service {
  return service(name, [], (call) => {
    call.fw.machine.log.once(`efi ${name}`, `UEFI service ${name} is not implemented: EFI_UNSUPPORTED`);
    return Status.UNSUPPORTED;
  });
}
