import type { Packet } from './packet.ts';

export const traceStatusPacket: Packet = {
  name: 'qTStatus',
  doc: { packet: 'qTStatus', purpose: 'empty: no tracepoints' },
  handle: () => '',
};
