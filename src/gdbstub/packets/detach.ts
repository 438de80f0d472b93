import type { Packet } from './packet.ts';

/** The machine runs on without breakpoints, and another client may connect. */
export const detachPacket: Packet = {
  name: 'D',
  doc: { packet: 'D[;pid]', purpose: 'detach: breakpoints are removed, the machine runs on, the port stays open' },
  handle: (session) => {
    session.target.release();
    session.act({ kind: 'detach' });
    return 'OK';
  },
};
