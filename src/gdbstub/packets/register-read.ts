import { parseCount, toHex } from '../wire/encoding.ts';
import { Errno, fail, generalThread, malformed, type Packet } from './packet.ts';

export const registerReadPacket: Packet = {
  name: 'p',
  doc: { packet: 'p n', purpose: 'read one register' },
  handle: (session, args) => {
    const n = parseCount(args);
    if (n === undefined) return malformed();
    const value = session.target.registers.read(generalThread(session), n);
    return value ? toHex(value) : fail(Errno.EINVAL, `no register ${n}`);
  },
};
