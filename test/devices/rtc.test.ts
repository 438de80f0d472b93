import { describe, expect, it } from 'vitest';
import { nextAlarm, secondsOf, timeRegisters } from '../../src/machine/devices/rtc/calendar.ts';
import { rig, virtualWire, type Rig } from './rig.ts';

const S = 1e9;
const get = (r: Rig, index: number): number => (r.out(0x70, index), r.in(0x71));
const set = (r: Rig, index: number, value: number): void => (r.out(0x70, index), r.out(0x71, value));
const time = (r: Rig): string => [4, 2, 0].map((n) => get(r, n).toString(16).padStart(2, '0')).join(':'); // prettier-ignore
const date = (r: Rig): string => [0x32, 9, 8, 7].map((n) => get(r, n).toString(16).padStart(2, '0')).join(' '); // prettier-ignore
/** The rig starts at 2026-02-28 23:59:58 UTC, a Saturday. */
const interrupts = (r: Rig): boolean => r.pc.pic.vector() === 0x28;

describe('calendar', () => {
  it.each([
    ['BCD, 24 hours', 2, [0x58, 0x59, 0x23, 7, 0x28, 2, 0x26], 0x20],
    ['BCD, 12 hours', 0, [0x58, 0x59, 0x91, 7, 0x28, 2, 0x26], 0x20],
    ['binary, 24 hours', 6, [58, 59, 23, 7, 28, 2, 26], 20],
    ['binary, 12 hours', 4, [58, 59, 0x8b, 7, 28, 2, 26], 20],
  ])('%s', (_name, b, registers, century) => {
    const seconds = Date.UTC(2026, 1, 28, 23, 59, 58) / 1000;
    expect(timeRegisters(seconds, b)).toEqual({ registers, century });
    expect(secondsOf(registers, century, b)).toBe(seconds);
  });

  it.each([
    ['midnight', 0, 0x12],
    ['noon', 12 * 3600, 0x92],
    ['1 pm', 13 * 3600, 0x81],
  ])('12-hour %s', (_name, seconds, hour) => {
    expect(timeRegisters(seconds, 0).registers[2]).toBe(hour);
    expect(secondsOf(timeRegisters(seconds, 0).registers, 0x19, 0)).toBe(seconds);
  });

  it.each([
    ['every second', [0xff, 0xff, 0xff], 100, 101],
    ['second 30', [0x30, 0xff, 0xff], 100, 150],
    ['01:02:03', [0x03, 0x02, 0x01], 100, 3723],
    ['the same second tomorrow', [0x03, 0x02, 0x01], 3723, 3723 + 86_400],
    ['minute 5, any second', [0xff, 0x05, 0xff], 100, 300],
    ['no time of day', [0x00, 0x00, 0x79], 100, Infinity],
  ])('alarm at %s', (_name, [s, m, h], from, expected) => {
    const registers = Array.from({ length: 14 }, () => 0);
    [registers[1], registers[3], registers[5], registers[0x0b]] = [s!, m!, h!, 2];
    expect(nextAlarm(from, registers)).toBe(expected);
  });
});

describe('MC146818 RTC', () => {
  it('runs from the start date on the machine clock', () => {
    const r = rig();
    expect([time(r), date(r), get(r, 6), get(r, 0x0d)]).toEqual(['23:59:58', '20 26 02 28', 7, 0x80]);
    r.clock.advanceTo(2 * S - 1);
    expect(time(r)).toBe('23:59:59');
    r.clock.advanceTo(2 * S);
    expect([time(r), date(r), get(r, 6)]).toEqual(['00:00:00', '20 26 03 01', 1]);
  });

  it('UIP says that the update comes within 244 us', () => {
    const r = rig();
    const uip = [S - 250_000, S - 244_000, S - 1, S].map((t) => (r.clock.advanceTo(t), get(r, 0x0a) & 0x80)); // prettier-ignore
    expect(uip).toEqual([0, 0x80, 0x80, 0]);
  });

  it('is set with SET, and goes on in phase', () => {
    const r = rig();
    r.clock.advanceTo(0.25 * S);
    set(r, 0x0b, 0x82);
    for (const [n, v] of [[0, 0x10], [2, 0x20], [4, 0x08], [7, 0x31], [8, 0x12], [9, 0x99], [0x32, 0x19]] as const) set(r, n, v); // prettier-ignore
    r.clock.advanceTo(5.5 * S);
    expect(time(r)).toBe('08:20:10');
    set(r, 0x0b, 0x02);
    r.clock.advanceTo(6 * S - 1);
    expect([time(r), date(r), get(r, 6)]).toEqual(['08:20:10', '19 99 12 31', 6]);
    r.clock.advanceTo(6 * S);
    expect(time(r)).toBe('08:20:11');
  });

  it('a field can be written while it runs; the mode can change', () => {
    const r = rig();
    set(r, 4, 0x12);
    expect(time(r)).toBe('12:59:58');
    set(r, 0x0b, 0x06);
    expect([get(r, 0), get(r, 2), get(r, 4)]).toEqual([58, 59, 12]);
  });

  it('out of divider reset the first second comes after half a one', () => {
    const r = rig();
    set(r, 0x0a, 0x70);
    r.clock.advanceTo(3 * S);
    expect(time(r)).toBe('23:59:58');
    set(r, 0x0a, 0x26);
    r.clock.advanceTo(3.5 * S - 1);
    expect(time(r)).toBe('23:59:58');
    r.clock.advanceTo(3.5 * S);
    expect(time(r)).toBe('23:59:59');
  });

  it.each([
    ['update-ended', 0x12, () => {}, 1 * S, 0x90],
    ['alarm 00:00:01', 0x22, (r: Rig) => (set(r, 1, 0x01), set(r, 3, 0), set(r, 5, 0)), 3 * S, 0xf0 & 0xb0],
    ['periodic, rate 6: 1024 Hz', 0x42, () => {}, 976_563, 0xc0],
  ])('%s interrupt, to the ns', (_name, b, prepare, due, flags) => {
    const r = rig();
    virtualWire(r);
    prepare(r);
    get(r, 0x0c);
    set(r, 0x0b, b);
    r.clock.advanceTo(due - 1);
    expect(interrupts(r)).toBe(false);
    r.clock.advanceTo(due);
    expect(interrupts(r)).toBe(true);
    expect(get(r, 0x0c) & (flags | 0x80)).toBe(flags);
    expect(interrupts(r)).toBe(false);
    expect(get(r, 0x0c)).toBe(0);
  });

  it('flags are there without interrupts, and the clock stays unarmed', () => {
    const r = rig();
    get(r, 0x0c);
    r.clock.advanceTo(1.5 * S);
    expect([r.clock.nextDeadline(), get(r, 0x0c), get(r, 0x0c)]).toEqual([Infinity, 0x50, 0]);
  });

  it('periodic interrupts keep their rate', () => {
    const r = rig();
    virtualWire(r);
    set(r, 0x0a, 0x2f); // 2 Hz
    set(r, 0x0b, 0x42);
    let count = 0;
    for (let t = 0; t <= 10 * S; t += S / 8) {
      r.clock.advanceTo(t);
      if (interrupts(r)) {
        count++;
        get(r, 0x0c);
      }
    }
    expect(count).toBe(20);
  });

  it('reset clears enables and keeps time and RAM', () => {
    const r = rig();
    set(r, 0x0b, 0x72);
    set(r, 0x40, 0xa5);
    set(r, 4, 0x12);
    r.pc.reset();
    expect([get(r, 0x0b), get(r, 0x40), get(r, 4), r.clock.nextDeadline()]).toEqual([0x02, 0xa5, 0x12, Infinity]);
  });

  it.each([
    ['base memory', 0x15, 640],
    ['extended memory, KiB', 0x17, 31 << 10],
    ['memory above 16 MiB, 64 KiB', 0x34, 256],
  ])('CMOS: %s', (_name, register, value) => {
    const r = rig();
    expect(get(r, register) | (get(r, register + 1) << 8)).toBe(value);
  });

  it('C and D cannot be written, the index port reads ones', () => {
    const r = rig();
    set(r, 0x0c, 0xff);
    set(r, 0x0d, 0);
    expect([get(r, 0x0c), get(r, 0x0d), r.in(0x70)]).toEqual([0, 0x80, 0xff]);
  });
});
