import { spawn } from 'node:child_process';
import type { Emulator } from './emulator.ts';
import { installed } from './emulator.ts';

/** QEMU with its translator, not KVM. */
export const qemu: Emulator = {
  name: 'QEMU TCG',
  missing: () => (installed('qemu-system-x86_64') ? undefined : 'qemu-system-x86_64 is not installed (Debian: apt install qemu-system-x86)'),
  refuses: ({ kernel }) => (kernel.vmx ? 'TCG has no VMX' : undefined),
  start({ elf }) {
    const child = spawn(
      'qemu-system-x86_64',
      ['-accel', 'tcg', '-m', '256', '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-kernel', elf],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
      },
    );
    return { child, serial: child.stdout };
  },
};
