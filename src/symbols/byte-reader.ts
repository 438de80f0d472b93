import { SymbolFileError } from './errors.ts';
import type { LinkBase } from './link-base.ts';

/** Little-endian cursor over a part of a file. Every read is checked: what lies outside gives a SymbolFileError that names the place. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly where: string;
  pos: number;
  end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, where: string, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.where = where;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = pos;
    this.end = end;
    if (!(pos >= 0 && pos <= end && end <= bytes.length)) {
      throw new SymbolFileError(`range 0x${pos.toString(16)}..0x${end.toString(16)} lies outside its 0x${bytes.length.toString(16)} bytes`, where);
    }
  }

  get left(): number {
    return this.end - this.pos;
  }

  fail(message: string, offset = this.pos): never {
    throw new SymbolFileError(message, this.where, offset);
  }

  /** Claims `size` bytes at the cursor and returns their offset. */
  take(size: number): number {
    const at = this.pos;
    if (!(size >= 0 && size <= this.end - at)) this.fail(`${size} bytes wanted, ${this.end - at} left`);
    this.pos = at + size;
    return at;
  }

  skip(size: number): void {
    this.take(size);
  }

  seek(pos: number): void {
    if (!(pos >= 0 && pos <= this.end)) this.fail(`offset 0x${pos.toString(16)} lies outside its 0x${this.end.toString(16)} bytes`);
    this.pos = pos;
  }

  u8(): number {
    return this.#view.getUint8(this.take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.take(2), true);
  }

  u24(): number {
    const low = this.u16();
    return low + this.u8() * 0x10000;
  }

  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.take(8), true);
  }

  /** A 64-bit count, size or file offset: above 2^53 it is only approximate, which is enough to be refused by the next range check. */
  size64(): number {
    const low = this.u32();
    return low + this.u32() * 0x1_0000_0000;
  }

  sized(size: number): number {
    switch (size) {
      case 1:
        return this.u8();
      case 2:
        return this.u16();
      case 4:
        return this.u32();
      case 8:
        return this.size64();
      default:
        return this.fail(`field size ${size} is none of 1, 2, 4, 8`);
    }
  }

  /** An address of `size` bytes, relative to the file's base. */
  address(size: number, base: LinkBase): number {
    if (size === 8) {
      const low = this.u32();
      return base.fromHalves(this.u32(), low);
    }
    if (size !== 4) this.fail(`address size ${size} is neither 4 nor 8`);
    return base.fromHalves(0, this.u32());
  }

  /** DWARF 5 section 7.6. Approximate above 2^53. */
  uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
      if (scale > 2 ** 70) this.fail('LEB128 number of more than 10 bytes');
    }
  }

  sleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return byte & 0x40 ? value - scale : value;
      if (scale > 2 ** 70) this.fail('LEB128 number of more than 10 bytes');
    }
  }

  /** Steps over a NUL-terminated string and returns the offset of its first byte. */
  skipString(): number {
    const at = this.pos;
    const nul = this.bytes.indexOf(0, at);
    if (nul < 0 || nul >= this.end) this.fail('string without its terminating zero byte', at);
    this.pos = nul + 1;
    return at;
  }
}
