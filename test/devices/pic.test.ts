import { describe, expect, it } from 'vitest';
import { Pending } from '../../src/machine/cpu/layout.ts';
import { rig, virtualWire, type Rig } from './rig.ts';

function pic(icw4 = 1): Rig {
  const r = rig();
  virtualWire(r, icw4);
  return r;
}
const pending = (r: Rig): number => {
  const vector = r.pc.lapics[0]!.pending();
  expect((r.machine.cpu.pending & Pending.interrupt) !== 0).toBe(vector >= 0);
  return vector;
};
const inta = (r: Rig): number => r.pc.lapics[0]!.acknowledge();
const raise = (r: Rig, irq: number): void => r.pc.pic.setLine(irq, true);
const lower = (r: Rig, irq: number): void => r.pc.pic.setLine(irq, false);

describe('8259 pair', () => {
  it.each([
    [0, 0x20],
    [1, 0x21],
    [3, 0x23],
    [7, 0x27],
    [8, 0x28],
    [15, 0x2f],
  ])('IRQ %i has vector %#x', (irq, vector) => {
    const r = pic();
    raise(r, irq);
    expect([pending(r), inta(r), pending(r)]).toEqual([vector, vector, -1]);
  });

  it('asks for nothing before it is initialized, nor through a masked LINT0', () => {
    const r = rig();
    raise(r, 1);
    expect(pending(r)).toBe(-1);
    virtualWire(r);
    expect(pending(r)).toBe(-1); // ICW1 cleared the edge detectors: the line must rise again
    lower(r, 1);
    raise(r, 1);
    expect(pending(r)).toBe(0x21);
    r.setApic(0x350, 0x1_0700);
    expect(pending(r)).toBe(-1);
    r.setApic(0x350, 0x700);
    expect(pending(r)).toBe(0x21);
  });

  it('reaches the bootstrap processor directly when its APIC is off', () => {
    const r = pic();
    r.setApic(0x350, 0x1_0000);
    r.machine.cpu.setU64(0x1e8, 0xfee0_0100n);
    r.pc.lapics[0]!.apicBaseChanged();
    raise(r, 1);
    expect(pending(r)).toBe(0x21);
  });

  it('orders and nests: 8 above 3, 1 above 8, the same level waits for EOI', () => {
    const r = pic();
    raise(r, 3);
    raise(r, 8);
    expect(inta(r)).toBe(0x28);
    expect(pending(r)).toBe(-1);
    raise(r, 1);
    expect(inta(r)).toBe(0x21);
    r.out(0x20, 0x20); // ends 1
    expect(pending(r)).toBe(-1);
    r.out(0xa0, 0x20);
    r.out(0x20, 0x20); // ends the cascade
    expect(inta(r)).toBe(0x23);
    lower(r, 3);
    raise(r, 3);
    expect(pending(r)).toBe(-1);
    r.out(0x20, 0x63); // specific EOI 3
    expect(pending(r)).toBe(0x23);
  });

  it('a higher input of the slave is a new edge at the master', () => {
    const r = pic();
    raise(r, 12);
    expect(inta(r)).toBe(0x2c);
    raise(r, 8);
    expect(pending(r)).toBe(-1); // the cascade level is in service
    r.out(0x20, 0x20);
    expect(inta(r)).toBe(0x28);
  });

  it('masks, and reads back mask, IRR and ISR', () => {
    const r = pic();
    r.out(0x21, 0x02);
    raise(r, 1);
    expect([pending(r), r.in(0x21), r.in(0x20)]).toEqual([-1, 2, 2]);
    r.out(0x21, 0);
    inta(r);
    r.out(0x20, 0x0b);
    expect(r.in(0x20)).toBe(2);
    r.out(0x20, 0x0a);
    expect(r.in(0x20)).toBe(0);
  });

  it('an edge that went away is lost; INTA then gives IR7 without service', () => {
    const r = pic();
    raise(r, 5);
    lower(r, 5);
    expect(pending(r)).toBe(-1);
    expect(r.pc.pic.acknowledge()).toBe(0x27);
    r.out(0x20, 0x0b);
    expect(r.in(0x20)).toBe(0);
  });

  it('a level that stays interrupts again after EOI, an edge does not', () => {
    const r = pic();
    r.out(0x4d1, 0x02);
    raise(r, 9);
    raise(r, 10);
    expect(inta(r)).toBe(0x29);
    r.out(0xa0, 0x20);
    r.out(0x20, 0x20);
    expect(pending(r)).toBe(0x29);
    lower(r, 9);
    expect(inta(r)).toBe(0x2a);
    r.out(0xa0, 0x20);
    r.out(0x20, 0x20);
    expect(pending(r)).toBe(-1);
  });

  it.each([
    ['0, 1, 2 of the master', 0x4d0, 0xf8],
    ['8 and 13 of the slave', 0x4d1, 0xde],
  ])('ELCR leaves out inputs %s', (_name, port, value) => {
    const r = pic();
    r.out(port, 0xff);
    expect(r.in(port)).toBe(value);
  });

  it('auto EOI, with rotation', () => {
    const r = pic(3);
    r.out(0x20, 0x80); // rotate in AEOI mode
    raise(r, 3);
    expect(inta(r)).toBe(0x23);
    lower(r, 3);
    raise(r, 3);
    raise(r, 4);
    expect(inta(r)).toBe(0x24); // 3 now has the lowest priority
  });

  it('set priority and rotate on non-specific EOI', () => {
    const r = pic();
    r.out(0x20, 0xc5); // 5 lowest, 6 highest
    raise(r, 0);
    raise(r, 6);
    expect(inta(r)).toBe(0x26);
    r.out(0x20, 0xa0); // rotate: 6 becomes lowest
    lower(r, 6);
    raise(r, 6);
    raise(r, 7);
    expect(pending(r)).toBe(0x27);
  });

  it('special mask mode lets lower levels through', () => {
    const r = pic();
    raise(r, 1);
    inta(r);
    raise(r, 5);
    r.out(0x21, 0x02);
    expect(pending(r)).toBe(-1);
    r.out(0x20, 0x68);
    expect(pending(r)).toBe(0x25);
    r.out(0x20, 0x48);
    expect(pending(r)).toBe(-1);
  });

  it('special fully nested mode lets the slave nest in itself', () => {
    const r = pic();
    r.out(0x20, 0x11);
    r.out(0x21, 0x20, 4, 0x11, 0);
    raise(r, 12);
    inta(r);
    raise(r, 8);
    expect(pending(r)).toBe(0x28);
  });

  it('poll acknowledges and names the level; without a request it gives 0', () => {
    const r = pic();
    r.out(0x20, 0x0c);
    expect(r.in(0x20)).toBe(0);
    raise(r, 4);
    r.out(0x20, 0x0c);
    expect([r.in(0x20), pending(r)]).toEqual([0x84, -1]);
    r.out(0x20, 0x0b);
    expect(r.in(0x20)).toBe(0x10);
  });
});
