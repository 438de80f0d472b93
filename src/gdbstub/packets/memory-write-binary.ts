import { fromLatin1 } from '../wire/encoding.ts';
import { malformed, type Packet } from './packet.ts';
import { writeMemory } from './memory-write.ts';

export const memoryWriteBinaryPacket: Packet = {
  name: 'X',
  doc: { packet: 'X addr,length:data', purpose: 'write memory, binary' },
  available: (target) => target.memory !== undefined,
  handle: (session, args) => {
    const colon = args.indexOf(':');
    return colon < 0 ? malformed() : writeMemory(session, args.slice(0, colon), fromLatin1(args.slice(colon + 1)));
  },
};
