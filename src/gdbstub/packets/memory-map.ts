import { readDocument } from './documents.ts';
import type { Packet } from './packet.ts';

export const memoryMapPacket: Packet = {
  name: 'qXfer:memory-map',
  doc: { packet: 'qXfer:memory-map:read', purpose: 'what may be read: all of the linear address space' },
  feature: 'qXfer:memory-map:read+',
  available: (target) => target.memoryMap !== undefined,
  handle: (session, args) =>
    readDocument(session, 'memory-map', args, (annex) => {
      if (annex !== '') return undefined;
      const rows = session.target
        .memoryMap!.regions()
        .map((r) => `  <memory type="${r.type}" start="0x${r.start.toString(16)}" length="0x${r.length.toString(16)}"/>\n`);
      return `<?xml version="1.0"?>\n<memory-map>\n${rows.join('')}</memory-map>\n`;
    }),
};
