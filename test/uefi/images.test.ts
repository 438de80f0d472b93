import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { memoryDirectory } from '../../src/machine/uefi/files/host-directory.ts';
import { Guids } from '../../src/machine/uefi/guids.ts';
import { encodePath, filePathNode } from '../../src/machine/uefi/handles/device-path.ts';
import { layOut, parsePe } from '../../src/machine/uefi/images/pe.ts';
import { loadImage } from '../../src/machine/uefi/images/loader.ts';
import { Pack } from '../../src/machine/uefi/pack.ts';
import { Refusal, statusName } from '../../src/machine/uefi/status.ts';
import { hostDirectoryNodes } from '../../src/machine/uefi/tables/file-system-path.ts';
import type { ImageEntry } from '../../src/machine/uefi/state.ts';
import { Bench, OK, RETURN, STACK } from './harness.ts';
import { buildPe, CODE_AT } from './pe-builder.ts';

const INVALID = 'EFI_INVALID_PARAMETER';
const LOAD_ERROR = 'EFI_LOAD_ERROR';
const UNSUPPORTED = 'EFI_UNSUPPORTED';

const statusOf = (act: () => unknown): string => {
  try {
    act();
    return OK;
  } catch (e) {
    if (e instanceof Refusal) return statusName(e.status);
    throw e;
  }
};

/** A relocation block for page `page`: entries are type << 12 | offset. */
const block = (page: number, entries: readonly number[], size = 8 + entries.length * 2): Uint8Array =>
  entries.reduce((p, e) => p.u16(e), new Pack().u32(page).u32(size)).done();

describe('parsing and placing PE32+ files', () => {
  const good = buildPe();
  const patched = (at: number, bytes: number[]): Uint8Array => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  test.each<[string, Uint8Array, string]>([
    ['a good one', good, OK],
    ['nothing', new Uint8Array(0), LOAD_ERROR],
    ['one byte', Uint8Array.of(0x4d), LOAD_ERROR],
    ['not MZ', new TextEncoder().encode('#!/bin/sh and more text that is long enough for a header to be read...'), UNSUPPORTED],
    ['only the DOS header', good.slice(0, 0x40), LOAD_ERROR],
    ['cut in the PE header', good.slice(0, 0x50), LOAD_ERROR],
    ['cut in the optional header', good.slice(0, 0x80), LOAD_ERROR],
    ['cut in the section table', good.slice(0, 0x158), LOAD_ERROR],
    ['cut in the code', good.slice(0, 0x401), LOAD_ERROR],
    ['e_lfanew beyond the file', patched(0x3c, [0xff, 0xff, 0xff, 0xff]), LOAD_ERROR],
    ['no PE signature', patched(0x40, [0]), UNSUPPORTED],
    ['ARM64', buildPe({ machine: 0xaa64 }), UNSUPPORTED],
    ['PE32', buildPe({ magic: 0x10b }), UNSUPPORTED],
    ['a Windows program', buildPe({ subsystem: 3 }), UNSUPPORTED],
    ['an EFI ROM', buildPe({ subsystem: 13 }), UNSUPPORTED],
    ['no image size', buildPe({ imageSize: 0 }), LOAD_ERROR],
    ['a huge image size', buildPe({ imageSize: 0xffff_f000 }), LOAD_ERROR],
    ['a section beyond the image', buildPe({ imageSize: 0x1000 }), LOAD_ERROR],
    ['a section with a huge virtual size', buildPe({ virtualSize: 0xffff_ffff }), LOAD_ERROR],
    ['a section with wild file offset', buildPe({ rawPointer: 0xffff_fff0 }), LOAD_ERROR],
    ['an entry point outside', buildPe({ entry: 0x3000 }), LOAD_ERROR],
    ['an odd section alignment', buildPe({ sectionAlignment: 0x1001 }), LOAD_ERROR],
    ['no section alignment', buildPe({ sectionAlignment: 0 }), LOAD_ERROR],
  ])('%s', (_name, file, status) => expect(statusOf(() => parsePe(file))).toBe(status));

  test('relocations move what they name and nothing else', () => {
    const code = [...new Pack().u64(0x1_4000_1234).u32(0x4000_1000).u16(0x1000).u16(0x4000).u64(0x77).done()];
    const relocations = block(CODE_AT, [0xa000, 0x3008, 0x200c, 0x100e, 0x0000]);
    const image = parsePe(buildPe({ code, imageBase: 0x1_4000_0000, relocations }));
    const view = new DataView(layOut(image, 0x1_4568_0000).buffer);
    expect(view.getBigUint64(CODE_AT, true)).toBe(0x1_4568_1234n);
    expect(view.getUint32(CODE_AT + 8, true)).toBe(0x4568_1000);
    expect(view.getUint16(CODE_AT + 12, true)).toBe(0x1000);
    expect(view.getUint16(CODE_AT + 14, true)).toBe(0x4568);
    expect(view.getBigUint64(CODE_AT + 16, true)).toBe(0x77n);
    expect(new DataView(layOut(image, 0x1_4000_0000).buffer).getBigUint64(CODE_AT, true)).toBe(0x1_4000_1234n);
  });
  test.each([
    ['a block shorter than its header', block(CODE_AT, [0xa000], 4)],
    ['a block longer than the directory', block(CODE_AT, [0xa000], 0x100)],
    ['a target outside the image', block(0x10_0000, [0xa000])],
    ['a target across the end', block(0x2000, [0xaffc])],
    ['an unknown type', block(CODE_AT, [0x5000])],
  ])('relocations: %s', (_n, relocations) =>
    expect(statusOf(() => layOut(parsePe(buildPe({ relocations, imageBase: 0x100_0000 })), 0x20_0000))).toBe(LOAD_ERROR),
  );

  test('stripped relocations: at its own address or not at all', () => {
    const b = new Bench();
    const source = { name: 'x', path: undefined, device: 0, deviceNodes: [], parent: 0 };
    const bytes = buildPe({ characteristics: 0x23, imageBase: 0x40_0000 });
    expect(loadImage(b.fw, { ...source, bytes }).base).toBe(0x40_0000);
    const before = JSON.stringify(b.fw.state);
    expect(statusOf(() => loadImage(b.fw, { ...source, bytes }))).toBe('EFI_NOT_FOUND');
    expect(JSON.stringify(b.fw.state)).toBe(before);
  });

  test('the embedded guest: mutated a thousand times, it loads or is refused', () => {
    const file = new Uint8Array(readFileSync(new URL('../../guest/bin/vmxguest.efi', import.meta.url)));
    expect(statusOf(() => layOut(parsePe(file), 0x123_4000))).toBe(OK);
    let random = 12345;
    const next = (below: number): number => (random = (Math.imul(random, 1103515245) + 12345) >>> 0) % below;
    const seen = new Set<string>();
    for (let n = 0; n < 1000; n++) {
      const copy = next(8) === 0 ? file.slice(0, next(file.length)) : file.slice();
      const header = Math.min(copy.length, 0x400);
      for (let k = next(6); k >= 0 && header > 0; k--) copy[next(next(4) === 0 ? copy.length : header)] = [0, 0xff, 0x80, next(256)][next(4)]!;
      seen.add(statusOf(() => layOut(parsePe(copy), 0x123_4000)));
    }
    expect([...seen].sort()).toEqual([LOAD_ERROR, OK, UNSUPPORTED].sort());
  });
});

describe('LoadImage and StartImage', () => {
  let b: Bench;
  let parent: ImageEntry;
  beforeEach(() => {
    b = new Bench({
      directory: memoryDirectory({ 'EFI/app.efi': buildPe(), 'EFI/bad.efi': 'not an image', 'driver.efi': buildPe({ subsystem: 11 }) }),
    });
    parent = loadImage(b.fw, { bytes: buildPe(), name: 'parent', path: undefined, device: 0, deviceNodes: [], parent: 0 });
  });
  const pathOf = (name: string): number => b.put(encodePath([...hostDirectoryNodes, filePathNode(name)]));
  function load(file: Uint8Array): number {
    const cell = b.cell();
    expect(b.call('LoadImage', 0, parent.handle, 0, b.put(file), file.length, cell)).toBe(OK);
    return b.u64(cell);
  }
  function start(handle: number, size = 0, data = 0): void {
    b.prepare('StartImage', [handle, size, data]);
    b.step();
  }

  test.each([
    ['a file by device path', '\\EFI\\app.efi', true, OK],
    ['in any case', '\\efi\\APP.EFI', true, OK],
    ['no such file', '\\EFI\\none.efi', true, 'EFI_NOT_FOUND'],
    ['a directory', '\\EFI', true, 'EFI_NOT_FOUND'],
    ['no image', '\\EFI\\bad.efi', true, UNSUPPORTED],
    ['a parent that is no image', '\\EFI\\app.efi', false, INVALID],
  ])('%s', (_n, name, good, status) => expect(b.call('LoadImage', 0, good ? parent.handle : 0x99, pathOf(name), 0, 0, b.cell())).toBe(status));
  test('neither path nor buffer', () => expect(b.call('LoadImage', 0, parent.handle, 0, 0, 0, b.cell())).toBe('EFI_NOT_FOUND'));
  test('an empty buffer', () => expect(b.call('LoadImage', 0, parent.handle, 0, 0x2_0000, 0, b.cell())).toBe(LOAD_ERROR));

  test('LoadedImage says where it is and where it came from', () => {
    const cell = b.cell();
    b.call('LoadImage', 0, parent.handle, pathOf('\\EFI\\app.efi'), 0, 0, cell);
    const image = b.fw.state.images.find((i) => i.handle === b.u64(cell))!;
    b.call('HandleProtocol', image.handle, b.guid(Guids.loadedImage), cell);
    const at = b.u64(cell);
    expect(b.fw.memory.u32(at)).toBe(0x1000);
    expect([8, 16, 64, 72].map((o) => b.u64(at + o))).toEqual([parent.handle, b.fw.layout.runtimeData.base, image.base, image.size]);
    expect([80, 84].map((o) => b.fw.memory.u32(at + o))).toEqual([1, 2]);
    const file = b.u64(at + 32);
    expect([...b.bytes(file, 2)]).toEqual([4, 4]);
    expect(b.fw.memory.utf16(file + 4, 100)).toBe('\\EFI\\app.efi');
    expect(b.fw.state.handles.some((h) => h.handle === b.u64(at + 24) && h.protocols.some((p) => p.guid === Guids.simpleFileSystem))).toBe(true);
    expect([...b.bytes(image.base + CODE_AT, 3)]).toEqual([0x31, 0xc0, 0xc3]);
  });

  test('an application: entry with handle and system table, its status to the starter, then gone', () => {
    const pages = b.fw.state.map.regions.length;
    const h = load(buildPe());
    const image = b.fw.state.images.at(-1)!;
    for (const n of [3, 5, 6, 7, 12, 15]) b.cpu.setGpr(n, BigInt(n) * 0x1111n);
    start(h);
    expect([b.cpu.rip, b.cpu.gpr(1), b.cpu.gpr(2)]).toEqual([BigInt(image.entry), BigInt(h), BigInt(b.fw.layout.runtimeData.base)]);
    expect(b.fw.state.currentImage).toBe(h);
    b.returnFromGuest(0x8000_0000_0000_0005n);
    expect([b.cpu.rip, b.cpu.gpr(0), b.cpu.gpr(15)]).toEqual([RETURN, 0x8000_0000_0000_0005n, 0xffffn]);
    expect(b.fw.state.images).toEqual([parent]);
    expect(b.fw.state.map.regions.length).toBe(pages);
    b.cpu.rsp = BigInt(STACK);
    expect(b.call('StartImage', h, 0, 0)).toBe(INVALID);
  });
  test('Exit from deep in the stack gives registers, stack and exit data back', () => {
    const h = load(buildPe());
    const [size, data] = [b.cell(), b.cell()];
    b.cpu.setGpr(12, 0x1212n);
    start(h, size, data);
    b.cpu.setGpr(12, 0n);
    b.cpu.rsp -= 0x500n;
    b.prepare('Exit', [h, 7, 16, 0xabcd]);
    b.step();
    expect([b.cpu.rip, b.cpu.gpr(0), b.cpu.gpr(12), b.cpu.rsp]).toEqual([RETURN, 7n, 0x1212n, BigInt(STACK) - 0x80n]);
    expect([b.u64(size), b.u64(data)]).toEqual([16, 0xabcd]);
    expect(b.fw.state.frames).toEqual([]);
  });
  test('Exit within a notification forgets the notification', () => {
    const h = load(buildPe());
    start(h);
    const event = b.cell();
    b.call('CreateEvent', 0x200, 8, 0x5_0000, 0, event);
    b.prepare('SignalEvent', [b.u64(event)]);
    b.step();
    expect(b.fw.state.frames.length).toBe(2);
    b.prepare('Exit', [h, 0, 0, 0]);
    b.step();
    expect([b.cpu.rip, b.fw.state.frames.length, b.fw.state.tpl]).toEqual([RETURN, 0, 4]);
  });
  test('Exit of an image that only was loaded unloads it; of one that does not run is refused', () => {
    const h = load(buildPe());
    expect(b.call('Exit', h, 0, 0, 0)).toBe(OK);
    expect(b.call('Exit', h, 0, 0, 0)).toBe(INVALID);
    const [outer, inner] = [load(buildPe()), load(buildPe())];
    start(outer);
    start(inner);
    b.prepare('Exit', [outer, 0, 0, 0]);
    b.step();
    expect(b.cpu.gpr(0) & 0xffn).toBe(2n);
  });
  test('a driver stays when it succeeds, goes when it fails', () => {
    for (const [status, stays] of [
      [0n, true],
      [0x8000_0000_0000_0003n, false],
    ] as const) {
      const h = load(buildPe({ subsystem: 11 }));
      start(h);
      b.returnFromGuest(status);
      expect(b.fw.state.images.some((i) => i.handle === h)).toBe(stays);
      b.cpu.rsp = BigInt(STACK);
    }
  });
  test('UnloadImage asks the Unload function', () => {
    const h = load(buildPe({ subsystem: 11 }));
    start(h);
    b.returnFromGuest();
    b.cpu.rsp = BigInt(STACK);
    expect(b.call('UnloadImage', h)).toBe(UNSUPPORTED);
    const image = b.fw.state.images.at(-1)!;
    b.fw.memory.setU64(image.protocol + 88, 0x5_0000);
    for (const [status, gone] of [
      [0x8000_0000_0000_0003n, false],
      [0n, true],
    ] as const) {
      b.prepare('UnloadImage', [h]);
      b.step();
      expect([b.at, b.cpu.gpr(1)]).toEqual(['0x50000', BigInt(h)]);
      b.returnFromGuest(status);
      expect([b.cpu.rip, b.cpu.gpr(0)]).toEqual([RETURN, status]);
      expect(b.fw.state.images.every((i) => i.handle !== h)).toBe(gone);
      b.cpu.rsp = BigInt(STACK);
    }
  });
  test('what a guest frees behind the firmware is not freed twice', () => {
    const h = load(buildPe());
    const image = b.fw.state.images.at(-1)!;
    expect(b.call('FreePages', image.base, image.pages)).toBe(OK);
    expect(b.call('FreePool', image.protocol)).toBe(OK);
    expect(b.call('FreePool', h)).toBe(OK);
    expect(b.call('UnloadImage', h)).toBe(OK);
  });
});

describe('ExitBootServices', () => {
  let b: Bench;
  let image: ImageEntry;
  beforeEach(() => {
    b = new Bench();
    image = loadImage(b.fw, { bytes: buildPe(), name: 'os', path: undefined, device: 0, deviceNodes: [], parent: 0 });
  });
  test('needs the present map key and an image', () => {
    expect(b.call('ExitBootServices', image.handle, b.fw.state.map.key + 1)).toBe(INVALID);
    expect(b.call('ExitBootServices', 0x99, b.fw.state.map.key)).toBe(INVALID);
    expect(b.fw.state.exited).toBe(false);
  });
  test('signals its events; afterwards only runtime services answer', () => {
    const event = b.cell();
    b.call('CreateEvent', 0x201, 16, 0x5_0000, 0x42, event);
    b.prepare('ExitBootServices', [image.handle, b.fw.state.map.key]);
    b.step();
    expect([b.at, b.cpu.gpr(2)]).toEqual(['0x50000', 0x42n]);
    b.returnFromGuest();
    expect([b.cpu.rip, b.cpu.gpr(0)]).toEqual([RETURN, 0n]);
    b.cpu.rsp = BigInt(STACK);
    expect(b.call('AllocatePool', 4, 1, b.cell())).toBe(UNSUPPORTED);
    expect(b.call('GetTime', b.put(16), 0)).toBe(OK);
    const system = b.fw.layout.runtimeData.base;
    expect([48, 64, 96].map((o) => b.u64(system + o))).toEqual([0, 0, 0]);
  });
  test('SetVirtualAddressMap moves the runtime pointers, once', () => {
    const { traps, runtimeData } = b.fw.layout;
    const map = new Pack();
    for (const [at, pages, v] of [
      [traps.base, 4, 0xffff_fffe_0000_0000n],
      [runtimeData.base, 8, 0xffff_fffe_0010_0000n],
    ] as const)
      map.u32(5).u32(0).u64(at).u64(v).u64(pages).u64(0x8000_0000_0000_000fn).u64(0);
    const at = b.put(map.done());
    const args = [96, 48, 1, at] as const;
    expect(b.call('SetVirtualAddressMap', ...args), 'before ExitBootServices').toBe(UNSUPPORTED);
    b.call('ExitBootServices', image.handle, b.fw.state.map.key);
    expect(b.call('SetVirtualAddressMap', 96, 48, 2, at)).toBe(INVALID);
    expect(b.call('SetVirtualAddressMap', 96, 20, 1, at)).toBe(INVALID);
    expect(b.call('SetVirtualAddressMap', ...args)).toBe(OK);
    expect(b.call('SetVirtualAddressMap', ...args)).toBe(UNSUPPORTED);
    const system = runtimeData.base;
    expect(b.fw.memory.u64(system + 88)).toBe(0xffff_fffe_0010_0100n);
    expect(b.fw.memory.u64(runtimeData.base + 0x100 + 24)).toBe(0xffff_fffe_0000_0000n + BigInt(b.fw.slot('GetTime') - traps.base));
  });
});
