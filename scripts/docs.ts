// `npm run docs`: rewrites the generated blocks of the documentation, between `<!-- generated: NAME -->` and `<!-- end -->`.
import { readFileSync, writeFileSync } from 'node:fs';
import { generatedFiles, rewrite, root } from './docs/blocks.ts';

let changed = 0;
for (const path of generatedFiles) {
  const before = readFileSync(new URL(path, root), 'utf8');
  const after = rewrite(path, before);
  if (after === before) continue;
  writeFileSync(new URL(path, root), after);
  console.error(`docs: ${path}`);
  changed++;
}
console.error(changed === 0 ? 'docs: nothing changed' : `docs: ${changed} files rewritten`);
