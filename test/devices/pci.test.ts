import { describe, expect, it } from 'vitest';
import { PciFunction, header } from '../../src/machine/devices/pci/config-space.ts';
import { rig, type Rig } from './rig.ts';

const at = (bus: number, device: number, fn: number, offset: number): number =>
  (0x8000_0000 | (bus << 16) | (device << 11) | (fn << 8) | (offset & 0xfc)) >>> 0;
function read(r: Rig, where: readonly [number, number, number], offset: number, size: 1 | 2 | 4): number {
  r.machine.ports.write(0xcf8, 4, at(...where, offset));
  return r.in(0xcfc + (offset & 3), size);
}
function write(r: Rig, where: readonly [number, number, number], offset: number, size: 1 | 2 | 4, value: number): void {
  r.machine.ports.write(0xcf8, 4, at(...where, offset));
  r.machine.ports.write(0xcfc + (offset & 3), size, value);
}
const HOST = [0, 0, 0] as const;
const ISA = [0, 1, 0] as const;
const PM = [0, 1, 3] as const;

describe('PCI configuration mechanism #1', () => {
  it.each([
    ['host bridge', HOST, 0x00, 4, 0x1237_8086],
    ['host bridge class', HOST, 0x08, 4, 0x0600_0002],
    ['ISA bridge', ISA, 0x00, 4, 0x7000_8086],
    ['ISA bridge class', ISA, 0x0a, 2, 0x0601],
    ['ISA bridge is multi-function', ISA, 0x0e, 1, 0x80],
    ['power management', PM, 0x02, 2, 0x7113],
    ['PMBASE is I/O', PM, 0x40, 4, 1],
    ['odd byte', HOST, 0x01, 1, 0x80],
    ['absent function', [0, 1, 1], 0x00, 4, 0xffff_ffff],
    ['absent device, word', [0, 5, 0], 0x00, 2, 0xffff],
    ['absent device, byte', [0, 31, 7], 0x0e, 1, 0xff],
    ['absent bus', [1, 0, 0], 0x00, 4, 0xffff_ffff],
    ['unimplemented register', HOST, 0xf0, 4, 0],
  ] as const)('%s', (_name, where, offset, size, value) => {
    expect(read(rig(), where, offset, size)).toBe(value);
  });

  it.each([
    ['the ID is read-only', HOST, 0x00, 4, 0xffff_ffff, 0x1237_8086],
    ['command keeps its bits', HOST, 0x04, 2, 0xffff, 0x0547],
    ['PMBASE keeps bits 15:6', PM, 0x40, 4, 0xffff_ffff, 0xffc1],
    ['a PIRQ route', ISA, 0x61, 1, 0x0b, 0x0b],
    ['PAM', HOST, 0x59, 1, 0x30, 0x30],
  ] as const)('%s', (_name, where, offset, size, written, expected) => {
    const r = rig();
    write(r, where, offset, size, written);
    expect(read(r, where, offset, size)).toBe(expected);
    r.pc.reset();
    expect(read(r, where, 0, 4) & 0xffff).toBe(0x8086);
  });

  it('a byte write leaves its neighbours', () => {
    const r = rig();
    write(r, ISA, 0x62, 1, 0x05);
    expect(read(r, ISA, 0x60, 4)).toBe(0x8005_8080);
  });

  it('the address register is a doubleword; its enable bit and width count', () => {
    const r = rig();
    r.machine.ports.write(0xcf8, 4, 0xffff_ffff);
    expect(r.in(0xcf8, 4)).toBe(0x80ff_fffc);
    r.machine.ports.write(0xcf8, 2, 0);
    expect(r.in(0xcf8, 4)).toBe(0x80ff_fffc);
    r.machine.ports.write(0xcf8, 4, 0);
    expect([r.in(0xcfc, 4), r.in(0xcf8, 1)]).toEqual([0xffff_ffff, 0xff]);
    r.machine.ports.write(0xcfc, 4, 0);
    r.machine.ports.write(0xcf8, 4, 0x8000_0000);
    expect([r.in(0xcfe, 4), r.in(0xcff, 2), r.in(0xcfe, 2)]).toEqual([0xffff_ffff, 0xffff, 0x1237]);
  });

  it('a scan of bus 0 finds the three functions', () => {
    const r = rig();
    const found = [];
    for (let n = 0; n < 256; n++) if (read(r, [0, n >> 3, n & 7], 0, 2) !== 0xffff) found.push(`${n >> 3}.${n & 7}`);
    expect(found).toEqual(['0.0', '1.0', '1.3']);
  });

  it('takes more functions, but not two at one address', () => {
    const r = rig();
    r.pc.pci.add(new PciFunction('test', { device: 2, function: 0 }, header(0x1234, 0x5678, 0x03_00_00)));
    expect(read(r, [0, 2, 0], 0, 4)).toBe(0x5678_1234);
    expect(() => r.pc.pci.add(new PciFunction('other', { device: 2, function: 0 }, []))).toThrow('taken by test');
  });

  it('reads fast: 100,000 absent words in well under a second', () => {
    const r = rig();
    r.machine.ports.write(0xcf8, 4, at(0, 7, 0, 0));
    const start = performance.now();
    for (let n = 0; n < 100_000; n++) r.in(0xcfc, 2);
    expect(performance.now() - start).toBeLessThan(500);
  });

  it('describes the bus', () => {
    expect(rig().pc.pci.describe()).toContain('0:1.3 8086:7113 class 068000 PIIX4 power management');
  });
});
