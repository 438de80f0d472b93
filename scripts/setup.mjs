// Makes a fresh clone ready: dependencies when package-lock.json changed, the build when a source did.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...path) => join(root, ...path);
const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`vmxscope needs Node 20.19 or later; this is ${process.version}`);
  process.exit(1);
}

const stamp = at('node_modules', '.setup-stamp');
if (time(stamp) < time(at('package-lock.json'))) {
  console.error('setup: installing dependencies (npm ci)');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  writeFileSync(stamp, '');
  const now = new Date();
  utimesSync(stamp, now, now);
}

/** Latest change below a folder. */
function newest(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .reduce((latest, e) => Math.max(latest, time(join(e.parentPath ?? e.path, e.name))), 0);
}

if (time(at('dist', 'vmxscope.mjs')) < Math.max(newest(at('src')), time(at('scripts', 'build.mjs')), time(stamp))) {
  console.error('setup: building dist/vmxscope.mjs');
  execFileSync(process.execPath, [at('scripts', 'build.mjs')], { cwd: root, stdio: ['ignore', 2, 2] });
}
