import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Tests that start the program start what the sources say: dist/ is built when a source is newer. */
export function setup(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url))], { stdio: 'inherit' });
}
