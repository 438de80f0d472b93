import { describe, expect, it } from 'vitest';
import { CR4, Flag } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { TSS_A, World, type Mode } from './world.ts';

const { CF, IF, IOPL, TF, VIF, VIP, VM } = Flag;

function at(mode: Mode, iopl: number, flags: number, cr4: number, cpl = 3): World {
  const w = new World(mode, cpl);
  w.cpu.cr4 |= BigInt(cr4);
  w.cpu.rflags = flags | (iopl << 12) | (mode === 'v8086' ? VM : 0);
  return w;
}
const changed = (w: World, before: number): number => w.cpu.rflags ^ before;

describe('CLI and STI on VIF: SDM Vol. 3, 20.3 and 20.4', () => {
  it.each([
    ['v8086 with VME', 'v8086', 0, CR4.VME, 3, 'ok', VIF],
    ['v8086 with VME, IOPL 3: IF', 'v8086', 3, CR4.VME, 3, 'ok', IF],
    ['v8086 with PVI only', 'v8086', 0, CR4.PVI, 3, '#GP(0)', 0],
    ['v8086 without VME', 'v8086', 2, 0, 3, '#GP(0)', 0],
    ['CPL 3 with PVI', 'protected', 0, CR4.PVI, 3, 'ok', VIF],
    ['CPL 3 with PVI, 64-bit', 'long', 0, CR4.PVI, 3, 'ok', VIF],
    ['CPL 3 with PVI, IOPL 3: IF', 'protected', 3, CR4.PVI, 3, 'ok', IF],
    ['CPL 2 with PVI', 'protected', 0, CR4.PVI, 2, '#GP(0)', 0],
    ['CPL 3 with VME only', 'protected', 0, CR4.VME, 3, '#GP(0)', 0],
    ['CPL 0 with PVI: IF', 'protected', 0, CR4.PVI, 0, 'ok', IF],
  ] as const)('%s', (_, mode, iopl, cr4, cpl, outcome, bit) => {
    const off = at(mode, iopl, 0, cr4, cpl);
    const before = off.cpu.rflags;
    expect([off.run('fb'), changed(off, before)]).toEqual([outcome, bit]);
    const on = at(mode, iopl, IF | VIF, cr4, cpl);
    const full = on.cpu.rflags;
    expect([on.run('fa'), changed(on, full)]).toEqual([outcome, bit]);
  });

  it.each([
    ['v8086', CR4.VME],
    ['protected', CR4.PVI],
  ] as const)('STI while an interrupt waits: %s', (mode, cr4) => {
    expect(at(mode, 0, VIP, cr4).run('fb')).toBe('#GP(0)');
    expect(at(mode, 0, VIP | VIF, cr4).run('fa')).toBe('ok');
    expect(at(mode, 3, VIP, cr4).run('fb')).toBe('ok');
  });
});

describe('PUSHF, POPF and IRET of an 8086 program: SDM Vol. 3, 20.3.1', () => {
  it.each([
    [VIF, 0x3202],
    [IF, 0x3002],
    [VIF | CF, 0x3203],
  ])('PUSHF with flags %s', (flags, image) => {
    const w = at('v8086', 0, flags, CR4.VME);
    expect([w.run('9c'), w.stack(1, 2)]).toEqual(['ok', image.toString(16)]);
    expect(at('v8086', 0, flags, CR4.VME).run('66 9c')).toBe('#GP(0)');
  });

  it.each<readonly [string, number, number, string, number]>([
    ['IF sets VIF', 0, IF | CF, 'ok', VIF | CF],
    ['no IF clears VIF', VIF | IF, 0, 'ok', IF],
    ['IOPL stays', 0, IOPL, 'ok', 0],
    ['TF faults', 0, TF, '#GP(0)', 0],
    ['IF faults while an interrupt waits', VIP, IF, '#GP(0)', VIP],
    ['no IF does not', VIP | VIF, 0, 'ok', VIP],
  ])('POPF and IRET: %s', (_, flags, image, outcome, after) => {
    const popped = at('v8086', 0, flags, CR4.VME);
    popped.write(0x1_8000, 2, BigInt(image));
    expect([popped.run('9d'), popped.cpu.rflags & ~(VM | 2)]).toEqual([outcome, after]);
    const returned = at('v8086', 0, flags, CR4.VME);
    returned.write(0x1_8000, 4, 0x0200_0123n);
    returned.write(0x1_8004, 2, BigInt(image));
    expect([returned.run('cf'), returned.cpu.rflags & ~(VM | 2)]).toEqual([outcome, after]);
    if (outcome === 'ok') expect(returned.place()).toBe('200:123 cpl 3');
  });

  it('the wide forms fault', () => {
    for (const bytes of ['66 9d', '66 cf']) expect(at('v8086', 0, 0, CR4.VME).run(bytes)).toBe('#GP(0)');
  });
});

describe('INT n of an 8086 program: SDM Vol. 3, table 20-2', () => {
  const MAP = 0x88;
  const world = (iopl: number, cr4: number, toIdt: boolean, flags = 0): World => {
    const w = at('v8086', iopl, flags, cr4);
    w.write(TSS_A + 102, 2, BigInt(MAP));
    for (let n = 0; n < 32; n++) w.write(TSS_A + MAP - 32 + n, 1, toIdt ? 0xffn : 0n);
    w.write(0x40 * 4, 4, 0x1234_5678n);
    return w;
  };

  it('redirected with IOPL below 3: VIF is pushed as IF and cleared', () => {
    const w = world(0, CR4.VME, false, VIF | TF | IF);
    const ip = (w.cpu.rip + 2n).toString(16);
    expect([w.run('cd 40'), w.place(), w.stack(3, 2)]).toEqual(['ok', '1234:5678 cpl 3', `${ip} 0 3302`]);
    expect(w.cpu.rflags & (VIF | TF | IF)).toBe(IF);
  });
  it('redirected with IOPL 3: IF is pushed and cleared', () => {
    const w = world(3, CR4.VME, false, VIF | IF);
    expect([w.run('cd 40'), w.stack(3, 2).split(' ')[2], w.cpu.rflags & (VIF | IF)]).toEqual(['ok', '3202', VIF]);
  });
  it('not redirected: the IDT with IOPL 3, else a fault', () => {
    expect(world(0, CR4.VME, true).run('cd 40')).toBe('#GP(0)');
    expect(world(0, 0, false).run('cd 40')).toBe('#GP(0)');
    const w = world(3, CR4.VME, true);
    w.run('cd 40');
    expect(w.place()).not.toMatch(/^1234:/);
  });
  it('one bit for each vector', () => {
    const w = world(0, CR4.VME, true);
    w.write(TSS_A + MAP - 32 + 8, 1, 0xfen); // 40H alone
    expect([w.run('cd 40'), world(0, CR4.VME, true).run('cd 41')]).toEqual(['ok', '#GP(0)']);
  });
  it('a bit map beyond the limit of the TSS faults', () => {
    const w = world(0, CR4.VME, false);
    w.write(TSS_A + 102, 2, 0xfff0n);
    expect(w.run('cd 40')).toBe('#GP(0)');
  });
  it('INT3 is not redirected', () => {
    const w = world(0, CR4.VME, false);
    w.write(3 * 4, 4, 0x1234_5678n);
    w.run('cc');
    expect(w.place()).not.toMatch(/^1234:/);
    expect(w.cpu.segments[L.CS]!.selector).not.toBe(0x1234);
  });
});
