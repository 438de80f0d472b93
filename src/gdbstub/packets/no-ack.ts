import type { Packet } from './packet.ts';

export const noAckPacket: Packet = {
  name: 'QStartNoAckMode',
  doc: { packet: 'QStartNoAckMode', purpose: 'no acknowledgements from here on' },
  feature: 'QStartNoAckMode+',
  handle: (session) => {
    session.noAck = true;
    return 'OK';
  },
};
