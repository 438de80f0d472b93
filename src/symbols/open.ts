import { openElf } from './elf/elf-file.ts';
import { isElf } from './elf/header.ts';
import { SymbolFileError } from './errors.ts';
import type { OpenOptions } from './image-symbol-file.ts';
import { openPe } from './pe/pe-file.ts';
import { isPe } from './pe/header.ts';
import type { SymbolFile } from './symbol-file.ts';

/** Opens a file by its magic number. What is wrong with a damaged one is in the SymbolFileError. */
export function openSymbolFile(bytes: Uint8Array, options: OpenOptions): SymbolFile {
  if (isElf(bytes)) return openElf(bytes, options);
  if (isPe(bytes)) return openPe(bytes, options);
  throw new SymbolFileError('neither an ELF nor a PE file', options.name, 0);
}
