import { fitEscaped, fromHex, parseCount, toLatin1 } from '../wire/encoding.ts';
import { PACKET_SIZE, type Packet, type SessionState } from './packet.ts';

/**
 * The client's file access (gdb manual, File-I/O: Host I/O Packets). The files are virtual and read-only: images that the
 * target offers by name. The host's own file system is not reachable through the stub.
 */
const available: Packet['available'] = (target) => target.files !== undefined;

/** `F result` or `F-1,errno`; numbers are hex, and these errnos are the protocol's own (gdb manual: Errno Values). */
const HostErrno = { ENOENT: 2, EBADF: 9, EACCES: 13, EINVAL: 22, EMFILE: 24 } as const;
const failed = (errno: number): string => `F-1,${errno.toString(16)}`;
const ok = (result: number, attachment?: string): string => `F${result.toString(16)}${attachment === undefined ? '' : `;${attachment}`}`;

const fileOf = (session: SessionState, fd: string): Uint8Array | undefined => session.files.get(parseCount(fd) ?? -1);

export const fileSetfsPacket: Packet = {
  name: 'vFile:setfs',
  doc: { packet: 'vFile:setfs', purpose: 'there is one file system' },
  available,
  handle: () => ok(0),
};

export const fileOpenPacket: Packet = {
  name: 'vFile:open',
  doc: { packet: 'vFile:open', purpose: "open one of the target's images, read-only" },
  available,
  handle: (session, args) => {
    const [name, flags] = args.split(',');
    const path = fromHex(name ?? '');
    const mode = parseCount(flags ?? '');
    if (!path || mode === undefined) return failed(HostErrno.EINVAL);
    if ((mode & 3) !== 0) return failed(HostErrno.EACCES); // O_WRONLY, O_RDWR
    const content = session.target.files!.open(path.toString('utf8'));
    if (!content) return failed(HostErrno.ENOENT);
    const fd = session.files.open(content);
    return fd === undefined ? failed(HostErrno.EMFILE) : ok(fd);
  },
};

export const filePreadPacket: Packet = {
  name: 'vFile:pread',
  doc: { packet: 'vFile:pread', purpose: 'read a piece of it' },
  available,
  handle: (session, args) => {
    const [fd, countText, offsetText] = args.split(',');
    const file = fileOf(session, fd ?? '');
    const count = parseCount(countText ?? '');
    const offset = parseCount(offsetText ?? '');
    if (!file) return failed(HostErrno.EBADF);
    if (count === undefined || offset === undefined) return failed(HostErrno.EINVAL);
    const asked = file.subarray(offset, offset + Math.min(count, PACKET_SIZE));
    const piece = asked.subarray(0, fitEscaped(asked, PACKET_SIZE - 16));
    return ok(piece.length, toLatin1(piece));
  },
};

/** struct stat of the protocol: 64 bytes, big-endian (gdb manual: struct stat). */
export const fileFstatPacket: Packet = {
  name: 'vFile:fstat',
  doc: { packet: 'vFile:fstat', purpose: 'its size' },
  available,
  handle: (session, args) => {
    const file = fileOf(session, args);
    if (!file) return failed(HostErrno.EBADF);
    const stat = new DataView(new ArrayBuffer(64));
    stat.setUint32(8, 0o100444); // st_mode: a regular file, readable
    stat.setUint32(12, 1); // st_nlink
    stat.setBigUint64(28, BigInt(file.length)); // st_size
    stat.setBigUint64(36, 512n); // st_blksize
    stat.setBigUint64(44, BigInt(Math.ceil(file.length / 512))); // st_blocks
    return ok(64, toLatin1(new Uint8Array(stat.buffer)));
  },
};

export const fileClosePacket: Packet = {
  name: 'vFile:close',
  doc: { packet: 'vFile:close', purpose: 'close it' },
  available,
  handle: (session, args) => (session.files.close(parseCount(args) ?? -1) ? ok(0) : failed(HostErrno.EBADF)),
};

export const fileReadlinkPacket: Packet = {
  name: 'vFile:readlink',
  doc: { packet: 'vFile:readlink', purpose: 'no file is a symbolic link' },
  available,
  handle: () => failed(HostErrno.EINVAL),
};
