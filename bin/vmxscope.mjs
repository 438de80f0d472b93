#!/usr/bin/env node
// The built program when there is one (npm run build, done by npm start), else a word on how to get it.
import { existsSync } from 'node:fs';

const built = new URL('../dist/vmxscope.mjs', import.meta.url);
if (existsSync(built)) {
  const { cli } = await import(built.href);
  await cli(process.argv.slice(2));
} else {
  console.error('vmxscope: not built yet; run: npm run setup');
  process.exitCode = 1;
}
