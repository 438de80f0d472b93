import { toHex } from '../wire/encoding.ts';
import { generalThread, type Packet } from './packet.ts';

export const registersReadPacket: Packet = {
  name: 'g',
  doc: { packet: 'g', purpose: 'read all registers' },
  handle: (session) => toHex(session.target.registers.readAll(generalThread(session))),
};
