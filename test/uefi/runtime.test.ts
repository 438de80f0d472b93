import { beforeEach, describe, expect, test } from 'vitest';
import { decodeTime, encodeTime } from '../../src/machine/uefi/services/runtime/efi-time.ts';
import { Guids } from '../../src/machine/uefi/guids.ts';
import { Pack } from '../../src/machine/uefi/pack.ts';
import { Bench, OK } from './harness.ts';

let b: Bench;
beforeEach(() => void (b = new Bench()));
const INVALID = 'EFI_INVALID_PARAMETER';

describe('time', () => {
  test("the machine's start date and its own time", () => {
    const [at, capabilities] = [b.put(16), b.put(16)];
    b.machine.clock.advance(3_723_500_000_000);
    expect(b.call('GetTime', at, capabilities)).toBe(OK);
    expect([...b.bytes(at, 7)]).toEqual([0xe8, 7, 1, 1, 1, 2, 3]);
    expect(b.fw.memory.u32(at + 8)).toBe(500_000_000);
    expect([b.fw.memory.u32(capabilities), b.fw.memory.u32(capabilities + 4)]).toEqual([1, 1_000_000]);
    expect(b.call('GetTime', 0, 0)).toBe(INVALID);
  });
  test('SetTime, then time goes on', () => {
    expect(b.call('SetTime', b.put(encodeTime(Date.UTC(2030, 11, 31, 23, 59, 59))))).toBe(OK);
    b.machine.clock.advance(2e9);
    const at = b.put(16);
    b.call('GetTime', at, 0);
    expect([...b.bytes(at, 7)]).toEqual([0xef, 7, 1, 1, 0, 0, 1]);
  });
  test.each([
    ['month 13', [0xe8, 7, 13, 1, 0, 0, 0]],
    ['day 0', [0xe8, 7, 1, 0, 0, 0, 0]],
    ['February 30', [0xe8, 7, 2, 30, 0, 0, 0]],
    ['hour 24', [0xe8, 7, 1, 1, 24, 0, 0]],
    ['year 1', [1, 0, 1, 1, 0, 0, 0]],
  ])('SetTime refuses %s', (_n, bytes) => expect(b.call('SetTime', b.put(new Pack().bytes(bytes).zeros(9).done()))).toBe(INVALID));
  test('a time zone counts', () => {
    const bytes = encodeTime(Date.UTC(2024, 0, 1));
    bytes.set([60, 0], 12);
    expect(decodeTime(bytes)).toBe(Date.UTC(2024, 0, 1, 1));
    bytes.set([0, 0x20], 12);
    expect(decodeTime(bytes)).toBeUndefined();
  });
  test.each(['GetWakeupTime', 'SetWakeupTime', 'UpdateCapsule', 'QueryCapsuleCapabilities'])('%s: unsupported, said once', (name) => {
    for (let n = 0; n < 2; n++) expect(b.call(name)).toBe('EFI_UNSUPPORTED');
    expect(b.machine.messages.filter((m) => m.includes(name)).length).toBe(1);
  });
});

describe('variables', () => {
  const V = '11111111-2222-3333-4444-555555555555';
  const set = (name: string, attributes: number, data: string, guid = V): string =>
    b.call('SetVariable', b.text(name), b.guid(guid), attributes, data.length, b.put(new TextEncoder().encode(data)));
  const get = (name: string, room = 100, guid = V): { status: string; data: string; attributes: number } => {
    const [attributes, size, at] = [b.cell(), b.cell(room), b.put(room)];
    const status = b.call('GetVariable', b.text(name), b.guid(guid), attributes, size, at);
    return { status, data: new TextDecoder().decode(b.bytes(at, status === OK ? b.u64(size) : 0)), attributes: b.u64(attributes) };
  };
  const [NV, BS, RT, APPEND] = [1, 2, 4, 0x40];

  test('set, get, append, change, delete', () => {
    expect(set('x', NV | BS, 'one')).toBe(OK);
    expect(get('x')).toEqual({ status: OK, data: 'one', attributes: NV | BS });
    expect(set('x', NV | BS | APPEND, 'two')).toBe(OK);
    expect(get('x').data).toBe('onetwo');
    expect(get('x', 3).status).toBe('EFI_BUFFER_TOO_SMALL');
    expect(set('x', BS, 'other attributes')).toBe(INVALID);
    expect(set('x', NV | BS, '')).toBe(OK);
    expect(get('x').status).toBe('EFI_NOT_FOUND');
    expect(set('x', NV | BS, '')).toBe('EFI_NOT_FOUND');
    expect(set('x', NV | BS | APPEND, '')).toBe('EFI_NOT_FOUND');
  });
  test.each([
    ['no name', '', BS, 'x', INVALID],
    ['runtime without boot', 'x', RT, 'x', INVALID],
    ['unknown attribute', 'x', BS | 0x80, 'x', INVALID],
    ['authenticated', 'x', BS | 0x20, 'x', 'EFI_UNSUPPORTED'],
    ['too large', 'x', BS, 'x'.repeat(0x8001), 'EFI_OUT_OF_RESOURCES'],
  ])('%s', (_n, name, attributes, data, status) => expect(set(name, attributes, data)).toBe(status));
  test('read-only global variables', () => {
    expect(set('SecureBoot', BS | RT, 'x', Guids.globalVariable)).toBe('EFI_WRITE_PROTECTED');
    expect(get('SecureBoot', 9, Guids.globalVariable).data).toBe('\0');
  });
  test('enumeration meets every variable once', () => {
    set('mine', BS, 'x');
    const [size, name, guid] = [b.cell(), b.put(200), b.put(16)];
    const names: string[] = [];
    for (;;) {
      b.fw.memory.setU64(size, 200);
      const status = b.call('GetNextVariableName', size, name, guid);
      if (status === 'EFI_NOT_FOUND') break;
      expect(status).toBe(OK);
      names.push(b.fw.memory.utf16(name, 200));
    }
    expect(names).toEqual(b.fw.state.variables.map((v) => v.name));
    b.fw.memory.write(name, Uint8Array.of(0x7a, 0, 0, 0));
    b.fw.memory.setU64(size, 200);
    expect(b.call('GetNextVariableName', size, name, guid)).toBe(INVALID);
    b.fw.memory.write(name, Uint8Array.of(0, 0));
    b.fw.memory.setU64(size, 2);
    expect(b.call('GetNextVariableName', size, name, guid)).toBe('EFI_BUFFER_TOO_SMALL');
  });
  test('QueryVariableInfo counts what is used', () => {
    const cells = [b.cell(), b.cell(), b.cell()] as const;
    expect(b.call('QueryVariableInfo', NV | BS, ...cells)).toBe(OK);
    const before = b.u64(cells[1]);
    set('x', NV | BS, 'four');
    b.call('QueryVariableInfo', NV | BS, ...cells);
    expect(before - b.u64(cells[1])).toBe(8);
    expect(b.call('QueryVariableInfo', 0, ...cells)).toBe(INVALID);
  });
  test('non-volatile ones outlive a reset, others do not', () => {
    set('keep', NV | BS, 'k');
    set('lose', BS, 'l');
    b.fw.setUp(b.cpu);
    b.cpu.rsp = 0x8_0000n;
    expect([get('keep').status, get('lose').status]).toEqual([OK, 'EFI_NOT_FOUND']);
    expect(b.fw.state.variables.filter((v) => v.name === 'PlatformLang').length).toBe(1);
  });
});

test('monotonic counts', () => {
  const cell = b.cell();
  b.call('GetNextMonotonicCount', cell);
  expect(b.u64(cell)).toBe(1);
  expect(b.call('GetNextHighMonotonicCount', cell)).toBe(OK);
  b.call('GetNextMonotonicCount', cell);
  expect(b.u64(cell)).toBe(2 ** 32 + 1);
});

test.each([
  [0, 'reset'],
  [1, 'reset'],
  [2, 'power-off'],
  [3, 'reset'],
])('ResetSystem(%i) asks the machine for %s and does not return', (type, what) => {
  b.prepare('ResetSystem', [type, 0, 0, 0]);
  b.step();
  expect(b.machine.requests).toEqual([{ what, code: undefined }]);
  expect(b.at).toBe('ResetSystem');
});
