import type { Server, Socket } from 'node:net';
import type { Connection } from './connection.ts';

/** What TCP and Unix sockets share. */
export function socketConnection(socket: Socket, name: string): Connection {
  socket.setNoDelay(true); // a step is one small packet each way: waiting for more would cost milliseconds
  // A broken connection shows itself as close; the error event has no more to say but must be listened to.
  socket.on('error', () => {});
  return {
    name,
    write: (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    end: () => {
      socket.end();
      // A client that never closes its half must not hold the socket.
      setTimeout(() => socket.destroy(), 1000).unref();
    },
    onData: (listener) => void socket.on('data', listener),
    onClose: (listener) => void socket.on('close', listener),
  };
}

/** Closes a server and every connection it has. */
export function closer(server: Server): () => void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}
