// Bundles the program into dist/vmxscope.mjs: one file starts several times faster than hundreds.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/vmxscope.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  absWorkingDir: new URL('..', import.meta.url).pathname,
  logLevel: 'warning',
});
