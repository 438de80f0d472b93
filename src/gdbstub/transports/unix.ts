import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import { TransportError, type Connection, type Listener } from './connection.ts';
import { closer, socketConnection } from './socket.ts';

/** A socket left behind by a process that died is replaced; anything else at that path is left alone. */
export async function listenUnix(path: string, onConnection: (connection: Connection) => void): Promise<Listener> {
  await makeRoom(path);
  let clients = 0;
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => onConnection(socketConnection(socket, `client ${++clients} of ${path}`)));
    const close = closer(server);
    server.once('error', (error) => reject(new TransportError(`cannot listen on ${path}: ${error.message}`)));
    server.listen(path, () => resolve({ address: path, close }));
  });
}

async function makeRoom(path: string): Promise<void> {
  if (!existsSync(dirname(path))) throw new TransportError(`cannot listen on ${path}: there is no folder ${dirname(path)}`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new TransportError(`${path} exists and is not a socket: not replaced`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (alive) throw new TransportError(`${path} is in use by another process`);
  unlinkSync(path);
}
