import { describe, expect, it } from 'vitest';
import { Activity, Flag, Interruptibility } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { CODE, le, S, STACK, TSS_A, World, type Mode } from './world.ts';

const at = (mode: Mode, cpl: number, iopl: number, flags = 0): World => {
  const w = new World(mode, cpl);
  w.cpu.rflags = flags | (iopl << 12) | (mode === 'v8086' ? Flag.VM : 0);
  return w;
};

describe('CLI and STI: SDM Vol. 2', () => {
  it.each([
    ['real', 0, 0, 'ok'],
    ['protected', 0, 0, 'ok'],
    ['protected', 3, 0, '#GP(0)'],
    ['protected', 3, 2, '#GP(0)'],
    ['protected', 3, 3, 'ok'],
    ['protected', 1, 1, 'ok'],
    ['long', 3, 0, '#GP(0)'],
    ['v8086', 3, 2, '#GP(0)'],
    ['v8086', 3, 3, 'ok'],
  ] as const)('%s, CPL %i, IOPL %i: %s', (mode, cpl, iopl, expected) => {
    const on = at(mode, cpl, iopl, Flag.IF);
    expect(on.run('fa')).toBe(expected);
    expect(on.cpu.rflags & Flag.IF).toBe(expected === 'ok' ? 0 : Flag.IF);
    const off = at(mode, cpl, iopl);
    expect(off.run('fb')).toBe(expected);
    expect(off.cpu.rflags & Flag.IF).toBe(expected === 'ok' ? Flag.IF : 0);
    expect(off.cpu.interruptibility).toBe(expected === 'ok' ? Interruptibility.sti : 0);
  });
  it('STI shadows only when IF was clear', () => {
    const w = at('long', 0, 0, Flag.IF);
    expect(w.run('fb')).toBe('ok');
    expect(w.cpu.interruptibility).toBe(0);
  });
});

describe('PUSHF and POPF: SDM Vol. 2, table 4-16', () => {
  it('pushes without VM and RF', () => {
    const w = at('long', 0, 3, Flag.RF | Flag.AC | Flag.IF | Flag.CF);
    expect(w.run('9c')).toBe('ok');
    expect([w.stack(1, 8), w.cpu.rsp]).toEqual(['43203', BigInt(STACK - 8)]);
    const v = at('v8086', 3, 3);
    expect(v.run('66 9c')).toBe('ok');
    expect(v.stack(1, 4)).toBe('3002');
    expect(at('v8086', 3, 2).run('9c')).toBe('#GP(0)');
  });
  const ALL = 0x3f_7fd7;
  const V = Flag.VIF | Flag.VIP;
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, iopl: number, bytes: string, image: number, after: number])[] = [
    ['ring 0', 'long', 0, 0, '9d', ALL, ALL & ~(Flag.VM | Flag.RF | V)],
    ['ring 3, IOPL 0: neither IF nor IOPL', 'long', 3, 0, '9d', ALL, ALL & ~(Flag.VM | Flag.RF | V | Flag.IF | Flag.IOPL)],
    ['ring 3, IOPL 3: IF but not IOPL', 'protected', 3, 3, '9d', 0x202, 0x3202],
    ['16-bit keeps the upper half', 'protected', 0, 0, '66 9d', 0x7fd7, 0x7fd7 | Flag.ID],
    ['real mode', 'real', 0, 0, '9d', 0x7fd7, 0x7fd7 | Flag.ID],
    ['v8086, IOPL 3', 'v8086', 3, 3, '66 9d', 0x4_0202, 0x4_3202 | Flag.VM],
  ];
  it.each(rows)('%s', (_, mode, cpl, iopl, bytes, image, after) => {
    const w = at(mode, cpl, iopl, Flag.ID);
    const top = mode === 'v8086' ? 0x1_8000 : Number(w.cpu.rsp);
    w.write(top, 4, BigInt(image));
    expect(w.run(bytes)).toBe('ok');
    expect(w.cpu.rflags.toString(16)).toBe(after.toString(16));
  });
  it('v8086 mode needs IOPL 3', () => expect(at('v8086', 3, 2).run('9d')).toBe('#GP(0)'));
});

it('HLT is of ring 0', () => {
  const w = at('long', 0, 0);
  expect(w.run('f4')).toBe('ok');
  expect([w.cpu.activity, w.cpu.rip]).toEqual([Activity.hlt, BigInt(CODE + 1)]);
  expect(at('long', 3, 3).run('f4')).toBe('#GP(0)');
  expect(at('v8086', 3, 3).run('f4')).toBe('#GP(0)');
});

/** Ports 0x80-0x83 that remember what was written and read 0x11, 0x22... */
function ports(w: World): string[] {
  const seen: string[] = [];
  w.machine.ports.map({
    name: 'test', base: 0x80, length: 8,
    read: (port, size) => (seen.push(`in ${port.toString(16)} ${size}`), 0x8877_6655),
    write: (port, size, value) => void seen.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`),
  }); // prettier-ignore
  return seen;
}

describe('IN and OUT', () => {
  it.each([
    ['in al, imm', 'e4 80', 'in 80 1', 0x1111_1111_1111_1155n],
    ['in eax, imm', 'e5 80', 'in 80 4', 0x8877_6655n],
    ['in ax, dx', '66 ed', 'in 81 2', 0x1111_1111_1111_6655n],
    ['out imm, al', 'e6 80', 'out 80 1 11', 0x1111_1111_1111_1111n],
    ['out dx, ax', '66 ef', 'out 81 2 1111', 0x1111_1111_1111_1111n],
    ['out dx, eax with REX.W', '48 ef', 'out 81 4 11111111', 0x1111_1111_1111_1111n],
  ])('%s', (_, bytes, expected, rax) => {
    const w = new World('long');
    const seen = ports(w);
    const probed: unknown[] = [];
    w.machine.probe = { port: (_c, port, size, _v, write) => void probed.push([port, size, write]) };
    w.cpu.setGpr(0, 0x1111_1111_1111_1111n);
    w.cpu.setGpr(2, 0x81n);
    expect(w.run(bytes)).toBe('ok');
    expect([seen, w.cpu.gpr(0)]).toEqual([[expected], rax]);
    expect(probed.length).toBe(1);
  });
  /** I/O permission bitmap: SDM Vol. 1, 19.5.2. */
  const rows: readonly (readonly [
    name: string,
    mode: Mode,
    cpl: number,
    iopl: number,
    bytes: string,
    expected: string,
    change?: (w: World) => void,
  ])[] = [
    ['ring 3, IOPL 3', 'protected', 3, 3, 'e4 80', 'ok', (w) => w.write(TSS_A + 0x68 + 16, 2, 0xffffn)],
    ['bitmap allows', 'protected', 3, 0, 'e4 80', 'ok'],
    ['bitmap denies', 'protected', 3, 0, 'e4 80', '#GP(0)', (w) => w.write(TSS_A + 0x68 + 16, 1, 1n)],
    ['bitmap denies the port beside', 'protected', 3, 0, 'e4 80', 'ok', (w) => w.write(TSS_A + 0x68 + 16, 1, 2n)],
    ['bitmap denies the last byte of four', 'protected', 3, 0, 'e5 80', '#GP(0)', (w) => w.write(TSS_A + 0x68 + 16, 1, 8n)],
    ['bitmap denies across bytes', 'protected', 3, 0, 'e5 86', '#GP(0)', (w) => w.write(TSS_A + 0x68 + 17, 1, 1n)],
    ['limit covers the byte after', 'protected', 3, 0, 'e4 80', 'ok', (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 0x68 + 17, 0x8b)],
    ['limit does not', 'protected', 3, 0, 'e4 80', '#GP(0)', (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 0x68 + 16, 0x8b)],
    ['no bitmap', 'protected', 3, 0, 'e4 80', '#GP(0)', (w) => w.write(TSS_A + 102, 2, 0x8000n)],
    ['16-bit TSS', 'protected', 3, 0, 'e4 80', '#GP(0)', (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 0x7ff, 0x83)],
    ['v8086, IOPL 3: the bitmap decides', 'v8086', 3, 3, 'e4 80', '#GP(0)', (w) => w.write(TSS_A + 0x68 + 16, 1, 1n)],
    ['v8086, IOPL 0: the bitmap decides', 'v8086', 3, 0, 'e4 80', 'ok'],
    ['long, bitmap denies', 'long', 3, 0, 'e6 80', '#GP(0)', (w) => w.write(TSS_A + 0x68 + 16, 1, 1n)],
    ['long, bitmap allows', 'long', 3, 0, 'e6 80', 'ok'],
  ];
  for (const [name, mode, cpl, iopl, bytes, expected, change] of rows) {
    it(name, () => {
      const w = at(mode, cpl, iopl);
      const seen = ports(w);
      change?.(w);
      expect(w.run(bytes)).toBe(expected);
      expect(seen.length).toBe(expected === 'ok' ? 1 : 0);
    });
  }
});

describe('INS and OUTS: one iteration an execution', () => {
  it('rep insb stays at the instruction while iterations remain', () => {
    const w = new World('long');
    const seen = ports(w);
    w.cpu.setGpr(2, 0x80n);
    w.cpu.setGpr(1, 2n);
    w.cpu.setGpr(7, 0xa000n);
    expect(w.run('f3 6c')).toBe('ok');
    expect([w.cpu.rip, w.cpu.gpr(1), w.cpu.gpr(7)]).toEqual([BigInt(CODE), 1n, 0xa001n]);
    expect(w.run('f3 6c')).toBe('ok');
    expect([w.cpu.rip, w.cpu.gpr(1), w.cpu.gpr(7), w.read(0xa000, 2)]).toEqual([BigInt(CODE + 2), 0n, 0xa002n, 0x5555n]);
    expect(w.run('f3 6c')).toBe('ok');
    expect([w.cpu.rip, seen.length]).toEqual([BigInt(CODE + 4), 2]);
  });
  it('outsd backwards, with 32-bit addresses', () => {
    const w = new World('long');
    const seen = ports(w);
    w.cpu.sysflags |= Flag.DF;
    w.cpu.setGpr(2, 0x80n);
    w.cpu.setGpr(6, 0xffff_ffff_0000_a000n);
    w.write(0xa000, 4, 0x1234_5678n);
    expect(w.run('67 6f')).toBe('ok');
    expect([seen, w.cpu.gpr(6)]).toEqual([['out 80 4 12345678'], 0x9ffcn]);
  });
  it('outsb takes a segment prefix, insb does not', () => {
    const w = new World('protected');
    const seen = ports(w);
    w.cpu.setGpr(2, 0x80n);
    w.cpu.segments[L.FS]!.load(S.data0, 0x1000n, 0xffff_ffff, 0xc093);
    w.write(0xb000, 1, 0x42n);
    w.cpu.setGpr(6, 0xa000n);
    expect(w.run('64 6e')).toBe('ok');
    expect(seen).toEqual(['out 80 1 42']);
    w.cpu.setGpr(7, 0xa000n);
    expect(w.run('64 6c')).toBe('ok');
    expect(w.read(0xa000, 1)).toBe(0x55n);
  });
  it('a destination that cannot be written keeps the port unread', () => {
    const w = new World('long');
    const seen = ports(w);
    w.cpu.setGpr(2, 0x80n);
    w.cpu.setGpr(7, 0x4000_0000n);
    expect(w.run('6c')).toBe('#PF(2)');
    expect(seen).toEqual([]);
  });
});

describe('INT n and its kin', () => {
  it.each([
    ['int3', 'cc', 3, 1],
    ['int 3', 'cd 03', 3, 2],
    ['int1', 'f1', 1, 1],
    ['int 0x40', 'cd 40', 0x40, 2],
    ['int 0xff', 'cd ff', 0xff, 2],
  ] as const)('%s', (_, bytes, vector, length) => {
    const w = new World('long', 3);
    w.setIdt(vector, { selector: S.code64, offset: 0xb000, type: 14, dpl: 3 });
    expect(w.run(bytes)).toBe('ok');
    expect([w.place(), w.stack(1, 8)]).toEqual(['38:b000 cpl 0', (CODE + length).toString(16)]);
  });
  it('into acts on OF', () => {
    const w = new World('protected');
    w.setIdt(4, { selector: S.code0, offset: 0xb000, type: 14 });
    expect(w.run('ce')).toBe('ok');
    expect(w.cpu.rip).toBe(BigInt(CODE + 1));
    w.cpu.rflags |= Flag.OF;
    expect(w.run('ce')).toBe('ok');
    expect(w.cpu.rip).toBe(0xb000n);
  });
  it.each([
    ['inside', 5, 'ok'],
    ['lower bound', -2, 'ok'],
    ['upper bound', 9, 'ok'],
    ['below', -3, '#BR'],
    ['above', 10, '#BR'],
  ])('bound: %s', (_, index, expected) => {
    const w = new World('protected');
    w.write(0xa000, 4, 0xffff_fffen);
    w.write(0xa004, 4, 9n);
    w.cpu.setGpr(0, BigInt.asUintN(32, BigInt(index)));
    expect(w.run(`62 05 ${le(0xa000, 4)}`)).toBe(expected);
    w.write(0xa000, 4, 0x0009_fffen);
    expect(w.run(`66 62 05 ${le(0xa000, 4)}`)).toBe(expected);
  });
  it('ud2', () => expect(new World('long').run('0f 0b')).toBe('#UD'));
});
