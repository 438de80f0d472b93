/** Thrown, and the only thing thrown, for a symbol file that is truncated, inconsistent or of a kind that is not read. */
export class SymbolFileError extends Error {
  /** The part of the file that is wrong: a section name or a structure ("ELF header", ".debug_line"). */
  readonly where: string;
  /** Byte offset inside `where`, when one is known. */
  readonly offset: number | undefined;

  constructor(message: string, where: string, offset?: number) {
    super(`${where}${offset === undefined ? '' : ` at offset 0x${offset.toString(16)}`}: ${message}`);
    this.name = 'SymbolFileError';
    this.where = where;
    this.offset = offset;
  }
}

/** Runs `read`; a damaged file gives the error instead of throwing it. Any other error is a bug of ours and passes through. */
export function tryRead<T>(read: () => T): T | SymbolFileError {
  try {
    return read();
  } catch (error) {
    if (error instanceof SymbolFileError) return error;
    throw error;
  }
}
