import { parseBig, parseCount } from '../wire/encoding.ts';
import type { BreakpointType } from '../target.ts';
import { Errno, failText, malformed, type Packet } from './packet.ts';

const TYPES: readonly BreakpointType[] = ['software', 'hardware', 'write', 'read', 'access'];

/** `type,addr,kind` and, after a semicolon, conditions that were not offered and so are not sent. */
function parse(args: string): { type: BreakpointType; address: bigint; length: number } | undefined {
  const [type, addr, kind, rest] = args.split(';', 1)[0]!.split(',');
  const address = parseBig(addr ?? '');
  const length = parseCount(kind ?? '');
  const name = type !== undefined && /^[0-4]$/.test(type) ? TYPES[Number(type)] : undefined;
  if (name === undefined || address === undefined || length === undefined || rest !== undefined) return undefined;
  return { type: name, address, length };
}

/**
 * Z0 and Z1 are the same here: marks in decoded code, never bytes in guest memory. A breakpoint may be set where no code
 * is loaded or mapped yet.
 */
export const breakpointInsertPacket: Packet = {
  name: 'Z',
  doc: { packet: 'Z0-Z4,addr,kind', purpose: 'insert a breakpoint (0, 1) or a write, read or access watchpoint (2, 3, 4)' },
  available: (target) => target.breakpoints !== undefined,
  handle: (session, args) => {
    if (/^[5-9a-f]/.test(args)) return ''; // a type of a later protocol: not supported, as opposed to wrong
    const place = parse(args);
    if (!place) return malformed();
    const result = session.target.breakpoints!.insert(place.type, place.address, place.length);
    return result === true ? 'OK' : failText(Errno.EINVAL, result.refused);
  },
};

export const breakpointRemovePacket: Packet = {
  name: 'z',
  doc: { packet: 'z0-z4,addr,kind', purpose: 'remove a breakpoint or watchpoint' },
  available: (target) => target.breakpoints !== undefined,
  handle: (session, args) => {
    if (/^[5-9a-f]/.test(args)) return '';
    const place = parse(args);
    if (!place) return malformed();
    session.target.breakpoints!.remove(place.type, place.address, place.length);
    return 'OK';
  },
};
