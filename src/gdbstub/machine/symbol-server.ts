import type { LoadedLibrary } from '../target.ts';

/** A file that gdb reads from us: the name it shows, and its bytes (for an ELF32 with 64-bit code: its ELF64 view). */
export interface SymbolFileContent {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Where the stub gets files and their run addresses. Both change while the machine runs, as images appear in memory. */
export interface SymbolServer {
  /** The main program at its link address, when one is known. */
  execFile(): SymbolFileContent | undefined;
  /** Images found in memory. `name` may be the main program's too: at another address it is a library. */
  libraries(): readonly (LoadedLibrary & SymbolFileContent)[];
}

/** gdb asks the target only for absolute names (gdb manual: set sysroot). */
export const absolute = (name: string): string => (name.startsWith('/') ? name : `/${name}`);
