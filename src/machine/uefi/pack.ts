import { guidBytes, type Guid } from './guids.ts';

/** Builds a packed little-endian structure, member by member. */
export class Pack {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }
  u8(...values: number[]): this {
    for (const v of values) this.#bytes.push(v & 0xff);
    return this;
  }
  u16(v: number): this {
    return this.u8(v, v >>> 8);
  }
  u32(v: number): this {
    return this.u8(v, v >>> 8, v >>> 16, v >>> 24);
  }
  u64(v: number | bigint): this {
    const n = BigInt.asUintN(64, BigInt(v));
    return this.u32(Number(n & 0xffff_ffffn)).u32(Number(n >> 32n));
  }
  bytes(values: Iterable<number>): this {
    for (const v of values) this.#bytes.push(v);
    return this;
  }
  zeros(count: number): this {
    for (let n = 0; n < count; n++) this.#bytes.push(0);
    return this;
  }
  /** Zeros up to a multiple of `size`. */
  align(size: number): this {
    return this.zeros((size - (this.length % size)) % size);
  }
  ascii(text: string): this {
    for (const c of text) this.u8(c.charCodeAt(0));
    return this;
  }
  /** CHAR16 text with its terminating zero. */
  utf16(text: string): this {
    for (let n = 0; n < text.length; n++) this.u16(text.charCodeAt(n));
    return this.u16(0);
  }
  guid(guid: Guid): this {
    return this.bytes(guidBytes(guid));
  }
  done(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Little-endian bytes of an unsigned value of 1 to 8 bytes. */
export function littleEndian(value: number | bigint, size: number): Uint8Array {
  let v = BigInt(value);
  return Uint8Array.from({ length: size }, () => {
    const byte = Number(v & 0xffn);
    v >>= 8n;
    return byte;
  });
}

export function utf16Bytes(text: string): Uint8Array {
  return new Pack().utf16(text).done();
}

/** CHAR16 bytes to text, up to a terminating zero when there is one. */
export function utf16Text(bytes: Uint8Array): string {
  let text = '';
  for (let n = 0; n + 1 < bytes.length; n += 2) {
    const c = bytes[n]! | (bytes[n + 1]! << 8);
    if (c === 0) break;
    text += String.fromCharCode(c);
  }
  return text;
}
