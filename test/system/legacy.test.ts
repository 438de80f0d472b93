import { describe, expect, it } from 'vitest';
import { Flag } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { P, U, W } from '../support/page-tables.ts';
import { le, S, STACK, World, type Mode } from './world.ts';

const { CF, AF, ZF, SF, PF } = Flag;

describe('decimal adjustment: SDM Vol. 2', () => {
  const rows: readonly (readonly [bytes: string, name: string, ax: number, flags: number, result: number, after: number])[] = [
    ['37', 'aaa, no adjustment', 0x0105, 0, 0x0105, 0],
    ['37', 'aaa, digit above 9', 0x010b, 0, 0x0201, CF | AF],
    ['37', 'aaa, AF', 0x0103, AF, 0x0209, CF | AF],
    ['37', 'aaa carries into AH', 0x00ff, 0, 0x0205, CF | AF],
    ['3f', 'aas, no adjustment', 0x0205, CF, 0x0205, 0],
    ['3f', 'aas, AF', 0x0207, AF, 0x0101, CF | AF],
    ['3f', 'aas borrows from AH', 0x0203, AF, 0x000d, CF | AF],
    ['27', 'daa 79 + 35', 0xae, 0, 0x14, CF | AF],
    ['27', 'daa 2e', 0x2e, 0, 0x34, AF],
    ['27', 'daa, CF', 0x00, CF, 0x60, CF],
    ['27', 'daa 9a', 0x9a, 0, 0x00, CF | AF],
    ['27', 'daa, no adjustment', 0x99, 0, 0x99, 0],
    ['2f', 'das 35 - 47', 0xee, CF | AF, 0x88, CF | AF],
    ['2f', 'das, AF borrows', 0x03, AF, 0xfd, CF | AF],
    ['2f', 'das, no adjustment', 0x45, 0, 0x45, 0],
    ['2f', 'das above 99', 0x9c, 0, 0x36, CF | AF],
    ['d4 0a', 'aam', 0x0063, 0, 0x0909, 0],
    ['d4 10', 'aam 16', 0x00a5, 0, 0x0a05, 0],
    ['d5 0a', 'aad', 0x0909, 0, 0x0063, 0],
    ['d5 10', 'aad 16', 0x0a05, 0, 0x00a5, 0],
    ['d6', 'salc clear', 0x0012, 0, 0x0000, 0],
    ['d6', 'salc set', 0x0012, CF, 0x00ff, CF],
  ];
  it.each(rows)('%s: %s', (bytes, _, ax, flags, result, after) => {
    const w = new World('protected');
    w.cpu.setGpr(0, BigInt(0xabcd_0000 + ax));
    w.cpu.rflags = flags;
    expect(w.run(bytes)).toBe('ok');
    expect(w.cpu.gpr(0).toString(16)).toBe((0xabcd_0000 + result).toString(16));
    expect(w.cpu.rflags & (CF | AF)).toBe(after);
  });
  it.each([
    ['27', 0x9a, ZF | PF],
    ['2f', 0x03, SF],
    ['d4 0a', 0x0a, ZF | PF],
    ['d5 0a', 0x83, SF],
  ])('%s sets SF, ZF and PF from the result', (bytes, al, expected) => {
    const w = new World('protected');
    w.cpu.setGpr(0, BigInt(al));
    w.cpu.rflags = bytes === '2f' ? AF : 0;
    expect(w.run(bytes)).toBe('ok');
    expect(w.cpu.rflags & (SF | ZF | PF)).toBe(expected);
  });
  it('AAM 0 divides by zero', () => expect(new World('protected').run('d4 00')).toBe('#DE'));
});

describe('ENTER: SDM Vol. 2', () => {
  it('level 0', () => {
    const w = new World('long');
    w.cpu.setGpr(5, 0x1111_2222_3333_4444n);
    expect(w.run('c8 20 00 00')).toBe('ok');
    expect([w.cpu.gpr(5), w.cpu.rsp]).toEqual([BigInt(STACK - 8), BigInt(STACK - 8 - 0x20)]);
    expect(w.read(STACK - 8, 8)).toBe(0x1111_2222_3333_4444n);
  });
  it('level 3 copies the display', () => {
    const w = new World('protected');
    w.cpu.setGpr(5, 0x1_9000n);
    w.write(0x1_8ffc, 4, 0xaan);
    w.write(0x1_8ff8, 4, 0xbbn);
    expect(w.run('c8 08 00 03')).toBe('ok');
    expect([w.cpu.gpr(5), w.cpu.rsp]).toEqual([BigInt(STACK - 4), BigInt(STACK - 16 - 8)]);
    expect([1, 2, 3, 4].map((n) => w.read(STACK - n * 4, 4))).toEqual([0x1_9000n, 0xaan, 0xbbn, BigInt(STACK - 4)]);
  });
  it('a 16-bit operand in 64-bit mode writes BP only, as processors do', () => {
    const w = new World('long');
    w.cpu.setGpr(5, 0x1122_3344_5566_7788n);
    expect(w.run('66 c8 10 00 00')).toBe('ok');
    expect([w.cpu.gpr(5), w.cpu.rsp]).toEqual([0x1122_3344_5566_7ffen, BigInt(STACK - 2 - 0x10)]);
  });
  it('faults when the frame ends outside the stack segment or in an absent page', () => {
    const w = new World('protected');
    w.cpu.segments[L.SS]!.load(S.data0, 0n, 0x1000, 0x4097);
    w.cpu.rsp = 0x1100n;
    expect(w.run('c8 00 02 00')).toBe('#SS(0)');
    expect(w.run('c8 80 00 00')).toBe('ok');
    const long = new World('long');
    long.tables!.map(0x80_0000n, 0, P | W | U, 2);
    long.cpu.rsp = 0x80_1000n;
    expect(long.run('c8 00 20 00')).toBe('#PF(2)');
  });
});

describe('PUSHA, POPA', () => {
  it.each([
    ['32-bit', '60', '61', 4],
    ['16-bit', '66 60', '66 61', 2],
  ] as const)('%s', (_, push, pop, size) => {
    const w = new World('protected');
    for (let n = 0; n < 8; n++) if (n !== 4) w.cpu.setGpr(n, BigInt(0x1111_1110 + n));
    expect(w.run(push)).toBe('ok');
    const bits = BigInt(size * 8);
    const image = [7, 6, 5, 4, 3, 2, 1, 0].map((n) => (n === 4 ? BigInt(STACK) : BigInt(0x1111_1110 + n)) & ((1n << bits) - 1n));
    expect(w.stack(8, size)).toBe(image.map((v) => v.toString(16)).join(' '));
    for (let n = 0; n < 8; n++) if (n !== 4) w.cpu.setGpr(n, 0x2222_2222n);
    expect(w.run(pop)).toBe('ok');
    expect(w.cpu.rsp).toBe(BigInt(STACK));
    for (let n = 0; n < 8; n++) if (n !== 4) expect(w.cpu.gpr(n)).toBe(size === 4 ? BigInt(0x1111_1110 + n) : 0x2222_1110n + BigInt(n));
  });
  it('without room', () => {
    const w = new World('protected');
    w.cpu.segments[L.SS]!.load(S.data0, 0n, 0x7fff, 0x4097);
    w.cpu.rsp = 0x801cn;
    expect(w.run('60')).toBe('#SS(0)');
    w.cpu.rsp = 0x8020n;
    expect(w.run('60')).toBe('ok');
  });
});

describe('POP r/m and XLAT', () => {
  it('an RSP-based address uses RSP after the pop', () => {
    const w = new World('long');
    w.write(STACK, 8, 0x1234n);
    expect(w.run('8f 04 24')).toBe('ok');
    expect([w.read(STACK + 8, 8), w.cpu.rsp]).toEqual([0x1234n, BigInt(STACK + 8)]);
  });
  it('other bases are not touched; register form', () => {
    const w = new World('long');
    w.write(STACK, 8, 0x1234n);
    w.cpu.setGpr(3, 0xa000n);
    expect(w.run('8f 43 08')).toBe('ok');
    expect([w.read(0xa008, 8), w.cpu.rsp]).toEqual([0x1234n, BigInt(STACK + 8)]);
    w.write(STACK + 8, 8, 0x77n);
    expect(w.run('8f c4')).toBe('ok');
    expect(w.cpu.rsp).toBe(0x77n);
  });
  it('a bad destination leaves RSP', () => {
    const w = new World('long');
    w.cpu.setGpr(3, 0x4000_0000n);
    expect(w.run('8f 03')).toBe('#PF(2)');
    expect(w.cpu.rsp).toBe(BigInt(STACK));
  });
  it.each([
    ['long', 'd7', 0xa0ffn],
    ['protected', '67 d7', 0xa0ffn],
    ['protected', '65 d7', 0xb0ffn],
  ] as const)('xlat in %s mode: %s', (mode: Mode, bytes, at) => {
    const w = new World(mode);
    w.cpu.segments[L.GS]!.load(S.data0, 0x1000n, 0xffff_ffff, 0xc093);
    w.cpu.setGpr(0, 0x1234_56ffn);
    w.cpu.setGpr(3, 0xa000n);
    w.write(Number(at), 1, 0x42n);
    expect(w.run(bytes)).toBe('ok');
    expect(w.cpu.gpr(0)).toBe(0x1234_5642n);
  });
  it('xlat beyond the limit', () => {
    const w = new World('protected');
    w.cpu.segments[L.DS]!.load(S.data0, 0n, 0xff, 0x4093);
    w.cpu.setGpr(3, 0x100n);
    expect(w.run('d7')).toBe('#GP(0)');
  });
});

it('64-bit mode has none of the legacy instructions', () => {
  for (const bytes of [
    '27',
    '2f',
    '37',
    '3f',
    'd4 0a',
    'd5 0a',
    'd6',
    '60',
    '61',
    'ce',
    `62 05 ${le(0, 4)}`,
    '9a 00 00 00 00 08 00',
    'ea 00 00 00 00 08 00',
    '06',
    '07',
  ]) {
    expect(() => new World('long').run(bytes), bytes).toThrow('does not decode');
  }
});
