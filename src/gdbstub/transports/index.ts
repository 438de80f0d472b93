import type { Address } from './address.ts';
import type { Connection, Listener } from './connection.ts';
import { stdioConnection } from './stdio.ts';
import { listenTcp } from './tcp.ts';
import { listenUnix } from './unix.ts';

/** Opens the transport of an address. Throws TransportError where it cannot be. Undefined: there is none. */
export async function listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener | undefined> {
  switch (address.kind) {
    case 'tcp':
      return listenTcp(address.host, address.port, onConnection);
    case 'unix':
      return listenUnix(address.path, onConnection);
    case 'stdio': {
      const connection = stdioConnection();
      onConnection(connection);
      return { address: 'stdio', close: () => connection.end() };
    }
    case 'none':
      return undefined;
  }
}
