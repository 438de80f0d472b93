import { stopReply } from '../stop-reply.ts';
import { Signal } from '../target.ts';
import type { Packet, SessionState } from './packet.ts';

function resetMachine(session: SessionState): void {
  session.act({ kind: 'halt' });
  session.target.reset!.reset();
  session.lastStop = { kind: 'signal', thread: 1, signal: Signal.trap };
}

export const extendedModePacket: Packet = {
  name: '!',
  doc: { packet: '!', purpose: 'extended mode (`target extended-remote`): `run` resets the machine' },
  available: (target) => target.reset !== undefined,
  handle: (session) => {
    session.extended = true;
    return 'OK';
  },
};

export const restartPacket: Packet = {
  name: 'R',
  doc: { packet: 'R XX', purpose: 'reset the machine' },
  available: (target) => target.reset !== undefined,
  handle: (session) => {
    resetMachine(session);
    return undefined;
  },
};

/** `run`: a machine's way to start its program again is a reset. The file name and arguments are ignored. */
export const runPacket: Packet = {
  name: 'vRun',
  doc: { packet: 'vRun', purpose: '`run`: reset the machine, stopped before its first instruction' },
  available: (target) => target.reset !== undefined,
  handle: (session) => {
    resetMachine(session);
    return stopReply(session.lastStop, session.target, session.client);
  },
};
