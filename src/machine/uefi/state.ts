import type { Guid } from './guids.ts';
import { Tpl } from './constants.ts';

/**
 * All of the firmware's state that is not in guest memory: plain data, so that a snapshot is a copy. Addresses and handles
 * are numbers (the identity map ends at 4 GiB); values that belong to the guest and may be any 64 bits are `Opaque`.
 * These are type aliases, not interfaces, so that they are assignable to `Plain`.
 */
export type Opaque = string; // hexadecimal with 0x, readable by BigInt()

export const opaque = (value: bigint | number): Opaque => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

export type Region = {
  base: number;
  pages: number;
  type: number;
  /** Given by AllocatePages, so FreePages may take it back. */
  allocated: boolean;
};
export type MapState = { regions: Region[]; key: number };

export type PoolBlock = { size: number; type: number; /** Size class in bytes, or 0 for a block with pages of its own. */ bin: number };
export type PoolState = { blocks: { [address: string]: PoolBlock }; free: { [bin: string]: number[] } };

export type OpenEntry = { agent: Opaque; controller: Opaque; attributes: number; count: number };
export type ProtocolEntry = { guid: Guid; interface: Opaque; opens: OpenEntry[] };
export type HandleEntry = { handle: number; protocols: ProtocolEntry[] };
export type Registration = { key: number; guid: Guid; event: number; fresh: number[] };

export type EventEntry = {
  event: number;
  type: number;
  tpl: number;
  /** Notification function and context; '0x0' for none. */
  notify: Opaque;
  context: Opaque;
  group: Guid | null;
  signaled: boolean;
  /** Machine time in ns, null when not armed; period 0 for a one-shot. */
  due: number | null;
  period: number;
  /** The firmware's own event: signaled while a key waits. */
  key: boolean;
};

export type ImageEntry = {
  handle: number;
  name: string;
  path: string | null;
  base: number;
  size: number;
  pages: number;
  entry: number;
  subsystem: number;
  parent: number;
  protocol: number; // address of EFI_LOADED_IMAGE_PROTOCOL
  /** Pool blocks to free with the image. */
  blocks: number[];
  started: boolean;
};

/** Registers to go on with: general registers in encoding order, RIP, and the interrupt flag. */
export type Context = { gprs: Opaque[]; rip: Opaque; interrupts: boolean };

/**
 * A named continuation: what the firmware does when guest code that it called returns. `sp` is RSP as it will be then.
 */
export type Frame =
  | { kind: 'image'; sp: Opaque; image: number; previous: number; context: Context; vectors: string; exitSize: Opaque; exitData: Opaque; tpl: number }
  | {
      kind: 'notify';
      sp: Opaque;
      context: Context;
      vectors: string | null;
      tpl: number;
      /** Service that returns when the notifications have run. */ service: string | null;
    }
  | { kind: 'unload'; sp: Opaque; image: number; context: Context };

export type OpenFile = {
  protocol: number;
  path: string;
  position: number;
  directory: boolean;
  writable: boolean;
  /** Next directory entry. */ entry: number;
};
export type Variable = { name: string; guid: Guid; attributes: number; data: number[] };
export type Key = { scan: number; char: number };
export type Configuration = { guid: Guid; table: number };

export type ConsoleState = {
  keys: Key[];
  /** Bytes of an unfinished escape sequence. */ escape: number[];
  column: number;
  row: number;
  attribute: number;
  cursor: boolean;
};

export type ShellState = {
  phase: 'power-on' | 'command' | 'read-line' | 'halted';
  /** Remaining lines of startup.nsh. */
  script: string[];
  cwd: string;
  line: string;
  /** The image being run, for the message when it returns. */
  running: string | null;
};

export type FirmwareState = {
  map: MapState;
  pool: PoolState;
  handles: HandleEntry[];
  registrations: Registration[];
  events: EventEntry[];
  /** Events with a notification to call, in order of signalling. */
  queue: number[];
  tpl: number;
  images: ImageEntry[];
  /** Handle of the image that runs, 0 for the firmware itself. */
  currentImage: number;
  frames: Frame[];
  files: OpenFile[];
  console: ConsoleState;
  variables: Variable[];
  configuration: Configuration[];
  monotonic: number;
  /** Added to the clock by SetTime, ms. */
  timeOffset: number;
  /** Machine time in ns when the watchdog resets the machine, or null. */
  watchdog: number | null;
  exited: boolean;
  /** SetVirtualAddressMap was called; entries [physical, virtual, length]. */
  virtualMap: [Opaque, Opaque, number][] | null;
  shell: ShellState;
};

export function initialState(): FirmwareState {
  return {
    map: { regions: [], key: 1 },
    pool: { blocks: {}, free: {} },
    handles: [],
    registrations: [],
    events: [],
    queue: [],
    tpl: Tpl.application,
    images: [],
    currentImage: 0,
    frames: [],
    files: [],
    console: { keys: [], escape: [], column: 0, row: 0, attribute: 7, cursor: true },
    variables: [],
    configuration: [],
    monotonic: 0,
    timeOffset: 0,
    watchdog: null,
    exited: false,
    virtualMap: null,
    shell: { phase: 'power-on', script: [], cwd: '\\', line: '', running: null },
  };
}
