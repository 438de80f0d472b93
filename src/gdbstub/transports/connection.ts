/** One client's byte stream, whatever carries it. */
export interface Connection {
  /** For messages: `127.0.0.1:43210`. */
  readonly name: string;
  write(bytes: Uint8Array): void;
  /** Sends what is left, then closes. */
  end(): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  onClose(listener: () => void): void;
}

export interface Listener {
  /** For messages and for gdb's `target remote`: `127.0.0.1:1234`. */
  readonly address: string;
  close(): void;
}

/** A transport cannot be set up, for a reason the person can act on. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}
