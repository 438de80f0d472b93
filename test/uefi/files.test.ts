import { beforeEach, describe, expect, test } from 'vitest';
import { memoryDirectory, type HostDirectory } from '../../src/machine/uefi/files/host-directory.ts';
import { splitName } from '../../src/machine/uefi/files/volume.ts';
import { Guids } from '../../src/machine/uefi/guids.ts';
import { Bench, OK } from './harness.ts';

const INVALID = 'EFI_INVALID_PARAMETER';
const [READ, WRITE, CREATE] = [1n, 2n, 1n << 63n];
const files = { 'EFI/BOOT/BOOTX64.EFI': 'boot image', 'bitvisor.elf': '0123456789', empty: '' };

let b: Bench;
let root: number;
function mount(directory: HostDirectory): void {
  b = new Bench({ directory });
  const cell = b.cell();
  expect(b.call('SimpleFileSystem.OpenVolume', 0, cell)).toBe(OK);
  root = b.u64(cell);
}
beforeEach(() => mount(memoryDirectory(files)));

function open(name: string, from = root, mode = READ, attributes = 0): number {
  const cell = b.cell();
  expect(b.call('File.Open', from, cell, b.text(name), mode, attributes)).toBe(OK);
  return b.u64(cell);
}
const status = (name: string, from = root, mode = READ, attributes = 0): string =>
  b.call('File.Open', from, b.cell(), b.text(name), mode, attributes);
function read(file: number, length: number): string {
  const [size, buffer] = [b.cell(length), b.put(Math.max(length, 1))];
  expect(b.call('File.Read', file, size, buffer)).toBe(OK);
  return new TextDecoder().decode(b.bytes(buffer, b.u64(size)));
}

test.each([
  ['', 'a\\b', ['a', 'b']],
  ['x/y', 'a', ['x', 'y', 'a']],
  ['x/y', '\\a', ['a']],
  ['x/y', '..\\a\\.\\b', ['x', 'a', 'b']],
  ['x', '/a//b/', ['a', 'b']],
  ['', '..', undefined],
  ['x', '..\\..', undefined],
])('splitName(%j, %j)', (from, name, parts) => expect(splitName(from, name)).toEqual(parts));

describe('Open', () => {
  test.each([
    ['from the root', '\\EFI\\BOOT\\BOOTX64.EFI', OK],
    ['relative', 'bitvisor.elf', OK],
    ['in any case', '\\efi\\Boot\\bootx64.efi', OK],
    ['with slashes', '/EFI/BOOT/BOOTX64.EFI', OK],
    ['a directory', 'EFI', OK],
    ['the directory itself', '.', OK],
    ['there and back', 'EFI\\..\\bitvisor.elf', OK],
    ['nothing', 'nothing', 'EFI_NOT_FOUND'],
    ['above the root', '..', 'EFI_NOT_FOUND'],
    ['through a file', 'bitvisor.elf\\x', 'EFI_NOT_FOUND'],
    ['a very long name', 'x'.repeat(300), 'EFI_NOT_FOUND'],
  ])('%s', (_n, name, expected) => expect(status(name)).toBe(expected));
  test.each([
    ['write', READ | WRITE, 'EFI_WRITE_PROTECTED'],
    ['create', READ | WRITE | CREATE, 'EFI_WRITE_PROTECTED'],
    ['write only', WRITE, INVALID],
    ['nothing', 0n, INVALID],
  ])('read-only directory, mode %s', (_n, mode, expected) => expect(status('bitvisor.elf', root, mode)).toBe(expected));
  test('from an open directory and from beside an open file', () => {
    const boot = open('EFI\\BOOT');
    expect(read(open('BOOTX64.EFI', boot), 100)).toBe('boot image');
    expect(read(open('BOOTX64.EFI', open('BOOTX64.EFI', boot)), 100)).toBe('boot image');
    expect(read(open('..\\..\\bitvisor.elf', boot), 3)).toBe('012');
  });
  test('not from something that is no file', () => {
    expect(status('x', 0)).toBe(INVALID);
    expect(status('x', 0x1234)).toBe(INVALID);
    const f = open('empty');
    expect(b.call('File.Close', f)).toBe(OK);
    expect(b.call('File.Close', f)).toBe(INVALID);
  });
});

describe('Read and position', () => {
  test('piece by piece, to the end', () => {
    const f = open('bitvisor.elf');
    expect([read(f, 4), read(f, 4), read(f, 4), read(f, 4)]).toEqual(['0123', '4567', '89', '']);
    const position = b.cell();
    expect(b.call('File.GetPosition', f, position)).toBe(OK);
    expect(b.u64(position)).toBe(10);
    expect(b.call('File.SetPosition', f, 2)).toBe(OK);
    expect(read(f, 2)).toBe('23');
    expect(b.call('File.SetPosition', f, 0xffff_ffff_ffff_ffffn)).toBe(OK);
    expect(read(f, 2)).toBe('');
    b.call('File.SetPosition', f, 11);
    expect(b.call('File.Read', f, b.cell(1), b.put(8)), 'beyond the end').toBe('EFI_DEVICE_ERROR');
  });
  test('a directory: one entry a read, then nothing, then again', () => {
    const d = open('\\');
    const names: string[] = [];
    for (let n = 0; n < 4; n++) {
      const [size, buffer] = [b.cell(200), b.put(200)];
      expect(b.call('File.Read', d, size, buffer)).toBe(OK);
      if (b.u64(size) > 0) names.push(`${b.fw.memory.utf16(buffer + 80, 100)} ${b.u64(buffer + 8)} ${b.u64(buffer + 72)}`);
    }
    expect(names.sort()).toEqual(['EFI 0 17', 'bitvisor.elf 10 33', 'empty 0 33']);
    expect(b.call('File.SetPosition', d, 1)).toBe('EFI_UNSUPPORTED');
    expect(b.call('File.SetPosition', d, 0)).toBe(OK);
    const size = b.cell(10);
    expect(b.call('File.Read', d, size, b.put(200))).toBe('EFI_BUFFER_TOO_SMALL');
    expect(b.u64(size)).toBeGreaterThan(80);
  });
  test('a host that fails is a device error with a message', () => {
    const broken: HostDirectory = { ...memoryDirectory(files), read: () => { throw new Error('disk on fire'); } }; // prettier-ignore
    mount(broken);
    expect(b.call('File.Read', open('bitvisor.elf'), b.cell(4), b.put(8))).toBe('EFI_DEVICE_ERROR');
    expect(b.machine.messages.join()).toContain('disk on fire');
  });
});

describe('GetInfo', () => {
  const info = (file: number, guid: string, room = 300): { status: string; at: number; size: number } => {
    const [size, at] = [b.cell(room), b.put(300)];
    return { status: b.call('File.GetInfo', file, b.guid(guid), size, at), at, size: b.u64(size) };
  };
  test('file info: size, times, attributes, name', () => {
    const { status: s, at, size } = info(open('bitvisor.elf'), Guids.fileInfo);
    expect([s, size, b.u64(at), b.u64(at + 8)]).toEqual([OK, 80 + 26, 80 + 26, 10]);
    expect([...b.bytes(at + 24, 4)]).toEqual([0xe8, 7, 1, 1]);
    expect(b.fw.memory.utf16(at + 80, 26)).toBe('bitvisor.elf');
  });
  test('file system info and label', () => {
    const { at } = info(root, Guids.fileSystemInfo);
    expect([b.bytes(at + 8, 1)[0], b.fw.memory.u32(at + 32), b.fw.memory.utf16(at + 36, 20)]).toEqual([1, 512, 'ESP']);
    expect(b.fw.memory.utf16(info(root, Guids.fileSystemVolumeLabel).at, 20)).toBe('ESP');
  });
  test('too small, and unknown', () => {
    expect(info(root, Guids.fileInfo, 8)).toMatchObject({ status: 'EFI_BUFFER_TOO_SMALL', size: 82 });
    expect(info(root, Guids.acpi10).status).toBe('EFI_UNSUPPORTED');
  });
});

describe('writing', () => {
  let directory: HostDirectory;
  beforeEach(() => mount((directory = memoryDirectory(files, true))));
  const content = (path: string): string => new TextDecoder().decode(directory.read(path, 0, 1000));
  test('create, write, flush, read back', () => {
    const f = open('EFI\\new.txt', root, READ | WRITE | CREATE);
    expect(b.call('File.Write', f, b.cell(5), b.put(new TextEncoder().encode('hello')))).toBe(OK);
    b.call('File.SetPosition', f, 4);
    expect(b.call('File.Write', f, b.cell(2), b.put(new TextEncoder().encode('p!')))).toBe(OK);
    expect(b.call('File.Flush', f)).toBe(OK);
    expect(content('EFI/new.txt')).toBe('hellp!');
  });
  test('a handle opened for reading does not write', () => {
    expect(b.call('File.Write', open('bitvisor.elf'), b.cell(1), b.put(8))).toBe('EFI_ACCESS_DENIED');
    expect(b.call('File.Write', open('EFI'), b.cell(1), b.put(8))).toBe('EFI_UNSUPPORTED');
  });
  test('write does not create', () => expect(status('none', root, READ | WRITE)).toBe('EFI_NOT_FOUND'));
  test('create where there is no directory', () => expect(status('no\\file', root, READ | WRITE | CREATE)).toBe('EFI_NOT_FOUND'));
  test('delete closes; a full directory stays', () => {
    expect(b.raw('File.Delete', open('empty', root, READ | WRITE))).toBe(0n);
    expect(directory.stat('empty')).toBeUndefined();
    expect(b.raw('File.Delete', open('EFI', root, READ | WRITE)), 'EFI_WARN_DELETE_FAILURE').toBe(2n);
  });
  test('SetInfo truncates and renames', () => {
    const f = open('bitvisor.elf', root, READ | WRITE);
    const at = b.put(200);
    const size = b.cell(200);
    b.call('File.GetInfo', f, b.guid(Guids.fileInfo), size, at);
    b.fw.memory.setU64(at + 8, 3);
    b.fw.memory.write(at + 80, b.bytes(b.text('other.elf'), 20));
    expect(b.call('File.SetInfo', f, b.guid(Guids.fileInfo), b.u64(size), at)).toBe(OK);
    expect(content('other.elf')).toBe('012');
    expect(b.call('File.SetInfo', f, b.guid(Guids.fileInfo), 10, at)).toBe('EFI_BAD_BUFFER_SIZE');
  });
});
