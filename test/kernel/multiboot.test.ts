import { describe, expect, it } from 'vitest';
import { BootImageError } from '../../src/machine/boot/image.ts';
import { multibootImage } from '../../src/machine/boot/multiboot.ts';
import { elf, header, kludge, withHeader } from './images.ts';

describe('a Multiboot kernel says what is loaded where', () => {
  it('by its ELF program headers', () => {
    const image = multibootImage(elf({ entry: 0x40_0010, segments: [{ physical: 0x40_0000, bytes: withHeader(header()), memorySize: 0x2000 }] }));
    expect(image.entry).toBe(0x40_0010);
    expect(image.segments.map(({ address, bytes, size }) => [address, bytes.length, size])).toEqual([[0x40_0000, 64, 0x2000]]);
  });

  it('at physical addresses, the entry too when it is virtual', () => {
    const image = multibootImage(
      elf({ entry: 0xc010_0010, segments: [{ physical: 0x10_0000, virtual: 0xc010_0000, bytes: withHeader(header()), memorySize: 64 }] }),
    );
    expect([image.entry, image.segments[0]!.address]).toEqual([0x10_0010, 0x10_0000]);
  });

  it('in a 64-bit ELF file, as GRUB takes it', () => {
    const image = multibootImage(elf({ wide: true, entry: 0x10_0000, segments: [{ physical: 0x10_0000, bytes: withHeader(header()), memorySize: 64 }] })); // prettier-ignore
    expect([image.entry, image.segments[0]!.size]).toEqual([0x10_0000, 64]);
  });

  it.each([
    ['load_end 0 is the end of the file, bss_end 0 no bss', { load: 0x10_0000, loadEnd: 0, bssEnd: 0 }, [0x10_0000, 160, 160]],
    ['part of the file, and bss', { load: 0x10_0000, loadEnd: 0x10_0080, bssEnd: 0x10_1000 }, [0x10_0000, 0x80, 0x1000]],
    ['loading begins after the file does', { load: 0x10_0010, headerAddress: 0x10_0010, loadEnd: 0x10_0050, bssEnd: 0 }, [0x10_0010, 0x40, 0x40]],
  ])('by the addresses in its header: %s', (_, addresses, [address, bytes, size]) => {
    const image = multibootImage(kludge({ headerAddress: 0x10_0000, entry: 0x10_0030, ...addresses }, 160));
    expect(image.entry).toBe(0x10_0030);
    expect(image.segments.map((s) => [s.address, s.bytes.length, s.size])).toEqual([[address, bytes, size]]);
  });

  it('its header addresses come before ELF headers', () => {
    const file = elf({ entry: 1, segments: [{ physical: 0x20_0000, bytes: kludge({ headerAddress: 0x10_1000, load: 0x10_1000, loadEnd: 0, bssEnd: 0, entry: 0x10_1234 }, 64), memorySize: 64 }] }); // prettier-ignore
    expect(multibootImage(file).entry).toBe(0x10_1234);
  });
});

const small = { physical: 0x10_0000, bytes: withHeader(header()), memorySize: 64 };
const addresses = { headerAddress: 0x10_0000, load: 0x10_0000, loadEnd: 0, bssEnd: 0, entry: 0x10_0000 };

describe('what cannot be loaded is refused with the reason', () => {
  it.each<readonly [string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(), /no Multiboot kernel/],
    ['a text', new TextEncoder().encode('#!/bin/sh\necho not a kernel at all\n'), /no Multiboot kernel/],
    ['a wrong checksum', withHeader(header(0).with(2, 1)), /no Multiboot kernel/],
    ['a header at an odd place', Uint8Array.of(0, ...withHeader(header())), /no Multiboot kernel/],
    ['a header beyond 8 KiB', Uint8Array.of(...new Uint8Array(8192), ...withHeader(header())), /no Multiboot kernel/],
    ['a requirement that is not known', withHeader(header(0x10)), /requires features 0x10/],
    ['no ELF file and no addresses', withHeader(header()), /no ELF file/],
    ['a cut header', withHeader(header(0x1_0000)).slice(0, 20), /cut off/],
    ['header_addr below load_addr', kludge({ ...addresses, load: 0x20_0000 }, 64), /header_addr < load_addr/],
    ['loading before the file', kludge({ ...addresses, load: 0xf_0000 }, 64), /before the file/],
    ['loading after its end', kludge({ ...addresses, loadEnd: 0x20_0000 }, 64), /more is loaded than the file has/],
    ['load_end_addr below load_addr', kludge({ ...addresses, loadEnd: 0xf_0000 }, 64), /more is loaded than the file has/],
    ['bss_end_addr below load_end_addr', kludge({ ...addresses, bssEnd: 0x10_0001 }, 64), /bss_end_addr < load_end_addr/],
    ['a big-endian ELF file', elf({ entry: 0, segments: [small], bigEndian: true }), /big-endian/],
    ['an ELF file for another processor', elf({ entry: 0, segments: [small], machine: 40 }), /machine 40, not for x86/],
    ['an ELF file of no class', elf({ entry: 0, segments: [small], elfClass: 3 }), /class 3/],
    ['an ELF file without segments', elf({ entry: 0, segments: [], tail: withHeader(header()) }), /nothing to load/],
    ['a segment that is cut off', elf({ entry: 0, segments: [small] }).slice(0, -20), /segment for 0x100000 is cut off/],
    ['a segment larger in the file', elf({ entry: 0, segments: [{ ...small, memorySize: 8 }] }), /larger in the file than in memory/],
  ])('%s', (_, file, reason) => {
    expect(() => multibootImage(file)).toThrow(BootImageError);
    expect(() => multibootImage(file)).toThrow(reason);
  });
});
