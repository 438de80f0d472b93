import { cliBlocks } from './cli.ts';
import { cpuBlocks } from './cpu.ts';
import { gdbBlocks } from './gdb.ts';
import { uefiBlocks } from './uefi.ts';
import { vmxBlocks } from './vmx.ts';

export const root = new URL('../../', import.meta.url);

/** Makes the text of a block. */
export type Block = () => string;
export type Blocks = Readonly<Record<string, Block>>;

/** Every generated block by file and name. A block is added by a row in one of the files beside this one, and markers in the page. */
const blocks: Readonly<Record<string, Blocks>> = {
  'docs/cli.md': cliBlocks,
  'docs/cpu.md': cpuBlocks,
  'docs/gdb.md': gdbBlocks,
  'docs/uefi.md': uefiBlocks,
  'docs/vmx.md': vmxBlocks,
};

export const generatedFiles: readonly string[] = Object.keys(blocks);

const marker = /<!-- generated: ([a-z-]+) -->\n[\s\S]*?<!-- end -->/g;

/** The text of a page with its generated blocks as the code has them now. Throws when page and code disagree on which there are. */
export function rewrite(path: string, text: string): string {
  const known = blocks[path] ?? {};
  const seen = new Set<string>();
  const out = text.replaceAll(marker, (_, name: string) => {
    const block = known[name];
    if (!block) throw new Error(`${path}: no code generates the block "${name}"`);
    seen.add(name);
    return `<!-- generated: ${name} -->\n\n${block().trim()}\n\n<!-- end -->`;
  });
  const missing = Object.keys(known).filter((name) => !seen.has(name));
  if (missing.length > 0) throw new Error(`${path}: there is no place for the block ${missing.join(', ')}`);
  return out;
}
