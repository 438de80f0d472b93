import { beforeEach, describe, expect, test } from 'vitest';
import { memoryDirectory } from '../../src/machine/uefi/files/host-directory.ts';
import { guidText, Guids } from '../../src/machine/uefi/guids.ts';
import { encodePath, filePathNode } from '../../src/machine/uefi/handles/device-path.ts';
import { hostDirectoryNodes } from '../../src/machine/uefi/tables/file-system-path.ts';
import { Bench, OK, RETURN } from './harness.ts';

const INVALID = 'EFI_INVALID_PARAMETER';
const A = 'aaaaaaaa-0000-0000-0000-000000000001';
const B = 'aaaaaaaa-0000-0000-0000-000000000002';

let b: Bench;
let a: number;
let two: number;
beforeEach(() => {
  b = new Bench({ directory: memoryDirectory({ 'x.efi': 'x' }) });
  [a, two] = [b.guid(A), b.guid(B)];
});

function install(handle: number, guid: number, at: number | bigint): number {
  const cell = b.cell(handle);
  expect(b.call('InstallProtocolInterface', cell, guid, 0, at)).toBe(OK);
  return b.u64(cell);
}

describe('InstallProtocolInterface', () => {
  test('makes a handle, adds to one, refuses the same twice', () => {
    const h = install(0, a, 0x1111);
    expect(install(h, two, 0xffff_8000_0000_0001n)).toBe(h);
    expect(b.call('InstallProtocolInterface', b.cell(h), a, 0, 1)).toBe(INVALID);
    const cell = b.cell();
    expect(b.call('HandleProtocol', h, two, cell)).toBe(OK);
    expect(b.fw.memory.u64(cell)).toBe(0xffff_8000_0000_0001n);
  });
  test.each([
    ['no handle pointer', 0, 1, 0],
    ['no GUID', 1, 0, 0],
    ['interface type 1', 1, 1, 1],
  ])('%s', (_n, handle, guid, type) => expect(b.call('InstallProtocolInterface', handle && b.cell(), guid && a, type, 1)).toBe(INVALID));
  test('a handle that is none', () => expect(b.call('InstallProtocolInterface', b.cell(0x1234), a, 0, 1)).toBe(INVALID));
});

test.each([
  ['there', true, A, OK],
  ['another protocol', true, B, 'EFI_UNSUPPORTED'],
  ['no handle', false, A, INVALID],
])('HandleProtocol: %s', (_n, good, guid, status) => {
  const h = install(0, a, 0x1111);
  expect(b.call('HandleProtocol', good ? h : 0x77, b.guid(guid), b.cell())).toBe(status);
});

describe('UninstallProtocolInterface', () => {
  test('the last protocol takes the handle with it', () => {
    const h = install(0, a, 0x1111);
    expect(b.call('UninstallProtocolInterface', h, a, 0x2222)).toBe('EFI_NOT_FOUND');
    expect(b.call('UninstallProtocolInterface', h, a, 0x1111)).toBe(OK);
    expect(b.call('UninstallProtocolInterface', h, a, 0x1111)).toBe(INVALID);
  });
  test('not while a driver has it', () => {
    const h = install(0, a, 0x1111);
    expect(b.call('OpenProtocol', h, a, b.cell(), h, h, 0x10)).toBe(OK);
    expect(b.call('UninstallProtocolInterface', h, a, 0x1111)).toBe('EFI_ACCESS_DENIED');
    expect(b.call('CloseProtocol', h, a, h, h)).toBe(OK);
    expect(b.call('UninstallProtocolInterface', h, a, 0x1111)).toBe(OK);
  });
});

test('ReinstallProtocolInterface changes the interface', () => {
  const h = install(0, a, 0x1111);
  expect(b.call('ReinstallProtocolInterface', h, a, 0x9999, 0x2222)).toBe('EFI_NOT_FOUND');
  expect(b.call('ReinstallProtocolInterface', h, a, 0x1111, 0x2222)).toBe(OK);
  const cell = b.cell();
  b.call('HandleProtocol', h, a, cell);
  expect(b.u64(cell)).toBe(0x2222);
});

describe('multiple interfaces', () => {
  test('all or nothing, either way', () => {
    const cell = b.cell();
    expect(b.call('InstallMultipleProtocolInterfaces', cell, a, 1, two, 2, 0)).toBe(OK);
    const h = b.u64(cell);
    const before = JSON.stringify(b.fw.state.handles);
    const third = b.guid('aaaaaaaa-0000-0000-0000-000000000003');
    expect(b.call('InstallMultipleProtocolInterfaces', cell, third, 3, a, 1, 0)).toBe(INVALID);
    expect(b.call('UninstallMultipleProtocolInterfaces', h, a, 1, two, 99, 0)).toBe(INVALID);
    expect(JSON.stringify(b.fw.state.handles)).toBe(before);
    expect(b.call('UninstallMultipleProtocolInterfaces', h, two, 2, a, 1, 0)).toBe(OK);
    expect(b.call('HandleProtocol', h, a, cell)).toBe(INVALID);
  });
  test('a device path that another handle has', () => {
    const dp = b.guid(Guids.devicePath);
    expect(b.call('InstallMultipleProtocolInterfaces', b.cell(), dp, 0x3_0000, 0)).toBe(OK);
    expect(b.call('InstallMultipleProtocolInterfaces', b.cell(), dp, 0x3_0000, 0)).toBe('EFI_ALREADY_STARTED');
  });
});

describe('LocateHandle', () => {
  const [ALL, NOTIFY, BY] = [0, 1, 2];
  test('size first, then handles in order of installation', () => {
    const [h1, h2] = [install(0, a, 1), install(0, a, 2)];
    const size = b.cell(0);
    const buffer = b.put(64);
    expect(b.call('LocateHandle', BY, a, 0, size, 0)).toBe('EFI_BUFFER_TOO_SMALL');
    expect(b.u64(size)).toBe(16);
    expect(b.call('LocateHandle', BY, a, 0, size, 0)).toBe(INVALID);
    expect(b.call('LocateHandle', BY, a, 0, size, buffer)).toBe(OK);
    expect([b.u64(buffer), b.u64(buffer + 8)]).toEqual([h1, h2]);
  });
  test.each([
    ['unknown protocol', BY, true, 'EFI_NOT_FOUND'],
    ['no protocol', BY, false, INVALID],
    ['unknown registration', NOTIFY, false, INVALID],
    ['search type 3', 3, true, INVALID],
  ])('%s', (_n, how, guid, status) => expect(b.call('LocateHandle', how, guid ? a : 0, 5, b.cell(64), b.put(64))).toBe(status));
  test('every handle, in a buffer of the firmware', () => {
    const [count, buffer] = [b.cell(), b.cell()];
    expect(b.call('LocateHandleBuffer', ALL, 0, 0, count, buffer)).toBe(OK);
    expect(b.u64(count)).toBe(b.fw.state.handles.length);
    expect(b.u64(b.u64(buffer))).toBe(b.fw.state.handles[0]!.handle);
    expect(b.call('FreePool', b.u64(buffer))).toBe(OK);
    expect(b.call('LocateHandleBuffer', BY, a, 0, count, buffer)).toBe('EFI_NOT_FOUND');
    expect([b.u64(count), b.u64(buffer)]).toEqual([0, 0]);
  });
  test('RegisterProtocolNotify: the event, and each new handle once', () => {
    const [event, key] = [b.cell(), b.cell()];
    b.call('CreateEvent', 0x200, 8, 0x5_0000, 0, event);
    expect(b.call('RegisterProtocolNotify', a, b.u64(event), key)).toBe(OK);
    const cell = b.cell();
    b.prepare('InstallProtocolInterface', [cell, a, 0, 7]);
    b.step();
    expect(b.at).toBe('0x50000');
    b.returnFromGuest();
    expect(b.cpu.rip).toBe(RETURN);
    b.cpu.rsp = 0x8_0000n;
    const [size, buffer] = [b.cell(8), b.put(8)];
    expect(b.call('LocateHandle', NOTIFY, 0, b.u64(key), size, buffer)).toBe(OK);
    expect(b.u64(buffer)).toBe(b.u64(cell));
    expect(b.call('LocateHandle', NOTIFY, 0, b.u64(key), size, buffer)).toBe('EFI_NOT_FOUND');
  });
});

test('LocateProtocol', () => {
  const cell = b.cell();
  expect(b.call('LocateProtocol', a, 0, cell)).toBe('EFI_NOT_FOUND');
  install(0, a, 0x1234);
  expect(b.call('LocateProtocol', a, 0, cell)).toBe(OK);
  expect(b.u64(cell)).toBe(0x1234);
});

describe('LocateDevicePath', () => {
  const fs = (): number => b.fw.state.handles.find((h) => h.protocols.some((p) => p.guid === Guids.simpleFileSystem))!.handle;
  test('the longest prefix, and what remains', () => {
    const path = b.put(encodePath([...hostDirectoryNodes, filePathNode('\\x.efi')]));
    const [at, device] = [b.cell(path), b.cell()];
    expect(b.call('LocateDevicePath', b.guid(Guids.simpleFileSystem), at, device)).toBe(OK);
    expect([b.u64(device), b.u64(at) - path]).toEqual([fs(), 20]);
  });
  test.each([
    ['a path that no handle begins', encodePath([filePathNode('\\x')]), 'EFI_NOT_FOUND'],
    ['a node without length', Uint8Array.of(4, 4, 0, 0), INVALID],
  ])('%s', (_n, path, status) => expect(b.call('LocateDevicePath', b.guid(Guids.simpleFileSystem), b.cell(b.put(path)), b.cell())).toBe(status));
});

describe('OpenProtocol', () => {
  const [GET, TEST, CHILD, DRIVER, EXCLUSIVE] = [2, 4, 8, 0x10, 0x20];
  test.each([
    ['GET_PROTOCOL with an agent that is no handle (BitVisor)', GET, 0xdead_beefn, OK],
    ['GET_PROTOCOL with a NULL agent', GET, 0n, OK],
    ['BY_DRIVER with an agent that is no handle', DRIVER, 0xdead_beefn, INVALID],
    ['EXCLUSIVE with an agent that is no handle', EXCLUSIVE, 0xdead_beefn, INVALID],
    ['no attribute', 0, 0n, INVALID],
    ['two that do not go together', GET | DRIVER, 0n, INVALID],
  ])('%s', (_n, attributes, agent, status) => {
    const h = install(0, a, 0x1111);
    expect(b.call('OpenProtocol', h, a, b.cell(), agent, 0, attributes)).toBe(status);
  });
  test('TEST_PROTOCOL needs no result', () => {
    const h = install(0, a, 0x1111);
    expect(b.call('OpenProtocol', h, a, 0, 0, 0, TEST)).toBe(OK);
    expect(b.call('OpenProtocol', h, two, 0, 0, 0, TEST)).toBe('EFI_UNSUPPORTED');
    expect(b.call('OpenProtocol', h, a, 0, 0, 0, GET)).toBe(INVALID);
  });
  test('one driver at a time', () => {
    const [h, other] = [install(0, a, 1), install(0, two, 2)];
    const open = (agent: number, attributes: number): string => b.call('OpenProtocol', h, a, b.cell(), agent, h, attributes);
    expect(open(h, DRIVER)).toBe(OK);
    expect(open(h, DRIVER)).toBe('EFI_ALREADY_STARTED');
    expect(open(other, DRIVER)).toBe('EFI_ACCESS_DENIED');
    expect(open(other, EXCLUSIVE)).toBe('EFI_ACCESS_DENIED');
    expect(b.call('OpenProtocol', h, a, b.cell(), other, h, CHILD), 'a child of itself').toBe(INVALID);
  });
  test('OpenProtocolInformation lists who opened', () => {
    const h = install(0, a, 1);
    b.call('OpenProtocol', h, a, b.cell(), 0x77, 0, GET);
    b.call('OpenProtocol', h, a, b.cell(), 0x77, 0, GET);
    const [list, count] = [b.cell(), b.cell()];
    expect(b.call('OpenProtocolInformation', h, a, list, count)).toBe(OK);
    const at = b.u64(list);
    expect([b.u64(count), b.u64(at), b.fw.memory.u32(at + 16), b.fw.memory.u32(at + 20)]).toEqual([1, 0x77, GET, 2]);
    expect(b.call('CloseProtocol', h, a, 0x77, 0)).toBe(OK);
    expect(b.call('CloseProtocol', h, a, 0x77, 0)).toBe('EFI_NOT_FOUND');
    expect(b.call('OpenProtocolInformation', h, two, list, count)).toBe('EFI_NOT_FOUND');
  });
});

test('ProtocolsPerHandle', () => {
  const h = install(install(0, a, 1), two, 2);
  const [list, count] = [b.cell(), b.cell()];
  expect(b.call('ProtocolsPerHandle', h, list, count)).toBe(OK);
  expect(b.u64(count)).toBe(2);
  const at = b.u64(list);
  expect([0, 1].map((n) => guidText(b.bytes(b.u64(at + n * 8), 16)))).toEqual([A, B]);
  expect(b.call('FreePool', at)).toBe(OK);
  expect(b.call('ProtocolsPerHandle', 0x11, list, count)).toBe(INVALID);
});

test('controllers: nothing connects', () => {
  const h = install(0, a, 1);
  expect(b.call('ConnectController', h, 0, 0, 0)).toBe('EFI_NOT_FOUND');
  expect(b.call('DisconnectController', h, 0, 0)).toBe(OK);
  expect(b.call('DisconnectController', 0x11, 0, 0)).toBe(INVALID);
});

test('InstallConfigurationTable adds, changes, removes, and signals the group', () => {
  const system = b.fw.layout.runtimeData.base;
  const count = (): number => b.u64(system + 104);
  const event = b.cell();
  b.call('CreateEventEx', 0, 0, 0, 0, a, event);
  const before = count();
  expect(b.call('InstallConfigurationTable', a, 0x4000)).toBe(OK);
  expect(b.call('CheckEvent', b.u64(event))).toBe(OK);
  expect(count()).toBe(before + 1);
  const entry = b.u64(system + 112) + before * 24;
  expect([guidText(b.bytes(entry, 16)), b.u64(entry + 16)]).toEqual([A, 0x4000]);
  expect(b.call('InstallConfigurationTable', a, 0x5000)).toBe(OK);
  expect([count(), b.u64(entry + 16)]).toEqual([before + 1, 0x5000]);
  expect(b.call('InstallConfigurationTable', a, 0)).toBe(OK);
  expect(count()).toBe(before);
  expect(b.call('InstallConfigurationTable', a, 0)).toBe('EFI_NOT_FOUND');
});
