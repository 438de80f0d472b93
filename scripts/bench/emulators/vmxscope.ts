import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Emulator } from './emulator.ts';

/** This checkout, by its sources. */
export const vmxscope: Emulator = {
  name: 'vmxscope',
  missing: () => undefined,
  refuses: () => undefined,
  start({ elf }) {
    const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'vmxscope-process.ts'), elf], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    return { child, serial: child.stdout };
  },
};
