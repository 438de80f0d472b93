import type { LoadedLibrary } from '../target.ts';
import { escapeXml, readDocument } from './documents.ts';
import type { Packet } from './packet.ts';

/**
 * Images found in memory, at their run addresses (gdb manual: Library List Format). gdb reads each by vFile and resolves
 * pending breakpoints, without any script.
 */
export const librariesPacket: Packet = {
  name: 'qXfer:libraries',
  doc: {
    packet: 'qXfer:libraries:read',
    purpose: 'images found in memory and where they run: symbols and pending breakpoints resolve by themselves',
  },
  feature: 'qXfer:libraries:read+',
  available: (target) => target.libraries !== undefined && target.files !== undefined,
  handle: (session, args) => {
    session.readsLibraries = true;
    return readDocument(session, 'libraries', args, (annex) => (annex === '' ? libraryListXml(session.target.libraries!.list()) : undefined));
  },
};

export function libraryListXml(list: readonly LoadedLibrary[]): string {
  const addresses = (tag: string, values: readonly bigint[] = []): string => values.map((v) => `<${tag} address="0x${v.toString(16)}"/>`).join('');
  // The DTD wants either segments or sections, not both.
  const body = (l: LoadedLibrary): string => (l.segments?.length ? addresses('segment', l.segments) : addresses('section', l.sections));
  const rows = list.map((l) => `  <library name="${escapeXml(l.name)}">${body(l)}</library>\n`);
  // No DOCTYPE: gdb would look for the DTD and give up.
  return `<?xml version="1.0"?>\n<library-list>\n${rows.join('')}</library-list>\n`;
}
