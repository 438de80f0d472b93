import type { Packet } from './packet.ts';

/** gdb's test that unknown packets get an empty reply. */
export const mustReplyEmptyPacket: Packet = {
  name: 'vMustReplyEmpty',
  doc: { packet: 'vMustReplyEmpty', purpose: 'answered like an unknown packet' },
  handle: () => '',
};
