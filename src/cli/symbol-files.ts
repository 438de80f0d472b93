import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SymbolFileError } from '../symbols/errors.ts';
import { loadSymbolFile } from '../symbols/load.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';

const EXTENSIONS = /\.(elf|efi|debug)$/i;
const MAX_FILES = 200;
const MAX_DEPTH = 4;

/** Every ELF and PE file below a directory that can be read as one; what cannot is told to `warn`. */
export function loadSymbolFiles(directory: string, warn: (message: string) => void): SymbolFile[] {
  const files: SymbolFile[] = [];
  for (const path of candidates(directory, 0)) {
    if (files.length >= MAX_FILES) {
      warn(`symbols: more than ${MAX_FILES} files below ${directory}; the rest is left out`);
      break;
    }
    try {
      files.push(loadSymbolFile(path));
    } catch (e) {
      if (e instanceof SymbolFileError) warn(`symbols: ${path}: ${e.message}`);
      else throw e;
    }
  }
  return files;
}

function* candidates(directory: string, depth: number): Generator<string> {
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name);
    const s = statSync(path, { throwIfNoEntry: false });
    if (s?.isDirectory() && depth < MAX_DEPTH) yield* candidates(path, depth + 1);
    else if (s?.isFile() && EXTENSIONS.test(name)) yield path;
  }
}
