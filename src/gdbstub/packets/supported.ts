import { PACKET_SIZE, type Packet } from './packet.ts';

/** Agrees on features (gdb manual: qSupported). What is offered follows from the packets the target can serve. */
export const supportedPacket: Packet = {
  name: 'qSupported',
  doc: { packet: 'qSupported', purpose: 'what both sides can do' },
  handle: (session, args) => {
    session.client.clear();
    for (const feature of args.split(';')) if (feature.endsWith('+')) session.client.add(feature.slice(0, -1));
    const offered = [`PacketSize=${PACKET_SIZE.toString(16)}`, ...session.offered];
    for (const both of ['multiprocess', 'swbreak', 'hwbreak', 'error-message']) if (session.client.has(both)) offered.push(`${both}+`);
    return offered.join(';');
  },
};
