import type { Timer } from '../clock.ts';
import type { MachineServices } from '../machine-services.ts';
import type { Device, Plain } from './device.ts';
import { hex } from './hex.ts';
import type { IrqLine } from './irq-line.ts';
import { checkedState, copyState } from './state.ts';

export const COM1 = { name: 'com1', base: 0x3f8, irq: 4 } as const;
export const COM2 = { name: 'com2', base: 0x2f8, irq: 3 } as const;

/** Register offsets; 0 and 1 are the divisor while LCR.DLAB is set. */
const [DATA, IER, FCR_IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const DLAB = 0x80;
/** Interrupt enables. */
const [RX, THRE, LINE, MODEM] = [1, 2, 4, 8] as const;
/** Interrupt identification, highest priority first. */
const IIR = { line: 6, rx: 4, timeout: 0xc, thre: 2, modem: 0, none: 1 } as const;
const [DR, OE, THR_EMPTY] = [1, 2, 0x60] as const;
const [OUT2, LOOP] = [8, 0x10] as const;
/** What the far end drives: CTS, DSR, DCD. */
const CONNECTED = 0xb0;
const FIFO_SIZE = 16;
const TRIGGERS = [1, 4, 8, 14] as const;
/** The 1.8432 MHz crystal / 16 is 115,200 baud at divisor 1. A character is 10 bits. */
const CHARACTER_NS = (10 * 1e9) / 115_200;

type UartState = {
  ier: number;
  lcr: number;
  mcr: number;
  scr: number;
  divisor: number;
  fifo: boolean;
  trigger: number;
  overrun: boolean;
  /** Delta bits of MSR, cleared by reading it. */
  msrDelta: number;
  /** The transmitter ran empty and nobody has been told. */
  threPending: boolean;
  /** No character was taken or came for four character times. */
  timedOut: boolean;
  rx: number[];
  /** Host input that waits for room in the receiver. */
  input: number[];
};

/**
 * 16550A UART (National PC16550D data sheet). A character is sent at once: software that polls LSR always finds the
 * transmitter empty. Host input waits outside until there is room, so none of it overruns.
 */
export class Uart implements Device {
  readonly name: string;
  readonly #machine: MachineServices;
  readonly #irq: IrqLine;
  readonly #timeout: Timer;
  readonly #onTransmit: (byte: number) => void;
  readonly #where: { readonly base: number; readonly irq: number };
  #s: UartState = powerOn();

  constructor(machine: MachineServices, where: { name: string; base: number; irq: number }, irq: IrqLine, onTransmit: (byte: number) => void) {
    this.name = where.name;
    this.#where = where;
    this.#machine = machine;
    this.#irq = irq;
    this.#onTransmit = onTransmit;
    this.#timeout = machine.clock.timer(`${where.name}.timeout`, () => {
      this.#s.timedOut = this.#s.rx.length > 0;
      this.#settle();
    });
    machine.ports.map({
      name: `16550 ${where.name}`,
      base: where.base,
      length: 8,
      read: (port) => this.#read(port - where.base),
      write: (port, _size, value) => {
        this.#write(port - where.base, value & 0xff);
        this.#settle();
      },
    });
  }

  /** Bytes from the host: an input of the machine, so the caller records it. */
  receive(bytes: Iterable<number>): void {
    this.#s.input.push(...bytes);
    this.#refill();
    this.#settle();
  }

  /** Bytes that the guest has not read yet. */
  get unread(): number {
    return this.#s.rx.length + this.#s.input.length;
  }

  reset(): void {
    const { input } = this.#s;
    this.#s = { ...powerOn(), input }; // what the person typed is not lost
    this.#machine.clock.arm(this.#timeout, Infinity);
    this.#refill();
    this.#settle();
  }

  snapshot(): Plain {
    return copyState(this.#s);
  }
  restore(state: Plain): void {
    this.#s = checkedState(this.name, { ...this.#s, rx: [0], input: [0] }, state);
  }

  describe(): string {
    const { ier, lcr, mcr, divisor, fifo, rx, input } = this.#s;
    const baud = divisor === 0 ? 'no clock' : `${Math.floor(115_200 / divisor)} baud`;
    return (
      `${this.name}: port ${hex(this.#where.base, 3)} irq ${this.#where.irq} ${baud} IER ${hex(ier)} LCR ${hex(lcr)} MCR ${hex(mcr)} ` +
      `IIR ${hex(this.#interrupt())} fifo ${fifo ? 'on' : 'off'} rx ${rx.length} waiting ${input.length}`
    );
  }

  #read(offset: number): number {
    const s = this.#s;
    const dlab = (s.lcr & DLAB) !== 0;
    let value = 0;
    if (offset === DATA) value = dlab ? s.divisor & 0xff : this.#take();
    else if (offset === IER) value = dlab ? s.divisor >> 8 : s.ier;
    else if (offset === FCR_IIR) {
      value = this.#interrupt() | (s.fifo ? 0xc0 : 0);
      if ((value & 0xf) === IIR.thre) s.threPending = false;
    } else if (offset === LCR) value = s.lcr;
    else if (offset === MCR) value = s.mcr;
    else if (offset === LSR) {
      value = THR_EMPTY | (s.rx.length > 0 ? DR : 0);
      if (!s.overrun) return value; // nothing changes: software polls this
      value |= OE;
      s.overrun = false;
    } else if (offset === MSR) {
      value = this.#modemLines() | s.msrDelta;
      s.msrDelta = 0;
    } else value = s.scr;
    this.#settle();
    return value;
  }

  #write(offset: number, value: number): void {
    const s = this.#s;
    const dlab = (s.lcr & DLAB) !== 0;
    if (offset === DATA && !dlab) this.#transmit(value);
    else if (offset === DATA) s.divisor = (s.divisor & 0xff00) | value;
    else if (offset === IER && dlab) s.divisor = (s.divisor & 0xff) | (value << 8);
    else if (offset === IER) {
      if ((value & ~s.ier & THRE) !== 0) s.threPending = true; // enabling it with an empty transmitter interrupts at once
      s.ier = value & 0xf;
    } else if (offset === FCR_IIR) this.#writeFifoControl(value);
    else if (offset === LCR) s.lcr = value;
    else if (offset === MCR) this.#writeModemControl(value & 0x1f);
    else if (offset === SCR) s.scr = value;
  }

  #transmit(value: number): void {
    const s = this.#s;
    if ((s.mcr & LOOP) === 0) this.#onTransmit(value);
    else if (s.rx.length < this.#capacity()) s.rx.push(value);
    else {
      s.overrun = true;
      if (!s.fifo) s.rx[0] = value; // without FIFO the new character replaces the old one
    }
    s.threPending = true;
    this.#restartTimeout();
  }

  #take(): number {
    const value = this.#s.rx.shift() ?? 0;
    this.#refill();
    this.#restartTimeout();
    return value;
  }

  #writeFifoControl(value: number): void {
    const s = this.#s;
    const fifo = (value & 1) !== 0;
    if (fifo !== s.fifo || (value & 2) !== 0) s.rx = []; // changing FIFO mode empties the FIFOs
    s.fifo = fifo;
    if (fifo) s.trigger = TRIGGERS[(value >> 6) & 3]!;
    this.#refill();
    this.#restartTimeout();
  }

  #writeModemControl(value: number): void {
    const before = this.#modemLines();
    this.#s.mcr = value;
    const after = this.#modemLines();
    const changed = before ^ after;
    // DCTS, DDSR, trailing edge of RI, DDCD
    this.#s.msrDelta |= ((changed >> 4) & 0xb) | ((before & ~after & 0x40) >> 4);
    this.#refill();
  }

  /** In loopback RTS, DTR, OUT1, OUT2 come back as CTS, DSR, RI, DCD. */
  #modemLines(): number {
    const { mcr } = this.#s;
    if ((mcr & LOOP) === 0) return CONNECTED;
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
  }

  #capacity(): number {
    return this.#s.fifo ? FIFO_SIZE : 1;
  }

  #refill(): void {
    const s = this.#s;
    if ((s.mcr & LOOP) !== 0 || s.input.length === 0 || s.rx.length >= this.#capacity()) return;
    s.rx.push(...s.input.splice(0, this.#capacity() - s.rx.length));
    this.#restartTimeout();
  }

  #restartTimeout(): void {
    const s = this.#s;
    s.timedOut = false;
    const waits = s.fifo && s.rx.length > 0 && s.rx.length < s.trigger;
    const due = waits ? Math.ceil(this.#machine.clock.now() + 4 * CHARACTER_NS * Math.max(1, s.divisor)) : Infinity;
    this.#machine.clock.arm(this.#timeout, due);
  }

  #interrupt(): number {
    const { ier, rx, fifo, trigger, overrun, timedOut, threPending, msrDelta } = this.#s;
    if ((ier & LINE) !== 0 && overrun) return IIR.line;
    if ((ier & RX) !== 0 && rx.length >= (fifo ? trigger : 1)) return IIR.rx;
    if ((ier & RX) !== 0 && timedOut && rx.length > 0) return IIR.timeout;
    if ((ier & THRE) !== 0 && threPending) return IIR.thre;
    if ((ier & MODEM) !== 0 && msrDelta !== 0) return IIR.modem;
    return IIR.none;
  }

  /** On a PC, OUT2 connects the interrupt output to the bus. */
  #settle(): void {
    this.#irq(this.#interrupt() !== IIR.none && (this.#s.mcr & OUT2) !== 0);
  }
}

function powerOn(): UartState {
  // prettier-ignore
  return {
    ier: 0, lcr: 0, mcr: 0, scr: 0, divisor: 12, fifo: false, trigger: 1, overrun: false, msrDelta: 0, threPending: false, timedOut: false, rx: [], input: [],
  };
}
