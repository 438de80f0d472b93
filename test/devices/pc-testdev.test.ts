import { describe, expect, it } from 'vitest';
import { rig } from './rig.ts';

describe('pc-testdev', () => {
  it('is there only when asked for', () => {
    expect(rig().in(0xe0)).toBe(0xff);
    expect(rig({ testDevice: true }).in(0xe0)).toBe(0);
  });

  it.each([
    [1, 0xe0, 0x44],
    [1, 0xe3, 0x11],
    [2, 0xe0, 0x3344],
    [2, 0xe2, 0x1122],
    [4, 0xe0, 0x1122_3344],
  ] as const)('latch: %i bytes at %i', (size, port, value) => {
    const r = rig({ testDevice: true });
    r.machine.ports.write(0xe0, 4, 0x1122_3344);
    expect(r.in(port, size)).toBe(value);
    r.machine.ports.write(port, size, 0);
    expect(r.in(port, size)).toBe(0);
    expect(r.in(0xe0, 4)).toBe((0x1122_3344 & ~((size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1) << ((port & 3) * 8))) >>> 0);
  });

  it('memory keeps what is written, in every size', () => {
    const { machine } = rig({ testDevice: true });
    machine.memory.write(0xff00_0010, 4, 0x8877_6655);
    machine.memory.write(0xff00_0011, 1, 0xaa);
    expect([machine.memory.read(0xff00_0010, 4), machine.memory.read(0xff00_0012, 2), machine.memory.read(0xff00_fffc, 4)]).toEqual([
      0x8877_aa55, 0x8877, 0,
    ]);
  });

  it('raises and lowers lines of the IOAPIC', () => {
    const r = rig({ testDevice: true });
    r.setApic(0xf0, 0x1ff);
    r.setIoapic(0x10 + 2 * 14, 0x8077);
    r.out(0x2000 + 14, 1);
    expect(r.ioapic(0x10 + 2 * 14) & 0x4000).toBe(0x4000);
    expect(r.pc.lapics[0]!.pending()).toBe(0x77);
  });

  it('state is part of a snapshot', () => {
    const r = rig({ testDevice: true });
    const device = r.pc.all.find((d) => d.name === 'pc-testdev')!;
    r.machine.ports.write(0xe0, 4, 5);
    r.machine.memory.write(0xff00_0000, 4, 0xffee_ddcc);
    const state = device.snapshot();
    device.reset();
    expect(r.machine.memory.read(0xff00_0000, 4)).toBe(0);
    device.restore(state);
    expect([r.in(0xe0, 4), r.machine.memory.read(0xff00_0000, 4)]).toEqual([5, 0xffee_ddcc]);
  });
});
