/**
 * What a session needs of the thing being debugged. Optional parts decide what is offered to the client: `qSupported`
 * and the answers to queries follow from their presence, so the stub cannot promise what the target does not have.
 * Threads are numbered from 1. Nothing here resumes execution: that is an action the session asks of its driver.
 */
export interface Target {
  readonly threads: ThreadsPart;
  readonly registers: RegistersPart;
  readonly memory?: MemoryPart;
  readonly breakpoints?: BreakpointsPart;
  readonly libraries?: LibrariesPart;
  readonly execFile?: ExecFilePart;
  readonly files?: FilesPart;
  readonly monitor?: MonitorPart;
  readonly memoryMap?: MemoryMapPart;
  readonly physicalMode?: PhysicalModePart;
  readonly stepFlags?: StepFlagsPart;
  readonly reset?: ResetPart;
  /** The client is gone: nothing that it set (breakpoints, modes, stop conditions) remains. */
  release(): void;
}

export interface ThreadsPart {
  /** How many threads there are; their numbers are 1 to count. */
  count(): number;
  /** Short and fixed: `cpu0`. */
  name(thread: number): string;
  /** What it is doing now: `64-bit, VMX root`. */
  describe(thread: number): string;
}

/** A user's mistake or an impossible request, in words: shown by gdb where it can show text. */
export interface Refusal {
  readonly refused: string;
}
export const refused = (why: string): Refusal => ({ refused: why });

export interface RegistersPart {
  /** The target description, `target.xml` (gdb manual, Target Descriptions). */
  description(): string;
  /** All registers in the description's order: the reply to `g`. */
  readAll(thread: number): Uint8Array;
  writeAll(thread: number, bytes: Uint8Array): true | Refusal;
  /** One register by number, undefined when there is no such number. */
  read(thread: number, register: number): Uint8Array | undefined;
  write(thread: number, register: number, bytes: Uint8Array): true | Refusal;
  /** Numbers of the registers to send with each stop: saves the client a `g`. */
  readonly expedited: readonly number[];
  /** Sets the program counter, for `c ADDR` and `s ADDR`. */
  setPc(thread: number, address: bigint): void;
}

export interface MemoryPart {
  /** Bytes from `address`, fewer where memory ends on the way, undefined where the first byte is not readable. */
  read(thread: number, address: bigint, length: number): Uint8Array | undefined;
  /** All or nothing. */
  write(thread: number, address: bigint, bytes: Uint8Array): boolean;
}

/** Z packets 0 to 4. */
export type BreakpointType = 'software' | 'hardware' | 'write' | 'read' | 'access';

export interface BreakpointsPart {
  /** Inserting the same again changes nothing (gdb manual: Z packets "should be implemented in an idempotent way"). */
  insert(type: BreakpointType, address: bigint, length: number): true | Refusal;
  remove(type: BreakpointType, address: bigint, length: number): void;
  clear(): void;
}

/** A file that is loaded: `segments` are run addresses (ELF: of the first PT_LOAD), `sections` those of allocated sections. */
export interface LoadedLibrary {
  readonly name: string;
  readonly segments?: readonly bigint[];
  readonly sections?: readonly bigint[];
}
export interface LibrariesPart {
  list(): readonly LoadedLibrary[];
}
export interface ExecFilePart {
  /** Absolute name of the main program, undefined when not known. */
  name(): string | undefined;
}
export interface FilesPart {
  /** Content of a file that the target serves; undefined: no such file. The host's own files are never served. */
  open(name: string): Uint8Array | undefined;
}
export interface MonitorPart {
  execute(thread: number, command: string): MonitorResult;
  /** Undoes what commands set for their client. */
  release(): void;
}
export interface MonitorResult {
  readonly text: string;
  /** The command failed: the text says why. */
  readonly failed?: boolean;
  /** Ask the driver to end the whole program after the reply. */
  readonly quit?: boolean;
}
export interface MemoryRegion {
  readonly type: 'ram' | 'rom';
  readonly start: bigint;
  readonly length: bigint;
}
export interface MemoryMapPart {
  regions(): readonly MemoryRegion[];
}
export interface PhysicalModePart {
  get(): boolean;
  set(on: boolean): void;
}
/** QEMU's single-step flags. */
export interface StepFlagsPart {
  readonly supported: Readonly<Record<string, number>>;
  get(): number;
  set(flags: number): boolean;
}
export interface ResetPart {
  reset(): void;
}

/** Signal numbers of the protocol (gdb's include/gdb/signals.def). */
export const Signal = { none: 0, interrupt: 2, trap: 5, segv: 11 } as const;

/** Why execution stopped, in the protocol's terms. `note` is printed on the client's console first. */
export type StopEvent = { readonly note?: string } & (
  | { readonly kind: 'signal'; readonly thread: number; readonly signal: number }
  | { readonly kind: 'breakpoint'; readonly thread: number; readonly hardware: boolean }
  | { readonly kind: 'watchpoint'; readonly thread: number; readonly access: 'watch' | 'rwatch' | 'awatch'; readonly address: bigint }
  | { readonly kind: 'library'; readonly thread: number }
  | { readonly kind: 'exited'; readonly code: number }
);

/** What to execute until something stops it. */
export type Resume =
  | { readonly kind: 'step'; readonly thread: number }
  | { readonly kind: 'range'; readonly thread: number; readonly start: bigint; readonly end: bigint }
  | { readonly kind: 'continue'; readonly threads: 'all' | readonly number[] };

/** What a session asks of its driver. */
export type Action =
  | { readonly kind: 'resume'; readonly resume: Resume }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'halt' } // stop without a report
  | { readonly kind: 'detach' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'quit' };
