import { execFileSync, spawn } from 'node:child_process';

/** The gdb that tests talk to: `GDB` in the environment, or the one in PATH. A test that needs it fails without it. */
export const gdbPath = process.env.GDB ?? 'gdb';

export function gdbVersion(): string {
  return execFileSync(gdbPath, ['--version'], { encoding: 'utf8' }).split('\n')[0]!;
}

export interface GdbRun {
  /** Standard output and standard error as a terminal would show them. */
  readonly output: string;
  readonly exitCode: number | null;
}

export interface GdbOptions {
  /** Program or symbol file given on the command line. */
  readonly file?: string;
  /** Milliseconds before gdb is ended and the run fails. */
  readonly timeout?: number;
  /** Called with each piece of output as it comes: to send a signal or change the target in between. */
  readonly onOutput?: (output: string, interrupt: () => void) => void;
  readonly cwd?: string;
}

/**
 * Runs real gdb with commands, one `-ex` each, without a terminal and without the user's settings. A command that fails
 * does not end the script: its message is in the output.
 */
export function runGdb(commands: readonly string[], options: GdbOptions = {}): Promise<GdbRun> {
  const settings = [
    'set pagination off',
    'set confirm off',
    'set width 0',
    'set height 0',
    'set debuginfod enabled off',
    'set print thread-events off',
  ];
  const args = ['-nx', '-nh', '-q', '-batch', ...settings.flatMap((c) => ['-iex', c]), ...commands.flatMap((c) => ['-ex', c])];
  if (options.file) args.push(options.file);
  return new Promise((resolve, reject) => {
    // One pipe for both: what gdb says and what `monitor` prints (on its standard error) stay in order.
    const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', gdbPath, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C', TERM: 'dumb' },
    });
    let output = '';
    const take = (text: string): void => {
      output += text;
      options.onOutput?.(output, () => child.kill('SIGINT'));
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const timeout = options.timeout ?? 30_000;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`gdb did not end within ${timeout} ms; its output was:\n${output}`));
    }, timeout);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`cannot run ${gdbPath}: ${error.message}`));
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ output, exitCode });
    });
  });
}
