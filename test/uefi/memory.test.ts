import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Bench, OK } from './harness.ts';
import { regionEnd } from '../../src/machine/uefi/memory/map.ts';
import type { Region } from '../../src/machine/uefi/state.ts';

let b: Bench;
beforeEach(() => void (b = new Bench()));

const INVALID = 'EFI_INVALID_PARAMETER';
const [ANY, MAX, ADDRESS] = [0, 1, 2];

describe('AllocatePages', () => {
  test.each([
    ['any pages', ANY, 2, 4, 0, OK],
    ['below 1 MiB', MAX, 8, 2, 0xf_ffff, OK],
    ['below 1 GiB', MAX, 1, 16, 0x4000_0000, OK],
    ['with no limit', MAX, 2, 1, 0xffff_ffff_ffff_ffffn, OK],
    ['at an address', ADDRESS, 2, 4, 0x20_0000, OK],
    ['at an OEM type', ANY, 0x7000_0001, 1, 0, OK],
    ['no pages', ANY, 2, 0, 0, INVALID],
    ['allocate type 3', 3, 2, 1, 0, INVALID],
    ['conventional memory', ANY, 7, 1, 0, INVALID],
    ['persistent memory', ANY, 14, 1, 0, INVALID],
    ['type 15', ANY, 15, 1, 0, INVALID],
    ['type below the OEM range', ANY, 0x6fff_ffff, 1, 0, INVALID],
    ['an unaligned address', ADDRESS, 2, 1, 0x20_0001, INVALID],
    ['page 0, which the firmware keeps', ADDRESS, 2, 1, 0, 'EFI_NOT_FOUND'],
    ['an address in the VGA window', ADDRESS, 2, 1, 0xa_0000, 'EFI_NOT_FOUND'],
    ['an address beyond RAM', ADDRESS, 2, 1, 0x1_0000_0000, 'EFI_NOT_FOUND'],
    ['more than there is', ANY, 2, 0x10_0000, 0, 'EFI_OUT_OF_RESOURCES'],
    ['more than there is anywhere', ANY, 2, 0xffff_ffff_ffff_ffffn, 0, 'EFI_OUT_OF_RESOURCES'],
    ['below a limit with no room', MAX, 2, 1, 0x1000, 'EFI_OUT_OF_RESOURCES'],
  ])('%s', (_name, how, type, pages, address, status) => {
    const at = b.cell(address);
    expect(b.call('AllocatePages', how, type, pages, at)).toBe(status);
  });

  test('any pages come from the top, a limit is the last byte, an address is exact', () => {
    const at = b.cell();
    b.call('AllocatePages', ANY, 2, 1, at);
    expect(b.u64(at)).toBeGreaterThan(0x100_0000);
    const low = b.cell(0x5_4fff);
    b.call('AllocatePages', MAX, 2, 1, low);
    expect(b.u64(low)).toBe(0x5_4000);
    const lower = b.cell(0x5_4ffe);
    b.call('AllocatePages', MAX, 2, 1, lower);
    expect(b.u64(lower)).toBe(0x5_3000);
    const exact = b.cell(0x30_0000);
    b.call('AllocatePages', ADDRESS, 2, 1, exact);
    expect(b.u64(exact)).toBe(0x30_0000);
    expect(b.call('AllocatePages', ADDRESS, 2, 1, exact)).toBe('EFI_NOT_FOUND');
  });

  test('a NULL result pointer', () => expect(b.call('AllocatePages', ANY, 2, 1, 0)).toBe(INVALID));
});

describe('FreePages', () => {
  test('head, middle and tail of an allocation, then all of it is free again', () => {
    const before = JSON.stringify(b.fw.state.map.regions);
    const at = b.cell(0x40_0000);
    expect(b.call('AllocatePages', ADDRESS, 8, 16, at)).toBe(OK);
    expect(b.call('FreePages', 0x40_0000, 1)).toBe(OK);
    expect(b.call('FreePages', 0x40_8000, 2)).toBe(OK);
    expect(b.call('FreePages', 0x40_f000, 1)).toBe(OK);
    expect(b.call('FreePages', 0x40_0000, 2), 'half of it is free already').toBe('EFI_NOT_FOUND');
    expect(b.call('FreePages', 0x40_1000, 7)).toBe(OK);
    expect(b.call('FreePages', 0x40_a000, 5)).toBe(OK);
    expect(JSON.stringify(b.fw.state.map.regions)).toBe(before);
  });
  test.each([
    ['unaligned', 0x40_0001, 1, INVALID],
    ['no pages', 0x40_0000, 0, INVALID],
    ['free memory', 0x40_0000, 1, 'EFI_NOT_FOUND'],
    ['beyond RAM', 0x8000_0000, 1, 'EFI_NOT_FOUND'],
    ['too many', 0x40_0000, 0xffff_ffff_ffff_ffffn, 'EFI_NOT_FOUND'],
  ])('%s', (_name, at, pages, status) => expect(b.call('FreePages', at, pages)).toBe(status));
  test("the firmware's own pages", () => expect(b.call('FreePages', b.fw.layout.traps.base, 1)).toBe('EFI_NOT_FOUND'));
});

describe('GetMemoryMap', () => {
  test('asks for room, then describes RAM without overlap, with the key that ExitBootServices takes', () => {
    const size = b.cell(0);
    const [key, descriptor, version] = [b.cell(), b.cell(), b.cell()];
    expect(b.call('GetMemoryMap', size, 0, key, descriptor, version)).toBe('EFI_BUFFER_TOO_SMALL');
    const need = b.u64(size);
    expect(b.u64(descriptor)).toBe(48);
    expect(need % 48).toBe(0);
    const buffer = b.put(need);
    expect(b.call('GetMemoryMap', size, buffer, key, descriptor, version)).toBe(OK);
    expect(b.u64(version)).toBe(1);
    expect(b.u64(key)).toBe(b.fw.state.map.key);
    let end = 0;
    let ram = 0;
    for (let at = buffer; at < buffer + need; at += 48) {
      const [type, start, pages] = [b.fw.memory.u32(at), b.u64(at + 8), b.u64(at + 24)];
      expect(start).toBeGreaterThanOrEqual(end);
      end = start + pages * 4096;
      if (type !== 11) ram += pages * 4096;
      expect(b.fw.memory.u64(at + 32) >> 63n, `type ${type}`).toBe(type === 5 || type === 6 ? 1n : 0n);
    }
    expect(ram).toBe(32 << 20);
  });
  test('size without buffer', () => expect(b.call('GetMemoryMap', b.cell(0x4000), 0, 0, 0, 0)).toBe(INVALID));
  test('no size', () => expect(b.call('GetMemoryMap', 0, 0, 0, 0, 0)).toBe(INVALID));
  test('every allocation changes the key', () => {
    const { key } = b.fw.state.map;
    b.call('AllocatePages', ANY, 2, 1, b.cell());
    expect(b.fw.state.map.key).not.toBe(key);
  });
});

describe('pool', () => {
  test.each([1, 8, 32, 33, 2048, 2049, 4096, 100_000])('%i bytes: aligned, apart from the others, given back', (size) => {
    const [one, two] = [b.cell(), b.cell()];
    expect(b.call('AllocatePool', 4, size, one)).toBe(OK);
    expect(b.call('AllocatePool', 4, size, two)).toBe(OK);
    expect(b.u64(one) % 16).toBe(0);
    expect(Math.abs(b.u64(one) - b.u64(two))).toBeGreaterThanOrEqual(size);
    expect(b.call('FreePool', b.u64(one))).toBe(OK);
    expect(b.call('FreePool', b.u64(one)), 'twice').toBe(INVALID);
    expect(b.call('AllocatePool', 4, size, one)).toBe(OK);
  });
  test.each([
    ['conventional memory', 7, 16, INVALID],
    ['too much', 4, 0x4000_0000, 'EFI_OUT_OF_RESOURCES'],
  ])('%s', (_n, type, size, status) => expect(b.call('AllocatePool', type, size, b.cell())).toBe(status));
  test('no result pointer', () => expect(b.call('AllocatePool', 4, 16, 0)).toBe(INVALID));
  test('an address inside a block', () => {
    const at = b.cell();
    b.call('AllocatePool', 4, 64, at);
    expect(b.call('FreePool', b.u64(at) + 16)).toBe(INVALID);
  });
});

describe('memory utilities', () => {
  test('CopyMem with overlap both ways', () => {
    const at = b.put(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    b.raw('CopyMem', at + 2, at, 6);
    expect([...b.bytes(at, 8)]).toEqual([1, 2, 1, 2, 3, 4, 5, 6]);
    b.raw('CopyMem', at, at + 1, 6);
    expect([...b.bytes(at, 8)]).toEqual([2, 1, 2, 3, 4, 5, 5, 6]);
  });
  test('SetMem', () => {
    const at = b.put(Uint8Array.of(1, 2, 3, 4));
    b.raw('SetMem', at + 1, 2, 0x1aa);
    expect([...b.bytes(at, 4)]).toEqual([1, 0xaa, 0xaa, 4]);
  });
  test('a wild size ends in the page fault', () => {
    expect(() => b.raw('SetMem', 0xffff_0000, 2 ** 40, 0)).toThrow(expect.objectContaining({ vector: 14 }));
  });
  test('CalculateCrc32: the check value of the polynomial', () => {
    const crc = b.cell(0xffff_ffff_ffff_ffffn);
    expect(b.call('CalculateCrc32', b.put(new TextEncoder().encode('123456789')), 9, crc)).toBe(OK);
    expect(b.fw.memory.u64(crc)).toBe(0xffff_ffff_cbf4_3926n);
    expect(b.call('CalculateCrc32', crc, 0, crc)).toBe(INVALID);
    expect(b.call('CalculateCrc32', 0, 1, crc)).toBe(INVALID);
  });
});

/** Sorted, apart, merged, and as many pages as at the start. */
function checkMap(regions: readonly Region[], total: number): void {
  let end = -1;
  for (const r of regions) {
    expect(r.base).toBeGreaterThanOrEqual(end);
    expect(r.pages).toBeGreaterThan(0);
    end = regionEnd(r);
  }
  expect(regions.reduce((n, r) => n + r.pages, 0)).toBe(total);
}

test('any sequence of allocations and frees keeps the map whole', () => {
  const operation = fc.oneof(
    fc.record({
      do: fc.constant('allocate' as const),
      how: fc.nat(2),
      type: fc.constantFrom(1, 2, 3, 4, 8),
      pages: fc.integer({ min: 1, max: 300 }),
      at: fc.nat(0x200_0000),
    }),
    fc.record({ do: fc.constant('free' as const), which: fc.nat(100), skip: fc.nat(3), drop: fc.nat(3) }),
    fc.record({ do: fc.constant('pool' as const), type: fc.constantFrom(2, 4), size: fc.nat(5000) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const bench = new Bench();
      const { map } = bench.fw.state;
      const total = map.regions.reduce((n, r) => n + r.pages, 0);
      const held: { base: number; pages: number }[] = [];
      const cell = bench.cell();
      for (const o of operations) {
        if (o.do === 'allocate') {
          bench.fw.memory.setU64(cell, o.how === 2 ? o.at & ~0xfff : o.at);
          if (bench.call('AllocatePages', o.how, o.type, o.pages, cell) !== OK) continue;
          const base = bench.u64(cell);
          for (const h of held) expect(base + o.pages * 4096 <= h.base || base >= h.base + h.pages * 4096).toBe(true);
          held.push({ base, pages: o.pages });
        } else if (o.do === 'pool') bench.call('AllocatePool', o.type, o.size, cell);
        else if (held.length > 0) {
          const [h] = held.splice(o.which % held.length, 1);
          const pages = h!.pages - o.skip - o.drop;
          if (pages <= 0) continue;
          expect(bench.call('FreePages', h!.base + o.skip * 4096, pages)).toBe(OK);
          if (o.skip > 0) held.push({ base: h!.base, pages: o.skip });
          if (o.drop > 0) held.push({ base: h!.base + (o.skip + pages) * 4096, pages: o.drop });
        }
        checkMap(map.regions, total);
      }
    }),
    { numRuns: 40, seed: 7 },
  );
});
