import { SymbolFileError } from './errors.ts';

const decoder = new TextDecoder();

/**
 * NUL-terminated strings at offsets of a section. A string that many symbols share is decoded once; a damaged table, where every offset
 * seems to start an enormous string, is refused before it fills the memory.
 */
export class StringTable {
  readonly bytes: Uint8Array;
  readonly where: string;
  readonly #cache = new Map<number, string>();
  #budget: number;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.where = where;
    this.#budget = 64 * bytes.length + 0x10000;
  }

  at(offset: number): string {
    const known = this.#cache.get(offset);
    if (known !== undefined) return known;
    if (!(offset >= 0 && offset < this.bytes.length)) this.#fail(`lies outside its 0x${this.bytes.length.toString(16)} bytes`, offset);
    const nul = this.bytes.indexOf(0, offset);
    if (nul < 0) this.#fail('has no terminating zero byte', offset);
    this.#budget -= nul - offset;
    if (this.#budget < 0) this.#fail('is one of too many long overlapping strings', offset);
    const text = decoder.decode(this.bytes.subarray(offset, nul));
    this.#cache.set(offset, text);
    return text;
  }

  #fail(problem: string, offset: number): never {
    throw new SymbolFileError(`string ${problem}`, this.where, offset);
  }
}
