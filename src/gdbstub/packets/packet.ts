import type { Action, StopEvent, Target } from '../target.ts';
import type { ThreadChoice } from '../thread-id.ts';
import type { OpenFiles } from './open-files.ts';

/** Longest packet body in either direction. gdb takes memory and files in pieces of this size. */
export const PACKET_SIZE = 0x1_0000;

/** Error numbers gdb knows nothing of but people read: those of errno.h. */
export const Errno = { ENOENT: 2, ESRCH: 3, EBADF: 9, EFAULT: 14, EINVAL: 22, EMFILE: 24, ENOSYS: 38, EMSGSIZE: 90 } as const;

/**
 * An answer: a payload (empty: "not supported"), an error, or nothing at all. An error's text is sent as `E.text` only
 * to a client that can read it in that place: packets that say so, or any packet once it announced `error-message+`
 * (gdb manual: Standard Replies). Elsewhere gdb would take the text for data.
 */
export type Reply = string | ErrorReply | undefined;
export interface ErrorReply {
  readonly errno: number;
  readonly text: string;
  readonly showAlways: boolean;
}
export const fail = (errno: number, text: string): ErrorReply => ({ errno, text, showAlways: false });
/** A failure of a packet whose reply can only be OK or an error. */
export const failText = (errno: number, text: string): ErrorReply => ({ errno, text, showAlways: true });
export const malformed = (): ErrorReply => fail(Errno.EINVAL, 'malformed packet');
export const noSuchThread = (): ErrorReply => fail(Errno.ESRCH, 'no such thread');

/** The state of one connection that packet handlers see. */
export interface SessionState {
  readonly target: Target;
  /** Entries of our qSupported reply that follow from the target. */
  readonly offered: readonly string[];
  /** Features the client announced in qSupported with a `+`. */
  readonly client: Set<string>;
  /** Threads chosen by `Hg` and `Hc`. */
  general: ThreadChoice;
  resumed: ThreadChoice;
  noAck: boolean;
  extended: boolean;
  /** The last stop: what `?` repeats. */
  lastStop: StopEvent;
  /** The client reads the library list, so library events mean something to it. */
  readsLibraries: boolean;
  /** qXfer documents being read in pieces: made anew when read from offset 0, so that the pieces fit together. */
  readonly documents: Map<string, Buffer>;
  readonly files: OpenFiles;
  act(action: Action): void;
  /** Prints on the client's console (`O` packet). Only while the client waits for a stop or for a monitor command. */
  print(text: string): void;
}

/** A packet: its name, what the documentation says of it, and what it does. One file each. */
export interface Packet {
  /** First letter, or for `q`, `Q` and `v` packets the name up to its arguments (`qXfer:features`, `vFile:open`). */
  readonly name: string;
  readonly doc: PacketDoc;
  /** The target can serve it; when not, it is answered as unknown. */
  readonly available?: (target: Target) => boolean;
  /** Its entry in the reply to qSupported. */
  readonly feature?: string;
  /** @param args what follows the name and its separator */
  readonly handle: (session: SessionState, args: string) => Reply;
}
export interface PacketDoc {
  readonly packet: string;
  readonly purpose: string;
}

/** The thread that register and memory packets act on. */
export function generalThread(session: SessionState): number {
  return concreteThread(session, session.general);
}

/** A choice made concrete: "any" and "all" are the thread that stopped last. */
export function concreteThread(session: SessionState, choice: ThreadChoice): number {
  if (typeof choice === 'number') return choice;
  return 'thread' in session.lastStop ? session.lastStop.thread : 1;
}

export function isThread(target: Target, thread: number): boolean {
  return thread >= 1 && thread <= target.threads.count();
}
