import { Session } from '../../src/gdbstub/session.ts';
import { frame } from '../../src/gdbstub/wire/encoding.ts';
import { Framer } from '../../src/gdbstub/wire/framer.ts';
import type { Action, StopEvent, Target } from '../../src/gdbstub/target.ts';

/** Payloads of the packets in a session's output. */
export function payloads(bytes: Buffer): string[] {
  const framer = new Framer(1 << 20);
  const found: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const { event, next } = framer.next(bytes, at);
    at = next;
    if (event?.kind === 'packet') found.push(event.payload);
    else if (event?.kind === 'corrupt') throw new Error('the session sent a bad checksum');
  }
  return found;
}

/** A client that talks to a session directly: one packet in, its replies and actions out. */
export class TestClient {
  readonly session: Session;
  readonly faults: unknown[] = [];
  actions: Action[] = [];

  constructor(target: Target) {
    this.session = new Session(target, (error) => void this.faults.push(error));
  }

  raw(bytes: Buffer | string): Buffer {
    const output = this.session.receive(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    this.actions.push(...output.actions);
    return output.bytes;
  }

  /** Sends a packet and gives all replies. */
  all(payload: string): string[] {
    return payloads(this.raw(frame(payload)));
  }

  /** Sends a packet that has one reply. */
  ask(payload: string): string {
    const replies = this.all(payload);
    if (replies.length !== 1) throw new Error(`${payload}: ${replies.length} replies: ${replies.join(' ')}`);
    return replies[0]!;
  }

  stop(event: StopEvent): string[] {
    const output = this.session.stopped(event);
    this.actions.push(...output.actions);
    return payloads(output.bytes);
  }

  takeActions(): Action[] {
    const taken = this.actions;
    this.actions = [];
    return taken;
  }
}
