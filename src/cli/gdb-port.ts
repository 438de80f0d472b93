import { parseAddress, type Address } from '../gdbstub/transports/address.ts';
import { TransportError, type Connection, type Listener } from '../gdbstub/transports/connection.ts';
import { listen } from '../gdbstub/transports/index.ts';
import { ExitStatus, UserError } from './errors.ts';
import { log } from './log.ts';

/** `--gdb`, or what `-s` is short for. */
export function gdbAddress({ gdb, s, S }: { readonly gdb?: string | undefined; readonly s: boolean; readonly S: boolean }): Address {
  let address: Address;
  try {
    address = parseAddress(gdb ?? (s ? 'tcp:127.0.0.1:1234' : 'none'));
  } catch (e) {
    if (e instanceof TransportError) throw new UserError(e.message, ExitStatus.usage);
    throw e;
  }
  if (S && address.kind === 'none') throw new UserError('-S waits for a debugger: add -s or --gdb', ExitStatus.usage);
  return address;
}

/** Opens the port and says how to attach. */
export async function openGdbPort(address: Address, connect: (connection: Connection) => void): Promise<Listener | undefined> {
  const listener = await listen(address, connect);
  if (!listener || address.kind === 'stdio') return listener;
  const target = address.kind === 'unix' ? address.path : listener.address.replace(/^127\.0\.0\.1:/, ':');
  log(`gdb stub listening on ${listener.address}`);
  log(`attach with: gdb -ex 'target remote ${target}'`);
  return listener;
}
