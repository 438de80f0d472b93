import { describe, expect, it } from 'vitest';
import { PM_TIMER_CLOCK } from '../../src/machine/devices/frequency.ts';
import { rig, virtualWire, type Rig } from './rig.ts';

const [STATUS, ENABLE, CONTROL, TIMER] = [0x600, 0x602, 0x604, 0x608];
const out16 = (r: Rig, port: number, value: number): void => r.machine.ports.write(port, 2, value);
function pm(): Rig {
  const r = rig({ chipset: 'done' });
  virtualWire(r);
  return r;
}
const sci = (r: Rig): boolean => r.pc.pic.vector() === 0x29;

describe('ACPI power management', () => {
  it.each([
    [0, 0],
    [279, 0],
    [280, 1],
    [88_000, 315],
    [1e9, 3_579_545],
    [4_686_976_000, 27], // 16,777,243 ticks: past 24 bits
  ])('timer at %i ns reads %i', (ns, ticks) => {
    const r = pm();
    r.clock.advanceTo(ns);
    expect(r.in(TIMER, 4)).toBe(ticks);
  });

  it('the timer carries and interrupts when its top bit toggles', () => {
    const r = pm();
    r.out(ENABLE, 1);
    const due = PM_TIMER_CLOCK.timeOf(0x80_0000);
    expect(r.clock.nextDeadline()).toBe(due);
    r.clock.advanceTo(due);
    expect([sci(r), r.in(STATUS, 2)]).toEqual([true, 1]);
    out16(r, STATUS, 1);
    expect([sci(r), r.in(STATUS, 2), r.clock.nextDeadline()]).toEqual([false, 0, PM_TIMER_CLOCK.timeOf(0x100_0000)]);
  });

  it('status is there without an event, written ones clear it, written zeros do not', () => {
    const r = pm();
    r.clock.advanceTo(3e9);
    out16(r, STATUS, 0);
    expect([r.in(STATUS, 2), r.clock.nextDeadline()]).toEqual([1, Infinity]);
    out16(r, STATUS, 0xffff);
    expect(r.in(STATUS, 2)).toBe(0);
  });

  it('the power button raises the SCI when enabled, and only in ACPI mode', () => {
    const r = pm();
    r.pc.pm.powerButton();
    expect([r.in(STATUS, 2), sci(r)]).toEqual([0x100, false]);
    out16(r, ENABLE, 0x100);
    expect(sci(r)).toBe(true);
    r.out(0xb2, 0xf0);
    expect([sci(r), r.in(CONTROL, 2)]).toEqual([false, 0]);
    r.out(0xb2, 0xf1);
    expect([sci(r), r.in(CONTROL, 2), r.in(0xb2)]).toEqual([true, 1, 0xf1]);
  });

  it.each([
    ['S5', 0x2001, ['power-off']],
    ['S5 without SLP_EN', 0x0001, []],
    ['another sleep type', 0x2401, []],
  ])('PM1 control: %s', (_name, value, requests) => {
    const r = pm();
    out16(r, CONTROL, value);
    expect(r.requests()).toEqual(requests);
    expect(r.in(CONTROL, 2) & 0x2000).toBe(0);
    expect(r.machine.messages.some((m) => m.includes('sleep type'))).toBe(value === 0x2401);
  });

  it('byte accesses reach their half', () => {
    const r = pm();
    r.out(CONTROL + 1, 0x20);
    expect(r.requests()).toEqual(['power-off']);
    r.out(ENABLE + 1, 0x01);
    expect([r.in(ENABLE, 2), r.in(STATUS, 4) >>> 16]).toEqual([0x100, 0x100]);
  });

  it('PMBASE moves the block, PMREGMISC hides it', () => {
    const r = rig();
    const config = (offset: number, size: 1 | 2 | 4, value: number): void => {
      r.machine.ports.write(0xcf8, 4, (0x8000_0b00 | (offset & 0xfc)) >>> 0);
      r.machine.ports.write(0xcfc + (offset & 3), size, value);
    };
    expect(r.in(TIMER, 4)).toBe(0xffff_ffff);
    config(0x40, 4, 0xb001);
    expect(r.in(0xb008, 4)).toBe(0xffff_ffff);
    config(0x80, 1, 1);
    r.clock.advanceTo(1000);
    expect(r.in(0xb008, 4)).toBe(3);
    config(0x40, 4, 0x3c0); // over the VGA ports: refused, nothing breaks
    expect([r.in(0x3c8), r.in(0xb008, 4)]).toEqual([0xff, 0xffff_ffff]);
    expect(r.machine.messages.join()).toContain('ACPI PM block not visible');
    config(0x40, 4, 0x600);
    expect(r.in(TIMER, 4)).toBe(3);
    config(0x80, 1, 0);
    expect(r.in(TIMER, 4)).toBe(0xffff_ffff);
  });
});

describe('ways to reset', () => {
  it.each<[string, [number, number][], string[]]>([
    [
      'CF9: 0 to 1 of bit 2',
      [
        [0xcf9, 2],
        [0xcf9, 6],
      ],
      ['reset'],
    ],
    [
      'CF9: bit 2 stays',
      [
        [0xcf9, 6],
        [0xcf9, 6],
      ],
      ['reset'],
    ],
    ['CF9: only the kind', [[0xcf9, 2]], []],
    ['port 92h', [[0x92, 3]], ['reset']],
    ['port 92h, A20 alone', [[0x92, 2]], []],
    ['8042 pulse FE', [[0x64, 0xfe]], ['reset']],
    ['8042 pulse of nothing', [[0x64, 0xff]], []],
    [
      '8042 output port',
      [
        [0x64, 0xd1],
        [0x60, 0x02],
      ],
      ['reset'],
    ],
    [
      '8042 output port, A20',
      [
        [0x64, 0xd1],
        [0x60, 0x03],
      ],
      [],
    ],
  ])('%s', (_name, writes, requests) => {
    // prettier-ignore
    const r = rig();
    for (const [port, value] of writes) r.out(port, value);
    expect(r.requests()).toEqual(requests);
  });

  it('port 92h reads back, and masking A20 is said to be missing', () => {
    const r = rig();
    expect(r.in(0x92)).toBe(2);
    r.out(0x92, 0);
    expect([r.in(0x92), r.machine.messages.length]).toEqual([0, 1]);
  });
});
