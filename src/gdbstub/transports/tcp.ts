import { createServer } from 'node:net';
import { TransportError, type Connection, type Listener } from './connection.ts';
import { closer, socketConnection } from './socket.ts';

/** @param port 0: any free one, named by the listener's address */
export function listenTcp(host: string, port: number, onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => onConnection(socketConnection(socket, `${socket.remoteAddress ?? host}:${socket.remotePort ?? 0}`)));
    const close = closer(server);
    server.once('error', (error: NodeJS.ErrnoException) => reject(new TransportError(explain(error, host, port))));
    server.listen(port, host, () => {
      const bound = server.address();
      const actual = typeof bound === 'object' && bound !== null ? bound.port : port;
      resolve({ address: `${host.includes(':') ? `[${host}]` : host}:${actual}`, close });
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use (another vmxscope or QEMU?): choose another with --gdb tcp:${host}:PORT`;
    case 'EACCES':
      return `port ${port} on ${host}: permission denied; ports below 1024 are for the superuser`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine`;
    default:
      return `cannot listen on ${host}:${port}: ${error.message}`;
  }
}
