import { execFileSync, spawn } from 'node:child_process';
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Emulator } from './emulator.ts';
import { installed } from './emulator.ts';

const TERMINAL = '/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so';

/** Debian's Bochs has its debugger built in and no display without a terminal: `script` gives it one. */
export const bochs: Emulator = {
  name: 'Bochs',
  missing() {
    if (!installed('bochs')) return 'bochs is not installed (Debian: apt install bochs bochs-term)';
    if (!existsSync(TERMINAL)) return `${TERMINAL} is missing (Debian: apt install bochs-term)`;
    return installed('script') ? undefined : 'script is not installed (Debian: apt install bsdutils)';
  },
  refuses: () => undefined,
  start({ folder, rom }) {
    execFileSync('rm', ['-f', join(folder, 'serial')]);
    execFileSync('mkfifo', [join(folder, 'serial')]);
    writeFileSync(join(folder, 'bochsrc'), configuration(rom));
    writeFileSync(join(folder, 'debugger'), 'c\n');
    const serial = createReadStream(join(folder, 'serial'));
    // In the C locale the terminal display of Bochs 2.7 overflows a buffer.
    const env = { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8' };
    const child = spawn('script', ['-qec', 'exec bochs -q -f bochsrc -rc debugger', '/dev/null'], {
      cwd: folder,
      env,
      stdio: 'ignore',
      detached: true,
    });
    return { child, serial };
  },
};

const configuration = (rom: string): string => `megs: 256
romimage: file=${rom}, address=0xffff0000
cpu: model=corei7_haswell_4770, count=1, ips=200000000, reset_on_triple_fault=0
pci: enabled=1, chipset=i440fx
com1: enabled=1, mode=file, dev=serial
display_library: term
vga: update_freq=1
clock: sync=none
log: bochs.log
panic: action=fatal
error: action=report
`;
