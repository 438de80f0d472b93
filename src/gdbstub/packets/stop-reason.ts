import { stopReply } from '../stop-reply.ts';
import { Signal, type StopEvent } from '../target.ts';
import type { Packet } from './packet.ts';

/** The last stop again. A library event as the first answer would be ignored by gdb: it becomes a plain stop. */
export const stopReasonPacket: Packet = {
  name: '?',
  doc: { packet: '?', purpose: 'why the machine is stopped' },
  handle: (session) => {
    const last = session.lastStop;
    const event: StopEvent = last.kind === 'library' ? { kind: 'signal', thread: last.thread, signal: Signal.trap } : last;
    return stopReply(event, session.target, session.client);
  },
};
