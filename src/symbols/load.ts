import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { inflateSync } from 'node:zlib';
import { openSymbolFile } from './open.ts';
import type { SymbolFile } from './symbol-file.ts';

/** The one place where the symbol readers meet the host: a file by its path. Errors of the file system pass through. */
export function loadSymbolFile(path: string): SymbolFile {
  const inflate = (packed: Uint8Array, size: number) => inflateSync(packed, { maxOutputLength: Math.max(size, 1) });
  return openSymbolFile(readFileSync(path), { name: basename(path), path: resolve(path), inflate });
}
