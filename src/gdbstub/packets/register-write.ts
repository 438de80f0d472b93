import { fromHex, parseCount } from '../wire/encoding.ts';
import { Errno, failText, generalThread, malformed, type Packet } from './packet.ts';

export const registerWritePacket: Packet = {
  name: 'P',
  doc: { packet: 'P n=hex', purpose: 'write one register; a refusal says why' },
  handle: (session, args) => {
    const equals = args.indexOf('=');
    const n = parseCount(args.slice(0, equals < 0 ? 0 : equals));
    const bytes = fromHex(args.slice(equals + 1));
    if (n === undefined || !bytes) return malformed();
    const result = session.target.registers.write(generalThread(session), n, bytes);
    return result === true ? 'OK' : failText(Errno.EINVAL, result.refused);
  },
};
