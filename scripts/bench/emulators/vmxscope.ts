import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { Emulator } from './emulator.ts';

let program: string | undefined;

/** Bundled as the product is (scripts/build.mjs): what tsx makes of the sources names every closure, which costs time. */
function bundle(): string {
  if (program !== undefined) return program;
  const folder = mkdtempSync(join(tmpdir(), 'vmxscope-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  program = join(folder, 'vmxscope.mjs');
  const entryPoints = [join(import.meta.dirname, 'vmxscope-process.ts')];
  buildSync({
    entryPoints,
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    external: ['iced-x86'],
    logLevel: 'warning',
  });
  return program;
}

/** This checkout, by its sources. */
export const vmxscope: Emulator = {
  name: 'vmxscope',
  missing: () => undefined,
  refuses: () => undefined,
  start({ elf }) {
    const child = spawn(process.execPath, [bundle(), elf], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    return { child, serial: child.stdout };
  },
};
