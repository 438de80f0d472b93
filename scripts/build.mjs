// Bundles the program into dist/vmxscope.mjs: one file starts several times faster than hundreds.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const { outputFiles } = await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/vmxscope.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  // Loaded when first needed, from node_modules.
  external: ['iced-x86'],
  banner: { js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);" },
  sourcemap: true,
  absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
  logLevel: 'warning',
  write: false,
});
// Renamed into place, the program last: who starts it meanwhile gets the old one or the new one, whole.
mkdirSync(new URL('../dist', import.meta.url), { recursive: true });
for (const { path, contents } of outputFiles.sort((a, b) => b.path.length - a.path.length)) {
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
}
