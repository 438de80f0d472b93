import { readDocument } from './documents.ts';
import type { Packet } from './packet.ts';

/** The main program's name: gdb then reads the file itself with vFile, so symbols need no `file` command. */
export const execFilePacket: Packet = {
  name: 'qXfer:exec-file',
  doc: { packet: 'qXfer:exec-file:read', purpose: 'name of the main program, read through vFile' },
  feature: 'qXfer:exec-file:read+',
  available: (target) => target.execFile !== undefined && target.files !== undefined,
  handle: (session, args) => readDocument(session, 'exec-file', args, () => session.target.execFile!.name()),
};
