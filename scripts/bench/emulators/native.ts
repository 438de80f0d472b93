import { spawn } from 'node:child_process';
import type { Emulator } from './emulator.ts';

/** The same C code and the same generated code, in a process of the host. */
export const native: Emulator = {
  name: 'native',
  missing: () => (process.arch === 'x64' ? undefined : `the host's processor is ${process.arch}`),
  refuses: ({ host }) => (host === undefined ? 'needs privilege' : undefined),
  start({ host }) {
    const child = spawn(host!, [], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    return { child, serial: child.stdout };
  },
};
