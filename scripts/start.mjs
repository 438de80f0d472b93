// The main job: boots the embedded guest with the stub open, lets real gdb run scripts/boot.gdb on it, and exits with
// gdb's status. Without gdb: how to get it, and the machine's own trace of the same run.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const vmxscope = fileURLToPath(new URL('../bin/vmxscope.mjs', import.meta.url));

function withoutGdb() {
  console.error('start: gdb is not installed (Debian, Ubuntu: apt install gdb; Fedora: dnf install gdb; macOS: brew install gdb).');
  console.error("start: here is the machine's own trace of the same run instead.\n");
  return spawnSync(process.execPath, [vmxscope, 'trace', '--until', 'uefi_entry_ret', '--serial', 'none'], { stdio: 'inherit' }).status ?? 1;
}

/** Starts the machine on a free port and waits for the port's number. */
function startMachine() {
  const machine = spawn(process.execPath, [vmxscope, 'run', '-S', '--gdb', 'tcp:127.0.0.1:0', '--serial', 'none', '--timeout', '300'], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    machine.stderr.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const port = /listening on (?:tcp:)?127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port) resolve({ machine, port });
    });
    machine.on('exit', () => reject(new Error(text)));
  });
}

const hasGdb = spawnSync('gdb', ['--version'], { stdio: 'ignore' }).status === 0;
if (!hasGdb) process.exit(withoutGdb());
const { machine, port } = await startMachine();
const command = ['-nx', '-batch', '-ex', `target remote :${port}`, '-x', 'scripts/boot.gdb'];
console.error(`start: gdb ${command.map((c) => (c.includes(' ') ? `'${c}'` : c)).join(' ')}\n`);
const gdb = spawn('gdb', command, { cwd: root, stdio: 'inherit' });
process.on('SIGINT', () => gdb.kill('SIGINT'));
gdb.on('exit', (status, signal) => {
  machine.kill();
  console.error(status === 0 ? '\nstart: every row of the boot sequence was seen.' : `\nstart: gdb ended with ${signal ?? `status ${status}`}.`);
  process.exit(status ?? 1);
});
