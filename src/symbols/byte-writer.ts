/** Growing bytes of a new section. */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  length = 0;

  bytes(part: ArrayLike<number>): void {
    const end = this.length + part.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(part, this.length);
    this.length = end;
  }

  sized(size: number, value: number | bigint): void {
    const part = new Uint8Array(size);
    putSized(part, 0, size, value);
    this.bytes(part);
  }

  uleb(value: number): void {
    do {
      const low = value % 128;
      value = Math.floor(value / 128);
      this.bytes([value > 0 ? low | 0x80 : low]);
    } while (value > 0);
  }

  sleb(value: number): void {
    for (;;) {
      const low = value & 0x7f;
      value >>= 7;
      const done = (value === 0 && !(low & 0x40)) || (value === -1 && (low & 0x40) !== 0);
      this.bytes([done ? low : low | 0x80]);
      if (done) return;
    }
  }

  result(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Writes a little-endian number of 1 to 8 bytes over what is there. */
export function putSized(bytes: Uint8Array, at: number, size: number, value: number | bigint): void {
  let left = BigInt(value);
  for (let i = 0; i < size; i++, left >>= 8n) bytes[at + i] = Number(left & 0xffn);
}

/** Writes a LEB128 number of exactly this size, padded as DWARF 5 section 7.6 permits; what does not fit is cut. */
export function putUleb(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++, value = Math.floor(value / 128)) bytes[at + i] = (value % 128) | (i + 1 < size ? 0x80 : 0);
}
