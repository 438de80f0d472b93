import type { Readable, Writable } from 'node:stream';
import type { Connection } from './connection.ts';

/** For `target remote | vmxscope run --gdb stdio`: the one connection there is. Nothing else may write to `output`. */
export function stdioConnection(input: Readable = process.stdin, output: Writable = process.stdout): Connection {
  output.on('error', () => {}); // the debugger went away: `end` of the input says so
  return {
    name: 'stdio',
    write: (bytes) => void output.write(bytes),
    end: () => void input.pause(),
    onData: (listener) => void input.on('data', listener),
    onClose: (listener) => void input.on('close', listener).on('end', listener),
  };
}
