import { PROCESS } from '../thread-id.ts';
import { Errno, fail, type Packet } from './packet.ts';

/** No reply is expected (gdb manual: k packet). */
export const killPacket: Packet = {
  name: 'k',
  doc: { packet: 'k', purpose: 'kill: the machine is reset and waits, stopped, for the next client' },
  handle: (session) => {
    session.target.release();
    session.act({ kind: 'kill' });
    return undefined;
  },
};

export const vKillPacket: Packet = {
  name: 'vKill',
  doc: { packet: 'vKill;pid', purpose: 'the same, with a reply' },
  handle: (session, args) => {
    if (parseInt(args, 16) !== PROCESS) return fail(Errno.ESRCH, 'the machine is process 1');
    session.target.release();
    session.act({ kind: 'kill' });
    return 'OK';
  },
};
