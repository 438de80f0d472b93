import type { Packet } from './packet.ts';

/** Empty: nothing is relocated as a whole. Tools that look for `Text=` here take it for a user-mode process. */
export const offsetsPacket: Packet = {
  name: 'qOffsets',
  doc: { packet: 'qOffsets', purpose: 'empty: images have their own addresses in the library list' },
  handle: () => '',
};
