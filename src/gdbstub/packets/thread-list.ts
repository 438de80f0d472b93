import { textToHex } from '../wire/encoding.ts';
import { formatThreadId, parseThreadId } from '../thread-id.ts';
import { escapeXml, readDocument } from './documents.ts';
import { isThread, malformed, noSuchThread, type Packet, type SessionState } from './packet.ts';

const threads = (session: SessionState): number[] => Array.from({ length: session.target.threads.count() }, (_, n) => n + 1);

export const threadsFirstPacket: Packet = {
  name: 'qfThreadInfo',
  doc: { packet: 'qfThreadInfo', purpose: 'thread ids: one thread per CPU' },
  handle: (session) => `m${threads(session).map((t) => formatThreadId(t, session.client.has('multiprocess'))).join(',')}`, // prettier-ignore
};
export const threadsMorePacket: Packet = {
  name: 'qsThreadInfo',
  doc: { packet: 'qsThreadInfo', purpose: 'no more threads' },
  handle: () => 'l',
};

export const threadExtraInfoPacket: Packet = {
  name: 'qThreadExtraInfo',
  doc: { packet: 'qThreadExtraInfo,id', purpose: "a CPU's mode in words, for `info threads`" },
  handle: (session, args) => {
    const id = parseThreadId(args);
    if (typeof id !== 'number') return malformed();
    return isThread(session.target, id) ? textToHex(session.target.threads.describe(id)) : noSuchThread();
  },
};

export const threadsXmlPacket: Packet = {
  name: 'qXfer:threads',
  doc: { packet: 'qXfer:threads:read', purpose: 'all CPUs with names and modes, in one packet' },
  feature: 'qXfer:threads:read+',
  handle: (session, args) =>
    readDocument(session, 'threads', args, (annex) => {
      if (annex !== '') return undefined;
      const { target, client } = session;
      const row = (t: number): string => {
        const id = formatThreadId(t, client.has('multiprocess'));
        return `  <thread id="${id}" core="${t - 1}" name="${escapeXml(target.threads.name(t))}">${escapeXml(target.threads.describe(t))}</thread>\n`;
      };
      return `<?xml version="1.0"?>\n<threads>\n${threads(session).map(row).join('')}</threads>\n`;
    }),
};
