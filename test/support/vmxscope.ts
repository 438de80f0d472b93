import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The command as a person starts it. dist/ is built by test/support/build.ts before the first test. */
export const program = fileURLToPath(new URL('../../bin/vmxscope.mjs', import.meta.url));

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Standard input, then end of file. */
  readonly input?: string;
  /** Milliseconds before the process is ended and the test fails. */
  readonly timeout?: number;
  readonly cwd?: string;
  /** Called with all output so far, each time something comes. */
  readonly onOutput?: (run: { readonly stdout: string; readonly stderr: string }, child: ChildProcessWithoutNullStreams) => void;
}

/** A running vmxscope: its process, what it has written, and its end. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Run>;
  stdout = '';
  stderr = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], options: RunOptions = {}) {
    this.child = spawn(process.execPath, [program, ...args], { cwd: options.cwd, env: { ...process.env, NO_COLOR: '1' } });
    const { stdout, stderr, stdin } = this.child;
    stdin.on('error', () => {}); // it may end before it has read everything
    stdout.setEncoding('utf8').on('data', (text: string) => this.#took(() => (this.stdout += text), options));
    stderr.setEncoding('utf8').on('data', (text: string) => this.#took(() => (this.stderr += text), options));
    if (options.input !== undefined) stdin.end(options.input);
    const limit = options.timeout ?? 60_000;
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.child.kill('SIGKILL');
        reject(new Error(`vmxscope ${args.join(' ')}: did not end within ${limit} ms\n${this.stdout}\n${this.stderr}`));
      }, limit);
      this.child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
        this.#tell();
      });
    });
    this.ended.catch(() => this.#tell());
  }

  /** Waits until the output matches. Fails when the process ends before. */
  async until(pattern: RegExp, where: 'stdout' | 'stderr' = 'stderr'): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[where]);
      if (match) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`vmxscope ended (status ${this.child.exitCode}) without ${pattern} on ${where}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  type(keys: string): void {
    this.child.stdin.write(keys);
  }

  /** As Ctrl-C in the terminal: every process of the foreground gets SIGINT. */
  async interrupt(): Promise<Run> {
    this.child.kill('SIGINT');
    return await this.ended;
  }

  #took(add: () => void, options: RunOptions): void {
    add();
    options.onOutput?.(this, this.child);
    this.#tell();
  }

  #tell(): void {
    const waiting = [...this.#watchers];
    this.#watchers.clear();
    for (const resolve of waiting) resolve();
  }
}

/** Runs vmxscope to its end. */
export const vmxscope = (args: readonly string[], options: RunOptions = {}): Promise<Run> => new Running(args, { input: '', ...options }).ended;

/** Starts a machine that waits for gdb on a free port. Whoever starts it ends it. */
export async function waitingMachine(args: readonly string[] = [], options: RunOptions = {}): Promise<Running & { readonly port: string }> {
  const running = new Running(['run', '-S', '--gdb', 'tcp:127.0.0.1:0', ...args], options);
  const port = (await running.until(/listening on (?:tcp:)?127\.0\.0\.1:(\d+)/))[1]!;
  return Object.assign(running, { port });
}
