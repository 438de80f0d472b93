import { describe, expect, it } from 'vitest';
import { Pending } from '../../src/machine/cpu/layout.ts';
import { rig, type Rig } from './rig.ts';

const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const MASKED = 0x1_0000;

function route(pin: number, low: number, high = 0, cpus = 1): Rig {
  const r = rig({ cpus });
  for (r.current = 0; r.current < cpus; r.current++) r.setApic(0xf0, 0x1ff);
  r.current = 0;
  r.setIoapic(0x11 + pin * 2, high);
  r.setIoapic(0x10 + pin * 2, low);
  return r;
}
const pending = (r: Rig, cpu = 0): number => r.pc.lapics[cpu]!.pending();
const serve = (r: Rig): void => {
  r.pc.lapics[0]!.acknowledge();
  r.setApic(0xb0, 0);
};

describe('I/O APIC', () => {
  it.each([
    ['ID', 0, 0xffff_ffff, 0x0f00_0000],
    ['version, 24 pins', 1, 0xffff_ffff, 0x0017_0011],
    ['entry, low half', 0x10, 0xffff_ffff, 0x1_afff],
    ['entry, high half', 0x11, 0xffff_ffff, 0xff00_0000],
    ['last entry', 0x3e, 0x1_0099, 0x1_0099],
    ['past the last entry', 0x40, 0x1234, 0],
  ])('%s', (_name, index, written, read) => {
    const r = rig();
    r.setIoapic(index, written);
    expect(r.ioapic(index)).toBe(read);
  });

  it('is masked after reset', () => {
    expect([rig().ioapic(0x10), rig().ioapic(0x3e)]).toEqual([MASKED, MASKED]);
  });

  it('edge: one message a rising edge, lost while masked', () => {
    const r = route(4, 0x44);
    r.pc.ioapic.setLine(4, true);
    expect(pending(r)).toBe(0x44);
    serve(r);
    r.pc.ioapic.setLine(4, true);
    expect(pending(r)).toBe(-1);
    r.pc.ioapic.setLine(4, false);
    r.setIoapic(0x18, MASKED | 0x44);
    r.pc.ioapic.setLine(4, true);
    r.setIoapic(0x18, 0x44);
    expect(pending(r)).toBe(-1);
  });

  it('level: remote IRR holds it until EOI, and it comes again while asserted', () => {
    const r = route(9, LEVEL | 0x59);
    r.pc.ioapic.setLine(9, true);
    expect([pending(r), r.ioapic(0x22)]).toEqual([0x59, LEVEL | REMOTE_IRR | 0x59]);
    serve(r);
    expect(pending(r)).toBe(0x59);
    r.pc.lapics[0]!.acknowledge();
    r.pc.ioapic.setLine(9, false);
    r.setApic(0xb0, 0);
    expect([pending(r), r.ioapic(0x22)]).toEqual([-1, LEVEL | 0x59]);
  });

  it('a level waits behind the mask', () => {
    const r = route(9, MASKED | LEVEL | 0x59);
    r.pc.ioapic.setLine(9, true);
    expect(pending(r)).toBe(-1);
    r.setIoapic(0x22, LEVEL | 0x59);
    expect(pending(r)).toBe(0x59);
  });

  it('an EOI for another vector, or for an edge, does not release it', () => {
    const r = route(9, LEVEL | 0x59);
    r.pc.ioapic.setLine(9, true);
    r.pc.lapics[0]!.acknowledge();
    r.setApic(0x300, 0x4_0061);
    serve(r); // 61h
    expect(r.ioapic(0x22) & REMOTE_IRR).toBe(REMOTE_IRR);
  });

  it('switching to edge clears remote IRR', () => {
    const r = route(9, LEVEL | 0x59);
    r.pc.ioapic.setLine(9, true);
    r.setIoapic(0x22, MASKED | 0x59);
    expect(r.ioapic(0x22)).toBe(MASKED | 0x59);
  });

  it('does not set remote IRR when nobody takes the message', () => {
    const r = route(9, LEVEL | 0x59, 0x0700_0000);
    r.pc.ioapic.setLine(9, true);
    expect(r.ioapic(0x22)).toBe(LEVEL | 0x59);
  });

  it.each([
    ['physical 1', 0x0044, 0x0100_0000, [-1, 0x44]],
    ['physical to nobody', 0x0044, 0x0500_0000, [-1, -1]],
    ['logical both', 0x0844, 0x0300_0000, [0x44, 0x44]],
    ['logical, lowest priority', 0x0944, 0x0300_0000, [0x44, -1]],
  ])('sends to %s', (_name, low, high, expected) => {
    const r = route(4, low, high, 2);
    for (r.current = 0; r.current < 2; r.current++) r.setApic(0xd0, 0x100_0000 << r.current);
    r.pc.ioapic.setLine(4, true);
    expect([pending(r, 0), pending(r, 1)]).toEqual(expected);
  });

  it('can send an NMI', () => {
    const r = route(4, 0x0400);
    r.pc.ioapic.setLine(4, true);
    expect(r.machine.cpu.pending).toBe(Pending.nmi);
  });

  it('ISA lines arrive at their pins, the timer at pin 2', () => {
    const r = route(2, 0x42);
    r.pc.isaIrq(0)(true);
    expect(pending(r)).toBe(0x42);
    serve(r);
    r.setIoapic(0x10 + 2 * 12, 0x4c);
    r.pc.isaIrq(12)(true);
    expect(pending(r)).toBe(0x4c);
  });

  it('takes message-signalled interrupts', () => {
    const r = route(0, MASKED);
    expect(r.pc.apicBus.sendMsi(0xfee0_0000, 0x0071)).toBe(true);
    expect(pending(r)).toBe(0x71);
    expect(r.pc.apicBus.sendMsi(0xfee0_3000, 0x0072)).toBe(false);
  });
});
