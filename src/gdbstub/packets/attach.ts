import { PROCESS } from '../thread-id.ts';
import { stopReply } from '../stop-reply.ts';
import { Signal } from '../target.ts';
import { Errno, fail, type Packet } from './packet.ts';

/** 1: the machine was there before the client, so that quitting gdb detaches and does not kill. */
export const attachedPacket: Packet = {
  name: 'qAttached',
  doc: { packet: 'qAttached', purpose: 'the machine existed before gdb: quitting detaches' },
  handle: () => '1',
};

/** `attach 1` of an extended-remote client that had detached. */
export const attachPacket: Packet = {
  name: 'vAttach',
  doc: { packet: 'vAttach', purpose: 'attach again after a detach (extended mode): stops the machine' },
  handle: (session, args) => {
    if (parseInt(args, 16) !== PROCESS) return fail(Errno.ESRCH, 'the machine is process 1');
    session.act({ kind: 'halt' });
    session.lastStop = { kind: 'signal', thread: 1, signal: Signal.trap };
    return stopReply(session.lastStop, session.target, session.client);
  },
};
