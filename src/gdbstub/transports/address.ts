import { TransportError } from './connection.ts';

export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'none' };

/** A debugger stub gives whoever connects full control: it listens on this machine alone unless asked otherwise. */
export const LOOPBACK = '127.0.0.1';
export const DEFAULT_PORT = 1234;

const FORMS = 'tcp:HOST:PORT, unix:PATH, stdio or none';

/** Parses `--gdb`. Without a host, as in QEMU's `tcp::1234`, it is the loopback address. */
export function parseAddress(text: string): Address {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    if (path === '') throw new TransportError(`--gdb ${text}: a path is missing after unix:`);
    return { kind: 'unix', path };
  }
  const tcp = /^tcp:(?:(?<host>\[[^\]]+\]|[^:]*):)?(?<port>[^:]*)$/.exec(text)?.groups;
  if (!tcp) throw new TransportError(`--gdb ${text}: expected ${FORMS}`);
  const port = /^[0-9]{1,5}$/.test(tcp.port!) ? Number(tcp.port) : NaN;
  if (!(port <= 65535))
    throw new TransportError(`--gdb ${text}: ${tcp.port === '' ? 'the port is missing' : `${tcp.port} is not a port number (0 to 65535)`}`);
  return { kind: 'tcp', host: (tcp.host ?? '').replace(/^\[|\]$/g, '') || LOOPBACK, port };
}
