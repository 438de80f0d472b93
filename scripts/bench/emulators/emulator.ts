import { spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Guest } from '../build-guest.ts';

/** A guest that runs: its serial port, and the process whose time counts. */
export interface Running {
  readonly child: ChildProcess;
  readonly serial: Readable;
}

/** Something that runs the guest. Every guest gets a process of its own, the leader of its process group. */
export interface Emulator {
  readonly name: string;
  /** Why it cannot be used here, if it cannot. */
  missing(): string | undefined;
  /** Why it cannot run this guest, if it cannot. */
  refuses(guest: Guest): string | undefined;
  start(guest: Guest): Running;
}

export const installed = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
