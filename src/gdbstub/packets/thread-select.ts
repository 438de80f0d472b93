import { formatThreadId, parseThreadId } from '../thread-id.ts';
import { generalThread, isThread, malformed, noSuchThread, type Packet } from './packet.ts';

export const selectThreadPacket: Packet = {
  name: 'H',
  doc: { packet: 'Hg id, Hc id', purpose: 'the CPU for register and memory packets (g) or for c and s (c)' },
  handle: (session, args) => {
    const choice = parseThreadId(args.slice(1));
    if (choice === undefined) return malformed();
    if (typeof choice === 'number' && !isThread(session.target, choice)) return noSuchThread();
    if (args[0] === 'g') session.general = choice;
    else if (args[0] === 'c') session.resumed = choice;
    else return malformed();
    return 'OK';
  },
};

export const threadAlivePacket: Packet = {
  name: 'T',
  doc: { packet: 'T id', purpose: 'does the thread (CPU) exist' },
  handle: (session, args) => {
    const choice = parseThreadId(args);
    if (choice === undefined) return malformed();
    return typeof choice !== 'number' || isThread(session.target, choice) ? 'OK' : noSuchThread();
  },
};

export const currentThreadPacket: Packet = {
  name: 'qC',
  doc: { packet: 'qC', purpose: 'the current thread' },
  handle: (session) => `QC${formatThreadId(generalThread(session), session.client.has('multiprocess'))}`,
};
