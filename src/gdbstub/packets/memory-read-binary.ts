import { fitEscaped, toLatin1 } from '../wire/encoding.ts';
import { parseRange } from './memory-read.ts';
import { Errno, fail, generalThread, malformed, PACKET_SIZE, type Packet } from './packet.ts';

/** gdb 16's faster `m`: `b` and the bytes themselves. */
export const memoryReadBinaryPacket: Packet = {
  name: 'x',
  doc: { packet: 'x addr,length', purpose: 'read memory, binary reply (gdb 16 and later)' },
  feature: 'binary-upload+',
  available: (target) => target.memory !== undefined,
  handle: (session, args) => {
    const range = parseRange(args);
    if (!range) return malformed();
    if (range.length === 0) return 'b';
    const bytes = session.target.memory!.read(generalThread(session), range.address, Math.min(range.length, PACKET_SIZE));
    if (!bytes) return fail(Errno.EFAULT, `no memory at 0x${range.address.toString(16)}`);
    return `b${toLatin1(bytes.subarray(0, fitEscaped(bytes, PACKET_SIZE - 8)))}`;
  },
};
