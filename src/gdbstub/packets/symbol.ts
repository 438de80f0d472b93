import type { Packet } from './packet.ts';

export const symbolPacket: Packet = {
  name: 'qSymbol',
  doc: { packet: 'qSymbol::', purpose: 'no symbol is asked of gdb' },
  handle: () => 'OK',
};
