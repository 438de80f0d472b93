/** Exit statuses, as documented in docs/cli.md. A debug exit gives (value << 1) | 1, as QEMU's isa-debug-exit does. */
export const ExitStatus = {
  ok: 0,
  failure: 1,
  usage: 2,
  tripleFault: 3,
  timeout: 4,
  notReached: 5,
  internal: 70,
  interrupted: 130,
} as const;

/** Something the person can mend: shown as it is, without a stack trace. */
export class UserError extends Error {
  readonly status: number;
  constructor(message: string, status: number = ExitStatus.failure) {
    super(message);
    this.status = status;
  }
}
