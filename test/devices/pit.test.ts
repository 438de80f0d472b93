import { describe, expect, it } from 'vitest';
import { PIT_CLOCK, PM_TIMER_CLOCK } from '../../src/machine/devices/frequency.ts';
import { rig, virtualWire, type Rig } from './rig.ts';

const word = (r: Rig, port: number): number => r.in(port) | (r.in(port) << 8);
/** Sets a channel: control word, low, high byte. */
function program(r: Rig, channel: number, mode: number, count: number): void {
  r.out(0x43, (channel << 6) | 0x30 | (mode << 1));
  r.out(0x40 + channel, count & 0xff, count >> 8);
}
/** Moves time to the first ns of a tick of the 8254's input. */
const toTick = (r: Rig, tick: number): void => r.clock.advanceTo(PIT_CLOCK.timeOf(tick));

describe('input clocks', () => {
  it.each([
    [0, 0],
    [838, 0],
    [839, 1],
    [88_000, 105],
    [1e9, 1_193_181],
    [8_000_000_000_000_000, 9_545_454_545_454],
  ])('8254: %i ns are %i ticks', (ns, ticks) => {
    expect(PIT_CLOCK.ticksAt(ns)).toBe(ticks);
  });

  it('finds the first ns of every tick', () => {
    for (const clock of [PIT_CLOCK, PM_TIMER_CLOCK]) {
      for (let tick = 1; tick < 1000; tick++) {
        expect(clock.ticksAt(clock.timeOf(tick))).toBe(tick);
        expect(clock.ticksAt(clock.timeOf(tick) - 1)).toBe(tick - 1);
      }
    }
  });
});

describe('8254', () => {
  it('mode 2: interrupts every count, to the ns', () => {
    const r = rig();
    virtualWire(r);
    program(r, 0, 2, 1000);
    const apic = r.pc.lapics[0]!;
    apic.acknowledge(); // OUT went high with the control word
    r.out(0x20, 0x20);
    for (const n of [1, 2, 3]) {
      expect(r.clock.nextDeadline()).toBe(PIT_CLOCK.timeOf(1 + 1000 * n));
      toTick(r, 1 + 1000 * n);
      expect(apic.acknowledge()).toBe(0x20);
      r.out(0x20, 0x20);
      expect(apic.pending()).toBe(-1);
    }
  });

  it('mode 2: counts down, and a new count waits for the end of the period', () => {
    const r = rig();
    program(r, 2, 2, 1000);
    r.out(0x61, 1);
    const start = 1; // loaded on the clock after the gate opened
    toTick(r, start + 300);
    expect(word(r, 0x42)).toBe(700);
    r.out(0x42, 500 & 0xff, 500 >> 8);
    toTick(r, start + 999);
    expect([word(r, 0x42), r.in(0x61) & 0x20]).toEqual([1, 0]);
    toTick(r, start + 1000);
    expect([word(r, 0x42), r.in(0x61) & 0x20]).toEqual([500, 0x20]);
  });

  it('mode 3: a square wave, high for the odd clock, counting by two', () => {
    const r = rig();
    program(r, 2, 3, 7);
    r.out(0x61, 1);
    const wave = Array.from({ length: 14 }, (_, n) => {
      toTick(r, 1 + n);
      return [r.in(0x61) & 0x20 ? 1 : 0, word(r, 0x42)];
    });
    const period = [[1, 6], [1, 4], [1, 2], [1, 0], [0, 6], [0, 4], [0, 2]]; // prettier-ignore
    expect(wave).toEqual([...period, ...period]);
  });

  it('mode 3 on channel 0 interrupts once a period', () => {
    const r = rig();
    virtualWire(r, 3);
    let interrupts = 0;
    program(r, 0, 3, 0); // 65536: 18.2 Hz
    for (let ms = 1; ms <= 1000; ms++) {
      r.clock.advanceTo(ms * 1e6);
      if (r.pc.lapics[0]!.pending() >= 0) {
        r.pc.lapics[0]!.acknowledge();
        interrupts++;
      }
    }
    expect(interrupts).toBe(19); // one as OUT goes high, then 18
  });

  it('mode 0: OUT rises N + 1 clocks after the write, once; the count runs on', () => {
    const r = rig();
    program(r, 2, 0, 100);
    r.out(0x61, 1);
    // The gate was closed when the count was written: counting starts with it.
    toTick(r, 99);
    expect([word(r, 0x42), r.in(0x61) & 0x20]).toEqual([1, 0]);
    toTick(r, 100);
    expect([word(r, 0x42), r.in(0x61) & 0x20]).toEqual([0, 0x20]);
    toTick(r, 101);
    expect([word(r, 0x42), r.in(0x61) & 0x20]).toEqual([0xffff, 0x20]);
  });

  it('mode 0 on channel 0: one interrupt', () => {
    const r = rig();
    virtualWire(r);
    program(r, 0, 0, 100);
    expect(r.clock.nextDeadline()).toBe(PIT_CLOCK.timeOf(101));
    toTick(r, 101);
    expect([r.pc.lapics[0]!.acknowledge(), r.clock.nextDeadline()]).toEqual([0x20, Infinity]);
  });

  it('mode 0: the gate stops and resumes, the first byte of a new count stops', () => {
    const r = rig();
    program(r, 2, 0, 100);
    r.out(0x61, 1);
    toTick(r, 40);
    r.out(0x61, 0);
    toTick(r, 1000);
    expect(word(r, 0x42)).toBe(60);
    r.out(0x61, 1);
    toTick(r, 1060);
    expect([word(r, 0x42), r.in(0x61) & 0x20]).toEqual([0, 0x20]);
    r.out(0x42, 5);
    expect(r.in(0x61) & 0x20).toBe(0);
  });

  it('mode 1: the gate starts a single pulse', () => {
    const r = rig();
    program(r, 2, 1, 50);
    toTick(r, 10);
    expect(r.in(0x61) & 0x20).toBe(0x20);
    r.out(0x61, 1);
    toTick(r, 60);
    expect(r.in(0x61) & 0x20).toBe(0);
    toTick(r, 61);
    expect(r.in(0x61) & 0x20).toBe(0x20);
  });

  it('mode 4: low for one clock at the end', () => {
    const r = rig();
    r.out(0x61, 1);
    program(r, 2, 4, 50);
    const out = [50, 51, 52].map((tick) => (toTick(r, tick), r.in(0x61) & 0x20)); // prettier-ignore
    expect(out).toEqual([0x20, 0, 0x20]);
  });

  it('latches count and status, and keeps them until read', () => {
    const r = rig();
    r.out(0x61, 1);
    program(r, 2, 2, 0x1234);
    toTick(r, 1 + 0x34);
    r.out(0x43, 0x80);
    toTick(r, 1 + 0x134);
    r.out(0x43, 0x80); // the first latch holds
    expect(word(r, 0x42)).toBe(0x1200);
    expect(word(r, 0x42)).toBe(0x1100);
    r.out(0x43, 0xc8); // read-back: count and status of counter 2
    expect([r.in(0x42), word(r, 0x42)]).toEqual([0xb4, 0x1100]);
    r.out(0x43, 0xb6);
    r.out(0x43, 0xe8); // status alone: null count, OUT high
    expect(r.in(0x42)).toBe(0xf6);
  });

  it.each([
    ['low byte only', 0x94, [0x10], [0x0f, 0x0f]],
    ['high byte only', 0xa4, [0x10], [0x0f, 0x0f]],
  ])('access %s', (_name, control, bytes, read) => {
    const r = rig();
    r.out(0x61, 1);
    r.out(0x43, control);
    r.out(0x42, ...bytes);
    toTick(r, 2);
    expect([r.in(0x42), r.in(0x42)]).toEqual(read);
  });

  it('counts in BCD', () => {
    const r = rig();
    r.out(0x61, 1);
    r.out(0x43, 0xb5);
    r.out(0x42, 0x00, 0x10); // 1000
    toTick(r, 2);
    expect(word(r, 0x42)).toBe(0x999);
  });

  it('port 61h: refresh toggles, the low bits are kept', () => {
    const r = rig();
    r.out(0x61, 0xff);
    expect(r.in(0x61) & 0x0f).toBe(0x0f);
    const first = r.in(0x61) & 0x10;
    r.clock.advanceTo(15_085);
    expect(r.in(0x61) & 0x10).toBe(first ^ 0x10);
  });

  it('a 10 ms calibration through channel 2 takes 10 ms', () => {
    const r = rig();
    r.out(0x61, 0);
    r.out(0x43, 0xb0);
    r.out(0x42, 11_932 & 0xff, 11_932 >> 8);
    r.out(0x61, 1);
    let now = 0;
    while ((r.in(0x61) & 0x20) === 0) r.clock.advanceTo((now += 100));
    expect(Math.abs(now - 1e7)).toBeLessThan(1000);
  });
});
