import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/**
 * The oracles and compilers of these tests: gcc, mingw gcc, binutils and gdb of the machine. A missing one fails the test that needs it, by
 * name; nothing is skipped.
 */
export function run(tool: string, args: readonly string[], input?: string): string {
  try {
    return execFileSync(tool, [...args], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'], input: input ?? '' });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === 'ENOENT') throw new Error(`this test needs ${tool} (Debian: build-essential, gdb, gcc-mingw-w64-x86-64)`, { cause: error });
    throw new Error(`${tool} ${args.join(' ')} failed:\n${stderr ?? String(error)}`, { cause: error });
  }
}

export interface Workshop {
  readonly directory: string;
  path(name: string): string;
  write(name: string, text: string | Uint8Array): string;
  read(name: string): Uint8Array;
}

/** A directory for one test file's sources and binaries, removed afterwards. */
export function workshop(): Workshop {
  const directory = mkdtempSync(join(tmpdir(), 'vmxscope-symbols-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const path = (name: string) => join(directory, name);
  return {
    directory,
    path,
    write(name, text) {
      writeFileSync(path(name), text);
      return path(name);
    },
    read: (name) => new Uint8Array(readFileSync(path(name))),
  };
}

/** gdb in batch mode without anyone's settings; returns what it printed on both streams. */
export function gdb(file: string, commands: readonly string[]): string {
  const args = ['-nx', '-nh', '-q', '-batch', '-iex', 'set auto-load off', '-iex', 'set debuginfod enabled off', file];
  return run('sh', ['-c', 'exec "$0" "$@" 2>&1', 'gdb', ...args, ...commands.flatMap((command) => ['-ex', command])]);
}
