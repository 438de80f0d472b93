import { describe, expect, it } from 'vitest';
import { SET2_TO_SET1 } from '../../src/machine/devices/keyboard/translation.ts';
import { rig, virtualWire, type Rig } from './rig.ts';

const command = (r: Rig, ...values: number[]): void => {
  const [first, ...data] = values;
  r.out(0x64, first!);
  r.out(0x60, ...data);
};
function drain(r: Rig): number[] {
  const bytes: number[] = [];
  while ((r.in(0x64) & 1) !== 0) bytes.push(r.in(0x60));
  return bytes;
}
const irq = (r: Rig): boolean => r.pc.pic.vector() === 0x21;

describe('i8042', () => {
  it.each<[string, number[], number[]]>([
    ['self-test', [0xaa], [0x55]],
    ['keyboard port test', [0xab], [0x00]],
    ['auxiliary port test: no mouse', [0xa9], [0x01]],
    ['command byte', [0x20], [0x20]],
    ['write and read a RAM byte', [0x65, 0x77], []],
    ['output port', [0xd0], [0x03]],
    ['input port', [0xc0], [0x80]],
    ['byte as from the keyboard', [0xd2, 0x1c], [0x1c]],
    ['byte to the mouse: silence', [0xd4, 0xf4], []],
  ])('%s', (_name, values, answer) => {
    const r = rig();
    command(r, ...values);
    expect(drain(r)).toEqual(answer);
  });

  it('status: empty, full, command, system flag', () => {
    const r = rig();
    expect(r.in(0x64)).toBe(0x10);
    r.out(0x64, 0xaa);
    expect(r.in(0x64)).toBe(0x1d);
    r.in(0x60);
    r.out(0x60, 0xee);
    expect(r.in(0x64)).toBe(0x15);
  });

  it.each<[string, number[], number[]]>([
    ['reset', [0xff], [0xfa, 0xaa]],
    ['identify', [0xf2], [0xfa, 0xab, 0x83]],
    ['echo', [0xee], [0xee]],
    ['LEDs', [0xed, 0x02], [0xfa, 0xfa]],
    ['which set', [0xf0, 0x00], [0xfa, 0xfa, 0x02]],
    ['set 1: not offered', [0xf0, 0x01], [0xfa, 0xfe]],
    ['rate', [0xf3, 0x20], [0xfa, 0xfa]],
    ['unknown command', [0xe0], [0xfe]],
    ['a command instead of the argument', [0xed, 0xf4], [0xfa, 0xfa]],
  ])('keyboard: %s', (_name, values, answer) => {
    const r = rig();
    r.out(0x60, ...values);
    expect(drain(r)).toEqual(answer);
  });

  it.each([
    ['A pressed and released, translated', 0x65, [0x1c, 0xf0, 0x1c], [0x1e, 0x9e]],
    ['the same, raw', 0x25, [0x1c, 0xf0, 0x1c], [0x1c, 0xf0, 0x1c]],
    ['an extended key', 0x65, [0xe0, 0x75, 0xe0, 0xf0, 0x75], [0xe0, 0x48, 0xe0, 0xc8]],
    ['keyboard off', 0x75, [0x1c], []],
  ])('%s', (_name, commandByte, keys, bytes) => {
    const r = rig();
    command(r, 0x60, commandByte);
    r.pc.keyboard.keyPress(keys);
    expect(drain(r)).toEqual(bytes);
  });

  it('interrupts once a byte, when enabled', () => {
    const r = rig();
    virtualWire(r);
    r.pc.keyboard.keyPress([0x1c]);
    expect(irq(r)).toBe(false);
    command(r, 0x60, 0x61);
    expect(irq(r)).toBe(true);
    r.pc.keyboard.keyPress([0x32]);
    r.pc.lapics[0]!.acknowledge();
    r.out(0x20, 0x20);
    expect(irq(r)).toBe(false);
    r.in(0x60);
    expect(irq(r)).toBe(true); // the next byte is a new edge
    r.in(0x60);
    expect(irq(r)).toBe(false);
  });

  it('a keyboard that does not scan sends no keys', () => {
    const r = rig();
    r.out(0x60, 0xf5);
    drain(r);
    r.pc.keyboard.keyPress([0x1c]);
    expect(drain(r)).toEqual([]);
    r.out(0x60, 0xf4);
    r.pc.keyboard.keyPress([0x1c]);
    expect(drain(r)).toEqual([0xfa, 0x1c]);
  });

  it('keys that find the buffer full are lost', () => {
    const r = rig();
    for (let n = 0; n < 70; n++) r.pc.keyboard.keyPress([0x1c]);
    expect(drain(r).length).toBe(65); // 64 and the one in the output buffer
  });

  it('knows the translation of every key of set 2', () => {
    expect(SET2_TO_SET1.length).toBe(0x84);
    expect([0x1c, 0x5a, 0x29, 0x76, 0x12, 0x05, 0x83].map((c) => SET2_TO_SET1[c])).toEqual([0x1e, 0x1c, 0x39, 0x01, 0x2a, 0x3b, 0x41]);
  });
});
