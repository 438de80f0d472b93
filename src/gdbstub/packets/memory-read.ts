import { parseBig, parseCount, toHex } from '../wire/encoding.ts';
import { Errno, fail, generalThread, malformed, PACKET_SIZE, type Packet } from './packet.ts';

/** `addr,length` of m and x. */
export function parseRange(args: string): { address: bigint; length: number } | undefined {
  const comma = args.indexOf(',');
  const address = parseBig(args.slice(0, comma < 0 ? 0 : comma));
  const length = parseCount(args.slice(comma + 1));
  return address === undefined || length === undefined ? undefined : { address, length };
}

/**
 * The reply may have fewer bytes than asked for (gdb manual: m packet), and does at the end of a packet or of memory.
 * Where the first byte is not mapped the reply is an error, never bytes of something else.
 */
export const memoryReadPacket: Packet = {
  name: 'm',
  doc: { packet: 'm addr,length', purpose: "read memory through the CPU's own page tables (or physical memory); no device notices" },
  available: (target) => target.memory !== undefined,
  handle: (session, args) => {
    const range = parseRange(args);
    if (!range) return malformed();
    if (range.length === 0) return '';
    const bytes = session.target.memory!.read(generalThread(session), range.address, Math.min(range.length, PACKET_SIZE / 2));
    return bytes ? toHex(bytes) : fail(Errno.EFAULT, `no memory at 0x${range.address.toString(16)}`);
  },
};
