import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFiles, rewrite, root } from '../../scripts/docs/blocks.ts';
import { main, runOptions } from '../../src/cli/main.ts';
import { traceOptions } from '../../src/cli/trace.ts';
import { monitorDocs } from '../../src/gdbstub/monitor/index.ts';

const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const exists = (path: string): boolean => existsSync(new URL(path, root));
const pages: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'guest/README.md',
  ...readdirSync(new URL('docs/', root)).map((f) => `docs/${f}`),
].filter((p) => p.endsWith('.md'));

/** GitHub's anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const anchors = (text: string): Set<string> => new Set([...text.matchAll(/^#+ (.+)$/gm)].map((m) => anchor(m[1]!)));

/** Every code span and code block. */
const codeOf = (text: string): string[] => [...text.matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/g)].map((m) => m[1] ?? m[2]!);
const allCode = (path: string): string => codeOf(read(path)).join('\n');

describe('generated blocks', () => {
  it.each(generatedFiles)('%s says what the code says (npm run docs)', (path) => {
    const text = read(path);
    expect(rewrite(path, text)).toBe(text);
  });

  it('a block without code, and code without a block, are errors', () => {
    expect(() => rewrite('docs/gdb.md', '<!-- generated: nothing -->\n<!-- end -->')).toThrow('no code generates');
    expect(() => rewrite('docs/gdb.md', '')).toThrow('no place for the block tables');
  });

  it('a stale block is seen', () => {
    const text = read('docs/uefi.md');
    const stale = text.replace('| `AllocatePages` |', '| `AllocatePagez` |');
    expect(stale).not.toBe(text);
    expect(rewrite('docs/uefi.md', stale)).toBe(text);
  });
});

describe('links', () => {
  const links = pages
    .flatMap((page) => [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map((m) => [page, m[1]!] as const))
    .filter(([, to]) => !to.startsWith('http'));

  it('there are some', () => expect(links.length).toBeGreaterThan(30));

  it.each(links)('%s: %s', (page, to) => {
    const [path, fragment] = to.split('#') as [string, string | undefined];
    const target = path === '' ? page : new URL(path, new URL(page, 'file:///')).pathname.slice(1);
    expect(exists(target), `${target} is there`).toBe(true);
    if (fragment !== undefined) expect(anchors(read(target))).toContain(fragment);
  });

  it('README leads to every page', () => {
    for (const page of pages.filter((p) => p.startsWith('docs/'))) expect(read('README.md')).toContain(`(${page})`);
  });
});

describe('what the pages name exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

  it.each(pages)('%s: npm scripts', (page) => {
    for (const [, name] of allCode(page).matchAll(/\bnpm run ([a-z:]+)/g)) expect(Object.keys(scripts)).toContain(name);
    for (const [, name] of allCode(page).matchAll(/\bnpm (start|test)\b/g)) expect(Object.keys(scripts)).toContain(name);
  });

  it.each(pages)('%s: options of vmxscope', (page) => {
    const known = new Set([...Object.keys(runOptions), ...Object.keys(traceOptions), 'help', 'version']);
    for (const line of allCode(page).split('\n')) {
      const command = /(?:npx )?\bvmxscope( run| trace)?( .*)?$/.exec(line);
      if (!command || line.includes('|') || line.startsWith('vmxscope:')) continue;
      for (const [, name] of (command[2] ?? '').matchAll(/(?:^|\s)--?([A-Za-z][a-z-]*)/g)) expect(known, line).toContain(name);
    }
  });

  it.each(pages)('%s: monitor commands', (page) => {
    const known = new Set(monitorDocs.flatMap((d) => d.command.split(' ')[0]!));
    for (const [, name] of allCode(page).matchAll(/\bmonitor ([a-z0-9_]+)/g)) expect(known).toContain(name);
  });

  it.each(pages)('%s: files', (page) => {
    for (const code of codeOf(read(page))) {
      const path = /^(?:src|scripts|test|docs)\/[\w./-]+$/.exec(code)?.[0];
      if (path !== undefined) expect(exists(path) || exists(new URL(path, new URL(page, 'file:///')).pathname.slice(1)), path).toBe(true);
    }
  });

  it('an unknown option is refused, so that the test above means something', async () => {
    await expect(main(['run', '--no-such-option'])).rejects.toThrow('unknown option --no-such-option');
  });
});
