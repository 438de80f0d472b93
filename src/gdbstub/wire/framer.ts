import { unescape } from './encoding.ts';

/** What the byte stream of a client is made of (gdb manual, Remote Protocol: Overview, Packet Acknowledgment, Interrupts). */
export type WireEvent =
  | { readonly kind: 'packet'; readonly payload: string }
  | { readonly kind: 'ack' }
  | { readonly kind: 'nack' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'corrupt' } // wrong or garbled checksum
  | { readonly kind: 'oversized' };

const [DOLLAR, HASH, PLUS, MINUS, CTRL_C] = [0x24, 0x23, 0x2b, 0x2d, 0x03] as const;

/** Value of a hex digit, NaN for anything else. */
function digit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : NaN;
}

/**
 * Cuts a byte stream into events. It keeps at most one unfinished packet of bounded size, whatever arrives; bytes
 * outside packets that mean nothing are dropped, as the protocol asks.
 */
export class Framer {
  readonly #limit: number;
  /** Body of the unfinished packet. */
  #body: Buffer[] = [];
  #bodyLength = 0;
  #sum = 0;
  #state: 'outside' | 'body' | 'sum1' | 'sum2' = 'outside';
  #sent = 0;
  #oversized = false;

  /** @param limit longest body accepted, in bytes as sent */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held for an unfinished packet. */
  get held(): number {
    return this.#bodyLength;
  }

  /**
   * Events of a chunk from `start` on, one at a time: `next` gives the event and where to go on. The caller may stop in
   * between and hand in the rest later.
   */
  next(chunk: Buffer, start: number): { readonly event: WireEvent | undefined; readonly next: number } {
    let i = start;
    while (i < chunk.length) {
      const c = chunk[i]!;
      switch (this.#state) {
        case 'outside':
          i++;
          if (c === DOLLAR) this.#open();
          else if (c === PLUS) return { event: { kind: 'ack' }, next: i };
          else if (c === MINUS) return { event: { kind: 'nack' }, next: i };
          else if (c === CTRL_C) return { event: { kind: 'interrupt' }, next: i };
          break;
        case 'body':
          i = this.#takeBody(chunk, i);
          break;
        case 'sum1':
          i++;
          this.#sent = digit(c) * 16;
          this.#state = 'sum2';
          break;
        case 'sum2':
          i++;
          this.#sent += digit(c);
          return { event: this.#close(), next: i };
      }
    }
    return { event: undefined, next: i };
  }

  #open(): void {
    this.#body = [];
    this.#bodyLength = 0;
    this.#sum = 0;
    this.#oversized = false;
    this.#state = 'body';
  }

  /** Takes bytes up to `#`. A `$` inside means that the end of the packet before it was lost: start anew, as gdb does. */
  #takeBody(chunk: Buffer, start: number): number {
    let i = start;
    for (; i < chunk.length; i++) {
      const c = chunk[i]!;
      if (c === HASH || c === DOLLAR) break;
      this.#sum += c;
    }
    if (this.#bodyLength + i - start > this.#limit) {
      this.#oversized = true;
      this.#body = [];
      this.#bodyLength = 0;
    } else if (!this.#oversized && i > start) {
      this.#body.push(Buffer.from(chunk.subarray(start, i)));
      this.#bodyLength += i - start;
      // Many tiny chunks would cost more than their bytes: join them now and then.
      if (this.#body.length > 64) this.#body = [Buffer.concat(this.#body)];
    }
    if (i === chunk.length) return i;
    if (chunk[i] === DOLLAR) this.#open();
    else this.#state = 'sum1';
    return i + 1;
  }

  #close(): WireEvent {
    this.#state = 'outside';
    const body = this.#body.length === 1 ? this.#body[0]! : Buffer.concat(this.#body);
    this.#body = [];
    this.#bodyLength = 0;
    if (this.#sent !== (this.#sum & 0xff)) return { kind: 'corrupt' }; // NaN is unequal too
    if (this.#oversized) return { kind: 'oversized' };
    return { kind: 'packet', payload: unescape(body) };
  }
}
