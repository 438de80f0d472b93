import { SymbolFileError } from './errors.ts';

/**
 * In an honest file sections share no bytes. A damaged one in which thousands of them claim the whole file would cost their sum in every later
 * step, so it is refused before anything reads a section.
 */
export function refuseOverlaps(sizes: readonly number[], fileSize: number): void {
  const sum = sizes.reduce((total, size) => total + size, 0);
  if (sum > fileSize * 4 + 0x10000) throw new SymbolFileError(`sections claim ${sum} bytes of a file of ${fileSize}`, 'section headers');
}
