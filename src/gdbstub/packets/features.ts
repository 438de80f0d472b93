import { readDocument } from './documents.ts';
import type { Packet } from './packet.ts';

export const featuresPacket: Packet = {
  name: 'qXfer:features',
  doc: { packet: 'qXfer:features:read', purpose: 'the target description: every register with its type and flags' },
  feature: 'qXfer:features:read+',
  handle: (session, args) =>
    readDocument(session, 'features', args, (annex) => (annex === 'target.xml' ? session.target.registers.description() : undefined)),
};
