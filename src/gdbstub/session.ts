import { Framer, type WireEvent } from './wire/framer.ts';
import { frame } from './wire/encoding.ts';
import { findPacket, supportedFeatures } from './packets/index.ts';
import { OpenFiles } from './packets/open-files.ts';
import { Errno, fail, PACKET_SIZE, type Reply, type SessionState } from './packets/packet.ts';
import { consolePackets, stopReply } from './stop-reply.ts';
import { Signal, type Action, type StopEvent, type Target } from './target.ts';
import type { ThreadChoice } from './thread-id.ts';

/** What a session wants done: bytes to send, then actions to carry out, in order. */
export interface Output {
  readonly bytes: Buffer;
  readonly actions: readonly Action[];
}

const ACK = Buffer.from('+');
const NACK = Buffer.from('-');
const NOTHING = Buffer.alloc(0);
/** Packets sent and not yet acknowledged: a client that never acknowledges must not make this grow. */
const MAX_UNACKNOWLEDGED = 64;
/** Bytes of packets taken while the machine runs, to be processed when it stops. */
const MAX_HELD = 4 * PACKET_SIZE;

const costOf = (event: WireEvent): number => 64 + (event.kind === 'packet' ? event.payload.length : 0);

/**
 * One client's conversation as a state machine: bytes in, bytes and actions out. It knows no socket, no clock and no
 * machine beyond `Target`. Every input has an answer and none throws: what is malformed is an error reply, and what a
 * handler throws (a fault of ours) is reported through `onFault` and answered with an error.
 *
 * While the machine runs, only the interrupt byte is acted on; packets wait for the stop. After an output with a `resume`
 * action the driver calls `stopped` with the reason, which goes on with what waits.
 */
export class Session {
  readonly state: SessionState;
  readonly #framer = new Framer(2 * PACKET_SIZE); // escapes may double a body
  readonly #onFault: (error: unknown, packet: string) => void;
  #running = false;
  #closed = false;
  /** Input that came while the machine runs and waits for the stop. */
  #held: WireEvent[] = [];
  #heldBytes = 0;
  #out: Buffer[] = [];
  #actions: Action[] = [];
  #unacknowledged: Buffer[] = [];

  constructor(target: Target, onFault: (error: unknown, packet: string) => void = () => {}, firstStop?: StopEvent) {
    this.#onFault = onFault;
    this.state = {
      target,
      offered: supportedFeatures(target),
      client: new Set(),
      general: 'any' as ThreadChoice,
      resumed: 'any' as ThreadChoice,
      noAck: false,
      extended: false,
      lastStop: firstStop ?? { kind: 'signal', thread: 1, signal: Signal.trap },
      readsLibraries: false,
      documents: new Map(),
      files: new OpenFiles(),
      act: (action) => void this.#actions.push(action),
      print: (text) => {
        for (const packet of consolePackets(text, PACKET_SIZE)) this.#send(packet);
      },
    };
  }

  /** True between a resume action and the stop that ends it. */
  get running(): boolean {
    return this.#running;
  }

  /** Bytes held, for tests of boundedness. */
  get heldBytes(): number {
    return this.#heldBytes + this.#framer.held;
  }

  receive(bytes: Uint8Array): Output {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#process(chunk);
    return this.#flush();
  }

  /** Execution stopped. Answers the client's resume packet and goes on with the packets that came meanwhile. */
  stopped(event: StopEvent): Output {
    if (!this.#running) return this.#flush();
    this.#running = false;
    this.state.lastStop = event;
    if (event.kind !== 'exited') this.state.general = event.thread;
    if (event.note) this.state.print(event.note.endsWith('\n') ? event.note : `${event.note}\n`);
    this.#send(stopReply(event, this.state.target, this.state.client));
    while (this.#held.length > 0 && !this.#running && !this.#closed) {
      const next = this.#held.shift()!;
      this.#heldBytes -= costOf(next);
      this.#event(next);
    }
    return this.#flush();
  }

  /** Console text while the machine runs: ignored when the client is not waiting for a stop. */
  console(text: string): Output {
    if (this.#running) this.state.print(text);
    return this.#flush();
  }

  #flush(): Output {
    const bytes = this.#out.length === 0 ? NOTHING : this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out);
    const actions = this.#actions;
    this.#out = [];
    this.#actions = [];
    return { bytes, actions };
  }

  #process(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#closed;) {
      const { event, next } = this.#framer.next(chunk, at);
      at = next;
      if (!event) return;
      if (!this.#running) this.#event(event);
      else if (event.kind === 'interrupt') this.#actions.push({ kind: 'interrupt' });
      else if (event.kind === 'ack') this.#unacknowledged.shift();
      else this.#hold(event);
    }
  }

  /** Keeps an event for after the stop. What exceeds the bound is dropped: no client sends that much without waiting. */
  #hold(event: WireEvent): void {
    if (this.#heldBytes + costOf(event) > MAX_HELD) return;
    this.#heldBytes += costOf(event);
    this.#held.push(event);
  }

  #event(event: WireEvent): void {
    switch (event.kind) {
      case 'ack':
        this.#unacknowledged.shift();
        return;
      case 'nack':
        if (!this.state.noAck) this.#out.push(...this.#unacknowledged);
        return;
      case 'interrupt':
        return; // the machine stands already: the client will read the stop reply it waits for
      case 'corrupt':
        if (!this.state.noAck) this.#out.push(NACK);
        else this.#reply(fail(Errno.EINVAL, 'bad checksum'));
        return;
      case 'oversized':
        if (!this.state.noAck) this.#out.push(ACK);
        this.#reply(fail(Errno.EMSGSIZE, `packet longer than ${PACKET_SIZE} bytes`));
        return;
      case 'packet':
        this.#packet(event.payload);
    }
  }

  #packet(payload: string): void {
    // The acknowledgement of QStartNoAckMode itself is still sent: the mode begins after its OK (gdb manual: Packet Acknowledgment).
    if (!this.state.noAck) this.#out.push(ACK);
    this.#unacknowledged = []; // a new packet says that the client has read the replies before it
    const found = findPacket(payload, this.state.target);
    if (!found) {
      this.#send('');
      return;
    }
    const actionsBefore = this.#actions.length;
    try {
      this.#reply(found.packet.handle(this.state, found.args));
    } catch (error) {
      this.#actions.length = actionsBefore;
      this.#onFault(error, found.packet.name);
      this.#reply(fail(Errno.EINVAL, 'internal error of the stub'));
    }
    for (const action of this.#actions.slice(actionsBefore)) {
      if (action.kind === 'resume') this.#running = true;
      else if (action.kind === 'detach' || action.kind === 'kill' || action.kind === 'quit')
        this.#closed = !this.state.extended || action.kind === 'quit';
    }
  }

  #reply(reply: Reply): void {
    if (reply === undefined) return;
    if (typeof reply === 'string') this.#send(reply);
    else if (reply.showAlways || this.state.client.has('error-message')) this.#send(`E.${reply.text}`);
    else this.#send(`E${reply.errno.toString(16).padStart(2, '0')}`);
  }

  #send(payload: string): void {
    const packet = frame(payload);
    this.#out.push(packet);
    if (this.state.noAck) return;
    this.#unacknowledged.push(packet);
    if (this.#unacknowledged.length > MAX_UNACKNOWLEDGED) this.#unacknowledged.shift();
  }
}
