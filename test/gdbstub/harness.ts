import { MachineTarget, type MachineTargetOptions } from '../../src/gdbstub/machine/machine-target.ts';
import { GdbServer, type GdbServerOptions } from '../../src/gdbstub/server.ts';
import { listenTcp } from '../../src/gdbstub/transports/tcp.ts';
import type { Listener } from '../../src/gdbstub/transports/connection.ts';
import { ToyMachine } from './toy-machine.ts';

export const START = 0x10_0000n;

/** start: call body; jmp start. body: inc rax; mov [0x102000], rax; mov rax, [0x102000]; ret */
export const LOOP = Uint8Array.from([
  0xe8, 2, 0, 0, 0, 0xeb, 0xf9, 0x48, 0xff, 0xc0, 0x48, 0x89, 0x04, 0x25, 0, 0x20, 0x10, 0, 0x48, 0x8b, 0x04, 0x25, 0, 0x20, 0x10, 0, 0xc3,
]); // prettier-ignore
export const BODY = START + 7n;
export const COUNTER = 0x10_2000n;

export interface Harness {
  readonly machine: ToyMachine;
  readonly target: MachineTarget;
  readonly server: GdbServer;
  readonly listener: Listener;
  readonly messages: string[];
  /** gdb's command to connect. */
  readonly connect: string;
  close(): void;
}

export interface HarnessOptions extends MachineTargetOptions {
  readonly cpus?: number;
  readonly code?: Uint8Array;
  /** CPU features beyond skylake's, or `-name`. */
  readonly features?: readonly string[];
  readonly server?: Partial<GdbServerOptions>;
}

/** A toy machine behind a real TCP port. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const machine = new ToyMachine(options.cpus ?? 1, START, options.code ?? LOOP, options.features);
  const target = new MachineTarget(machine, options);
  const messages: string[] = [];
  const server = new GdbServer({
    target,
    machine: target,
    stopEvent: (reason, client) => target.stopEvent(reason, client),
    log: (message) => void messages.push(message),
    ...options.server,
  });
  const listener = await listenTcp('127.0.0.1', 0, (connection) => server.connect(connection));
  return {
    machine,
    target,
    server,
    listener,
    messages,
    connect: `target remote ${listener.address}`,
    close: () => {
      server.close();
      listener.close();
    },
  };
}
