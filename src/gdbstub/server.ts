import type { StopReason } from '../machine/stop.ts';
import { jumpToNextEvent, Runner, type IdlePolicy, type Runnable } from './runner.ts';
import { Session, type Output } from './session.ts';
import { frame } from './wire/encoding.ts';
import type { Action, Resume, StopEvent, Target } from './target.ts';
import type { Connection } from './transports/connection.ts';

export interface GdbServerOptions {
  readonly target: Target;
  readonly machine: Runnable;
  /** A stop in the protocol's terms; undefined: not a stop for this client, run on. */
  readonly stopEvent: (reason: StopReason, client: { readonly readsLibraries: boolean }) => StopEvent | undefined;
  readonly idle?: IdlePolicy;
  /** A stop that the CLI wants to know of: power-off, debug exit, or any stop when no client is attached. Called after the client was told. */
  readonly onStop?: (reason: StopReason) => void;
  /** `monitor quit`. */
  readonly onQuit?: () => void;
  /** `kill`: by default the target is reset and waits, stopped, for the next client. */
  readonly onKill?: () => void;
  /** Messages for the person at the terminal. */
  readonly log?: (message: string) => void;
}

interface Client {
  readonly connection: Connection;
  readonly session: Session;
  /** Bytes to write when the actions in progress are done. */
  readonly out: Buffer[];
  depth: number;
  leave: boolean;
  /** Detached or killed, but still connected (extended mode): the machine is not its business any more. */
  detached: boolean;
  quit: boolean;
}

/** How long a second client may take to say something before it is sent away. */
const REFUSAL_TIMEOUT = 1000;

/**
 * Connects clients, sessions and the runner: one client at a time, any number one after another. It owns the run loop
 * whether a client is attached or not.
 */
export class GdbServer {
  readonly runner: Runner;
  readonly #options: GdbServerOptions;
  #client: Client | undefined;
  /** The last stop, for `?` of the next client. */
  #lastStop: StopEvent | undefined;
  /** What is being executed, to go on after a stop that is nobody's business. */
  #plan: Resume = { kind: 'continue', threads: 'all' };

  constructor(options: GdbServerOptions) {
    this.#options = options;
    this.runner = new Runner(options.machine, (reason) => this.#stopped(reason), options.idle ?? jumpToNextEvent);
  }

  get attached(): boolean {
    return this.#client !== undefined;
  }

  /** Runs the machine without a client (no `-S`). */
  start(): void {
    if (!this.runner.running) this.#resume({ kind: 'continue', threads: 'all' });
  }

  /** A transport has a new connection. Connecting stops the machine. */
  connect(connection: Connection): void {
    if (this.#client) return this.#refuse(connection);
    if (this.runner.running) {
      this.runner.halt();
      this.#lastStop = undefined;
    }
    const firstStop = this.#lastStop ?? this.#options.stopEvent({ kind: 'step', cpu: this.#options.machine.activeCpu(0) }, { readsLibraries: false });
    const session = new Session(
      this.#options.target,
      (error, packet) =>
        this.#log(`gdb: internal error in packet ${packet}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
      firstStop,
    );
    const client: Client = { connection, session, out: [], depth: 0, leave: false, detached: false, quit: false };
    this.#client = client;
    this.#log(`gdb: ${connection.name} attached, the machine is stopped`);
    connection.onData((bytes) => {
      if (this.#client === client) this.#perform(client, session.receive(bytes));
    });
    connection.onClose(() => this.#lost(client));
  }

  /** Text for the client's console while it waits. */
  console(text: string): void {
    if (this.#client) this.#perform(this.#client, this.#client.session.console(text));
  }

  close(): void {
    this.runner.halt();
    this.#client?.connection.end();
    this.#client = undefined;
  }

  #log(message: string): void {
    this.#options.log?.(message);
  }

  #refuse(connection: Connection): void {
    this.#log(`gdb: ${connection.name} refused: another debugger is attached`);
    const refuse = (): void => {
      clearTimeout(timer);
      connection.write(Buffer.concat([Buffer.from('+'), frame('E.another debugger is attached')]));
      connection.end();
    };
    // Answering its first packet, not before: data it sends into a closed connection would reset it and lose our words.
    const timer = setTimeout(refuse, REFUSAL_TIMEOUT);
    let answered = false;
    connection.onData(() => {
      if (!answered) refuse();
      answered = true;
    });
    connection.onClose(() => clearTimeout(timer));
  }

  /**
   * Sends bytes and carries out actions. A stop that comes at once (a step) calls this again from inside; everything then
   * goes out in one write, acknowledgement and stop reply together.
   */
  #perform(client: Client, output: Output): void {
    if (output.bytes.length > 0) client.out.push(output.bytes);
    client.depth++;
    for (const action of output.actions) this.#act(client, action);
    if (--client.depth > 0) return;
    if (client.out.length > 0) client.connection.write(client.out.length === 1 ? client.out[0]! : Buffer.concat(client.out));
    client.out.length = 0;
    if (client.leave) client.connection.end();
    if (client.quit) this.#options.onQuit?.();
  }

  #act(client: Client, action: Action): void {
    switch (action.kind) {
      case 'resume':
        return this.#resume(action.resume);
      case 'interrupt':
        return this.runner.interrupt();
      case 'halt':
        client.detached = false;
        return this.runner.halt();
      case 'detach':
        this.#release(client, 'detached, the machine runs on');
        return this.start();
      case 'kill':
        this.#release(client, 'killed the machine: it is reset and waits for the next client');
        return this.#kill();
      case 'quit':
        client.quit = true;
        return this.#release(client, 'asked to quit');
    }
  }

  #resume(plan: Resume): void {
    this.#plan = plan;
    this.runner.resume(plan);
  }

  #kill(): void {
    this.runner.halt();
    this.#lastStop = undefined;
    if (this.#options.onKill) this.#options.onKill();
    else this.#options.target.reset?.reset();
  }

  /** An extended-remote client stays connected after a detach or a kill. */
  #release(client: Client, what: string): void {
    this.#log(`gdb: ${client.connection.name} ${what}`);
    client.detached = true;
    if (client.session.state.extended && !client.quit) return;
    client.leave = true;
    this.#client = undefined;
  }

  /** The connection broke without a detach: as if the client had detached, but the machine stays where it is. */
  #lost(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    if (client.detached) return this.#log(`gdb: ${client.connection.name} disconnected`);
    this.runner.halt();
    this.#options.target.release();
    this.#lastStop = undefined;
    this.#log(`gdb: ${client.connection.name} disconnected; the machine stays stopped for the next client`);
  }

  #stopped(reason: StopReason): void {
    const client = this.#client;
    const event = this.#options.stopEvent(reason, { readsLibraries: client?.session.state.readsLibraries ?? false });
    if (!event) return this.runner.resume(this.#plan);
    this.#lastStop = event;
    const waiting = client?.session.running === true;
    if (client && waiting) this.#perform(client, client.session.stopped(event));
    if (!waiting || reason.kind === 'power-off' || reason.kind === 'debug-exit') this.#options.onStop?.(reason);
  }
}
