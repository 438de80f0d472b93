import { fromHex } from '../wire/encoding.ts';
import { Errno, failText, generalThread, malformed, type Packet } from './packet.ts';

export const registersWritePacket: Packet = {
  name: 'G',
  doc: { packet: 'G hex', purpose: 'write all registers; read-only ones must be unchanged' },
  handle: (session, args) => {
    const bytes = fromHex(args);
    if (!bytes) return malformed();
    const result = session.target.registers.writeAll(generalThread(session), bytes);
    return result === true ? 'OK' : failText(Errno.EINVAL, result.refused);
  },
};
