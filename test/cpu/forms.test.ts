import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/machine/cpu/isa/decoder.ts';
import { BlockBuilder } from '../../src/machine/cpu/tiers/block-builder.ts';
import { CodePages } from '../../src/machine/cpu/tiers/code-pages.ts';
import { MAX_BLOCK } from '../../src/machine/cpu/tiers/record.ts';
import { CODE_TABLE_SIZE, PAGE_SIZE, RAM, RECORDS } from '../../src/machine/memory/layout.ts';
import { LinearMemory } from '../../src/machine/memory/linear-memory.ts';
import { Random } from '../host-cpu/random.ts';

/** Counts what the general way decodes. */
class CountingDecoder extends Decoder {
  decoded = 0;

  override decode(...args: Parameters<Decoder['decode']>): ReturnType<Decoder['decode']> {
    this.decoded++;
    return super.decode(...args);
  }
}

/** A block builder with a page of bytes. Where firmware traps might be, it goes the general way. */
class Bench {
  readonly m = new LinearMemory(0x1_0000);
  readonly pages = new CodePages(this.m);
  readonly decoder = new CountingDecoder();
  readonly #builder: BlockBuilder;
  readonly #general: boolean;

  constructor(general: boolean) {
    this.#general = general;
    this.#builder = new BlockBuilder(this.m, this.pages, this.decoder, () => {});
  }

  write(bytes: Uint8Array, offset = 0): void {
    this.m.u8.set(bytes, RAM + offset);
  }

  /** All that building from an offset leaves behind, as it is compared. */
  build(
    offset: number,
    limit = MAX_BLOCK,
    exact = false,
  ): { first: number; instructions: number; end: number; records: Int32Array; earlier: readonly number[] } {
    const page = exact ? undefined : (this.pages.get(0, 64) ?? this.pages.create(0, 64));
    const from = exact ? RECORDS : this.pages.nextRecord;
    const words = limit * 16 + 16;
    this.m.i32.fill(0, from >> 2, (from >> 2) + words);
    const first = this.#builder.build({
      bytes: this.m.u8, at: RAM + offset, end: RAM + PAGE_SIZE, offset, mode: 64, limit, page, kept: false, traced: false, legacyBranches: false,
      marked: undefined, trapAt: this.#general ? () => false : undefined,
    }); // prettier-ignore
    const records = this.m.i32.slice(from >> 2, (from >> 2) + words);
    return { first, instructions: this.#builder.instructions, end: this.#builder.end, records, earlier: [...this.#builder.earlier] };
  }

  table(): Uint32Array {
    const { table } = this.pages.get(0, 64)!;
    return this.m.u32.slice(table >> 2, (table + CODE_TABLE_SIZE) >> 2);
  }

  forget(): void {
    this.pages.flush();
  }
}

/** The same bytes through both ways: records, tables and what the builder reports are equal. */
class Comparison {
  readonly general = new Bench(true);
  readonly byForm = new Bench(false);
  readonly differences: string[] = [];
  compared = 0;

  write(bytes: Uint8Array, offset = 0): void {
    this.general.write(bytes, offset);
    this.byForm.write(bytes, offset);
  }

  block(offset: number, limit?: number, exact?: boolean): number {
    this.compared++;
    const a = this.general.build(offset, limit, exact);
    const b = this.byForm.build(offset, limit, exact);
    const same =
      a.earlier.join() === b.earlier.join() &&
      a.first === b.first &&
      a.instructions === b.instructions &&
      a.end === b.end &&
      Buffer.compare(bytesOf(a.records), bytesOf(b.records)) === 0;
    if (!same && this.differences.length < 5) {
      const n = a.records.findIndex((v, i) => v !== b.records[i]) & ~3;
      const show = (r: Int32Array): string => [...r.subarray(n, n + 4)].map((v) => (v >>> 0).toString(16)).join(' ');
      const at = RAM + offset;
      this.differences.push(
        `${Buffer.from(this.general.m.u8.subarray(at, at + 15)).toString('hex')}: ${show(a.records)}, by form ${show(b.records)}`,
      );
    }
    return a.end;
  }

  /** Builds a page from its first byte to its last. */
  page(): void {
    this.forget();
    for (let offset = 0; offset < PAGE_SIZE;) {
      const end = this.block(offset);
      if (end <= offset) break;
      offset = end;
    }
    if (Buffer.compare(bytesOf(this.general.table()), bytesOf(this.byForm.table())) !== 0) this.differences.push('entry points');
  }

  forget(): void {
    this.general.forget();
    this.byForm.forget();
  }
}

const bytesOf = (a: Int32Array | Uint32Array): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

const prefixes = [[], [0x66], [0xf2], [0xf3], [0x66, 0xf2], [0x48], [0x67], [0x64], [0x2e], [0xf0]];

describe('records by form are those of the general way', () => {
  it.each([[[]], [[0x40]], [[0x48]], [[0x47]], [[0x4f]]])('for every prefix, map, opcode and ModRM byte, after REX %j', (rex) => {
    const c = new Comparison();
    const random = new Random(BigInt(rex[0] ?? 1));
    const tail = new Uint8Array(16);
    for (const prefix of prefixes)
      for (const map of [[], [0x0f], [0x0f, 0x38]])
        for (let opcode = 0; opcode < 256; opcode++) {
          c.forget();
          for (let modrm = 0; modrm < 256; modrm += prefix.length === 0 && map.length < 2 ? 1 : 5) {
            for (let n = 0; n < 16; n++) tail[n] = random.below(256);
            c.write(Uint8Array.of(...prefix, ...rex, ...map, opcode, modrm, ...tail));
            c.block(0, 1, true);
          }
        }
    expect(c.differences).toEqual([]);
    expect(c.compared).toBeGreaterThan(400_000);
    expect(c.byForm.decoder.decoded).toBeLessThan(c.general.decoder.decoded);
  });

  it('for pages of random bytes', () => {
    const c = new Comparison();
    const random = new Random(2n);
    const bytes = new Uint8Array(PAGE_SIZE);
    for (let n = 0; n < 60; n++) {
      for (let i = 0; i < PAGE_SIZE; i++) bytes[i] = random.below(256);
      c.write(bytes);
      c.page();
      c.page(); // by now the forms are known
    }
    expect(c.differences).toEqual([]);
    expect(c.byForm.decoder.decoded).toBeLessThan(c.general.decoder.decoded);
  });

  it('for pages of common instructions, comparisons before branches and branches over a few of them among these', () => {
    const c = new Comparison();
    const random = new Random(3n);
    for (let n = 0; n < 100; n++) {
      c.write(commonPage(random));
      c.page();
      for (let k = 0; k < 20; k++) c.block(random.below(PAGE_SIZE));
      for (let k = 0; k < 20; k++) c.block(random.below(PAGE_SIZE), 1 + random.below(MAX_BLOCK), true);
    }
    expect(c.differences).toEqual([]);
    expect(c.byForm.decoder.decoded).toBeLessThan(c.general.decoder.decoded / 2);
  });

  it('up to the end of the page, at every distance from it', () => {
    const c = new Comparison();
    const random = new Random(4n);
    for (let n = 0; n < 200; n++) {
      c.write(commonPage(random));
      c.forget();
      for (let offset = PAGE_SIZE - 40; offset < PAGE_SIZE; offset++) {
        c.block(offset);
        c.block(offset, 3, true);
      }
    }
    expect(c.differences).toEqual([]);
  });

  it('for addresses relative to RIP and branches whose distance does not fit 32 bits from the page on', () => {
    const c = new Comparison();
    for (const high of [0x7f, 0x80, 0x00])
      for (const low of [0xff, 0x00])
        for (const opcode of [[0x48, 0x8b, 0x05], [0x8d, 0x0d], [0xe9], [0xe8], [0x0f, 0x84]])
          for (let pass = 0; pass < 2; pass++) {
            c.forget();
            c.write(Uint8Array.of(...opcode, low, low, low, high, 0xc3), 0x800);
            c.block(0x800);
          }
    expect(c.differences).toEqual([]);
  });
});

describe('the general way decodes nothing of', () => {
  it.each([
    ['moves', '4889d8 8b4508 488b44b7f8 c7451000000001 48c7c0ffffffff b878563412 48b8efcdab8967452301 88c4 4088f7 8a6101 66c7000100'],
    ['arithmetic', '4801d8 83c001 4881ec00010000 0fafc2 6bc00a f7d8 48ffc3 fec0 c1e004 d1f8 48d3e0 480fbec0 0fb74602 25ff000000'],
    ['addresses', '488d0500100000 488d44240c 8d0485a0000000 488d148d00000000'],
    ['comparisons and branches', '4839d8 7504 a801 0f84f0000000 f7c700000100 740a'],
    ['a call', 'e800010000'],
    ['returns and pushes', '55 4154 5d 6a10 ff7508 c3'],
    ['SSE', '0f28c1 660f6f06 f30f1007 f20f58c1 660fefc0 0f2947f0 660f70c01b'],
    ['hints', '0f1f440000 660f1f840000000000'],
  ])('%s', (_what, hex) => {
    const bench = new Bench(false);
    bench.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    const learning = bench.build(0);
    bench.forget();
    bench.decoder.decoded = 0;
    const again = bench.build(0, learning.instructions);
    expect(again.records.some((v) => v !== 0)).toBe(true);
    expect(bench.decoder.decoded).toBe(0);
    // With marks or traps about, each instruction is looked at.
    const marked = new Bench(true);
    marked.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    marked.build(0, learning.instructions);
    expect(marked.decoder.decoded).toBeGreaterThanOrEqual(learning.instructions);
  });
});

/** A page of instructions that compiled code is made of, most of them in forms. */
function commonPage(random: Random): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < PAGE_SIZE;) {
    const rex = random.chance(2) ? [0x40 | random.below(16)] : [];
    const modrm = [random.below(256), ...Array.from({ length: 5 }, () => random.below(256))];
    const one = random.pick<() => number[]>([
      () => [...rex, random.pick([0x89, 0x8b, 0x01, 0x03, 0x39, 0x3b, 0x85, 0x31, 0x8d, 0x88, 0x8a, 0x63]), ...modrm],
      () => [...rex, random.pick([0x83, 0x81, 0xc7, 0xc6, 0xc1, 0xf7, 0xff, 0x80]), ...modrm, random.below(256), random.below(256)],
      () => [...rex, 0x0f, random.pick([0xb6, 0xb7, 0xbe, 0xaf, 0x44, 0x28, 0x10, 0x6f, 0x1f]), ...modrm],
      () => [random.pick([0x66, 0xf3, 0xf2]), ...rex, 0x0f, random.pick([0x10, 0x11, 0x58, 0x6f, 0xef, 0xb8]), ...modrm],
      () => [0x39, 0xc0 | random.below(64), 0x70 | random.below(16), random.below(20)],
      () => [0x85, 0xc0 | random.below(64), 0x0f, 0x80 | random.below(16), random.below(256), random.pick([0, 0xff, 3]), 0, 0],
      () => [random.pick([0xe8, 0xe9]), random.below(256), random.below(4), 0, 0],
      () => [random.pick([0xeb, 0xe2, 0xe3, 0x74]), random.below(256)],
      () => [random.pick([0x50, 0x5d, 0xc3, 0x90, 0xcc, 0xa4, 0xf4, 0xc9, 0x99])],
      () => [0x66, random.pick([0x89, 0x05, 0xb8, 0xc7, 0x0f]), ...modrm],
    ])();
    page.set(one.slice(0, PAGE_SIZE - at), at);
    at += one.length;
  }
  return page;
}
