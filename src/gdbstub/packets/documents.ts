import { fitEscaped, parseCount, toLatin1 } from '../wire/encoding.ts';
import { Errno, fail, malformed, PACKET_SIZE, type Reply, type SessionState } from './packet.ts';

/**
 * The read half of every qXfer object (gdb manual: qXfer read): `annex:offset,length`, answered by `m` (more follows) or
 * `l` (last) and a piece of the document. A document is made when its beginning is asked for, so that its pieces fit.
 */
export function readDocument(session: SessionState, object: string, args: string, make: (annex: string) => string | undefined): Reply {
  const parts = /^read:([^:]*):([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(args);
  if (!parts) return args.startsWith('read:') ? malformed() : ''; // writing is not supported
  const [, annex, offsetText, lengthText] = parts;
  const offset = parseCount(offsetText!);
  const length = parseCount(lengthText!);
  if (offset === undefined || length === undefined) return malformed();
  const key = `${object}:${annex}`;
  let document = session.documents.get(key);
  if (!document || offset === 0) {
    const text = make(annex!);
    if (text === undefined) return fail(Errno.ENOENT, `no ${object} ${annex}`);
    document = Buffer.from(text, 'utf8');
    if (session.documents.size > 16) session.documents.clear();
    session.documents.set(key, document);
  }
  if (offset > document.length) return malformed();
  const asked = document.subarray(offset, offset + Math.min(length, PACKET_SIZE));
  const piece = asked.subarray(0, fitEscaped(asked, PACKET_SIZE - 8));
  return (offset + piece.length < document.length ? 'm' : 'l') + toLatin1(piece);
}

/** Text inside XML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
