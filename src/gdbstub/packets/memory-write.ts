import { fromHex } from '../wire/encoding.ts';
import { parseRange } from './memory-read.ts';
import { Errno, fail, generalThread, malformed, type Packet, type Reply, type SessionState } from './packet.ts';

/** What M and X have in common: all bytes are written or none. */
export function writeMemory(session: SessionState, place: string, bytes: Uint8Array | undefined): Reply {
  const range = parseRange(place);
  if (!range || bytes?.length !== range.length) return malformed();
  if (range.length === 0) return 'OK'; // gdb probes for X with an empty write
  if (session.target.memory!.write(generalThread(session), range.address, bytes)) return 'OK';
  return fail(Errno.EFAULT, `no memory to write at 0x${range.address.toString(16)}`);
}

export const memoryWritePacket: Packet = {
  name: 'M',
  doc: { packet: 'M addr,length:hex', purpose: 'write memory' },
  available: (target) => target.memory !== undefined,
  handle: (session, args) => {
    const colon = args.indexOf(':');
    return colon < 0 ? malformed() : writeMemory(session, args.slice(0, colon), fromHex(args.slice(colon + 1)));
  },
};
