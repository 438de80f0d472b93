import { describe, expect, it } from 'vitest';
import { CR0, CR4 } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { le, World, type Mode } from '../system/world.ts';

const AT = 0xa000;
/** ModRM (and SIB) of [0xa000] with a /digit. */
const mem = (w: World, digit: number): string =>
  w.cpu.code64
    ? `${((digit << 3) | 4).toString(16)} 25 ${le(AT, 4)}`
    : w.cpu.u32(L.CODE_SIZE) === 0
      ? `${((digit << 3) | 6).toString(16)} ${le(AT, 2)}`
      : `${((digit << 3) | 5).toString(16)} ${le(AT, 4)}`;

/** Processors before Haswell keep the selectors. */
function world(mode: Mode = 'long', model = 'nehalem'): World {
  const w = new World(mode, 0, model);
  w.cpu.cr0 |= BigInt(CR0.NE);
  w.cpu.cr4 |= BigInt(CR4.OSFXSR);
  w.cpu.setU32(L.FCW, 0x37f);
  w.cpu.setU32(L.FSW, 0);
  w.cpu.setU32(L.FTW, 0xffff);
  w.cpu.setU32(L.MXCSR, 0x1f80);
  return w;
}

/** TOP 6, ST0..ST1 = 1.0 and 0.0, the rest empty with recognizable contents. */
function fill(w: World): void {
  w.cpu.setU32(L.FSW, 6 << 11);
  w.cpu.setU32(L.FTW, 0x0fff);
  for (let n = 0; n < 8; n++) {
    w.cpu.setU64(L.FPR + n * 16, BigInt(0x100 + n));
    w.cpu.setU64(L.FPR + n * 16 + 8, BigInt(0x20 + n));
  }
  w.cpu.setU64(L.FPR + 6 * 16, 1n << 63n);
  w.cpu.setU64(L.FPR + 6 * 16 + 8, 0x3fffn);
  w.cpu.setU64(L.FPR + 7 * 16, 0n);
  w.cpu.setU64(L.FPR + 7 * 16 + 8, 0n);
  w.cpu.setU64(L.FIP, 0xffff_8000_0001_2345n);
  w.cpu.setU64(L.FDP, 0xffff_8000_0006_789an);
  w.cpu.setU32(L.FCS, 0x38);
  w.cpu.setU32(L.FDS, 0x10);
  w.cpu.setU32(L.FOP, 0x5ab);
}

describe('when x87 and SSE may not be used: SDM Vol. 3, 2.5 and 13.1', () => {
  const X87 = ['db e3', 'db e2', 'd9 7', 'd9 5', 'dd 7', 'df e0', 'd9 6', 'd9 4', 'dd 6', 'dd 4'];
  const bytes = (w: World, text: string): string => (text.length === 5 ? text : `${text.slice(0, -2)} ${mem(w, Number(text.slice(-1)))}`);
  it.each(X87)('%s: #NM with EM or TS', (text) => {
    for (const bit of [CR0.EM, CR0.TS]) {
      const w = world();
      w.cpu.cr0 |= BigInt(bit);
      expect(w.run(bytes(w, text))).toBe('#NM');
    }
    const w = world();
    expect(w.run(bytes(w, text))).toBe('ok');
  });
  it.each([
    ['fxsave', 0, CR0.EM, 0, '#NM'],
    ['fxrstor', 1, CR0.TS, 0, '#NM'],
    ['ldmxcsr', 2, CR0.EM, 0, '#UD'],
    ['ldmxcsr', 2, CR0.TS, 0, '#NM'],
    ['ldmxcsr', 2, 0, CR4.OSFXSR, '#UD'],
    ['stmxcsr', 3, CR0.EM, 0, '#UD'],
    ['stmxcsr', 3, 0, CR4.OSFXSR, '#UD'],
    ['stmxcsr', 3, 0, 0, 'ok'],
  ])('%s (/%i)', (_, digit, set, clear, expected) => {
    const w = world();
    w.cpu.cr0 |= BigInt(set);
    w.cpu.cr4 &= ~BigInt(clear);
    expect(w.run(`0f ae ${mem(w, digit)}`)).toBe(expected);
  });
  it('fwait heeds TS only with MP; emms is undefined with EM', () => {
    for (const [bits, wait, emms] of [[CR0.TS, 'ok', '#NM'], [CR0.MP | CR0.TS, '#NM', '#NM'], [CR0.EM, 'ok', '#UD'], [0, 'ok', 'ok']] as const) {
      const w = world();
      w.cpu.cr0 |= BigInt(bits);
      expect([w.run('9b'), w.run('0f 77')]).toEqual([wait, emms]);
    } // prettier-ignore
  });
  it('waiting instructions report a pending exception, the others do not', () => {
    const pending = (): World => {
      const w = world();
      w.cpu.setU32(L.FCW, 0x37e);
      w.cpu.setU32(L.FSW, 0x8081);
      return w;
    };
    const w = pending();
    for (const [text, expected] of [['9b', '#MF'], ['d9 5', '#MF'], ['d9 4', '#MF'], ['dd 4', '#MF'], ['0f 77', '#MF'], ['d9 7', 'ok'], ['dd 7', 'ok'], ['df e0', 'ok']] as const) {
      expect(w.run(text === '9b' ? text : bytes(w, text)), text).toBe(expected);
    } // prettier-ignore
    expect(w.run('db e2')).toBe('ok');
    expect(w.run('9b')).toBe('ok');
  });
});

describe('x87 control: SDM Vol. 2', () => {
  it('fninit', () => {
    const w = world();
    fill(w);
    expect(w.run('db e3')).toBe('ok');
    expect([L.FCW, L.FSW, L.FTW, L.FOP, L.FCS, L.FDS].map((o) => w.cpu.u32(o))).toEqual([0x37f, 0, 0xffff, 0, 0, 0]);
    expect([w.cpu.u64(L.FIP), w.cpu.u64(L.FDP), w.cpu.u64(L.FPR)]).toEqual([0n, 0n, 0x100n]);
  });
  it('fldcw unmasks, which makes a pending exception; fnstcw, fnstsw', () => {
    const w = world();
    w.cpu.setU32(L.FSW, 0x3801);
    w.write(AT, 2, 0x027en);
    expect(w.run(`d9 ${mem(w, 5)}`)).toBe('ok');
    expect([w.cpu.u32(L.FCW), w.cpu.u32(L.FSW)]).toEqual([0x27e, 0xb881]);
    expect(w.run(`d9 ${mem(w, 7)}`)).toBe('ok');
    expect(w.read(AT, 2)).toBe(0x27en);
    w.cpu.setGpr(0, 0xffff_ffff_ffff_ffffn);
    expect(w.run('df e0')).toBe('ok');
    expect(w.cpu.gpr(0)).toBe(0xffff_ffff_ffff_b881n);
  });
  it.each([
    ['protected, 32-bit', 'protected', '', 4, ['ffff037f', 'ffff3000', 'ffff4fff', '12345', '5ab0038', '6789a', 'ffff0010']],
    ['protected, 16-bit', 'protected', '66 ', 2, ['37f', '3000', '4fff', '2345', '38', '789a', '10']],
    ['real, 16-bit', 'real', '', 2, ['37f', '3000', '4fff', '26c5', '15ab', '799a', '6000']],
    ['real, 32-bit', 'real', '66 ', 4, ['ffff037f', 'ffff3000', 'ffff4fff', '26c5', '15ab', '799a', '6000']],
  ] as const)('fnstenv, %s, and fldenv back', (_, mode, prefix, size, words) => {
    const w = world(mode);
    fill(w);
    w.cpu.setU64(L.FIP, 0x1_2345n);
    w.cpu.setU64(L.FDP, 0x6_789an);
    w.cpu.setU32(L.FCW, 0x37f);
    expect(w.run(`${prefix}d9 ${mem(w, 6)}`)).toBe('ok');
    expect(Array.from({ length: 7 }, (_x, n) => w.read(AT + n * size, size).toString(16))).toEqual(words);
    expect(w.run('db e3')).toBe('ok');
    expect(w.run(`${prefix}d9 ${mem(w, 4)}`)).toBe('ok');
    expect([w.cpu.u32(L.FSW), w.cpu.u32(L.FTW)]).toEqual([0x3000, 0x0fff]);
    const narrow = mode === 'protected' && size === 2;
    // In real mode the selector is part of the address.
    expect(w.cpu.u64(L.FIP)).toBe(narrow ? 0x2345n : mode === 'real' ? 0x1_26c5n : 0x1_2345n);
    expect(w.cpu.u32(L.FOP)).toBe(narrow ? 0 : 0x5ab);
  });
  it('selectors are stored as zero where CPUID says so', () => {
    const w = world('protected', 'haswell');
    fill(w);
    expect(w.run(`d9 ${mem(w, 6)}`)).toBe('ok');
    expect([w.read(AT + 16, 4), w.read(AT + 24, 4)]).toEqual([0x5ab_0000n, 0xffff_0000n]);
    expect(w.run(`0f ae ${mem(w, 0)}`)).toBe('ok');
    expect([w.read(AT + 12, 2), w.read(AT + 20, 2)]).toEqual([0n, 0n]);
  });
  it('fnstenv masks all exceptions', () => {
    const w = world();
    w.cpu.setU32(L.FCW, 0x340);
    expect(w.run(`d9 ${mem(w, 6)}`)).toBe('ok');
    expect([w.read(AT, 2), w.cpu.u32(L.FCW)]).toEqual([0x340n, 0x37f]);
  });
  it.each([['', 28], ['66 ', 14]] as const)('fnsave and frstor %s', (prefix, size) => {
    const w = world('protected');
    fill(w);
    expect(w.run(`${prefix}dd ${mem(w, 6)}`)).toBe('ok');
    // ST0 comes first, physical register 6.
    expect([w.read(AT + size, 8), w.read(AT + size + 8, 2), w.read(AT + size + 20, 8)]).toEqual([1n << 63n, 0x3fffn, 0x100n]);
    expect([w.cpu.u32(L.FTW), w.cpu.u32(L.FSW)]).toEqual([0xffff, 0]);
    for (let n = 0; n < 8; n++) w.cpu.setU64(L.FPR + n * 16, 0n);
    expect(w.run(`${prefix}dd ${mem(w, 4)}`)).toBe('ok');
    expect([w.cpu.u32(L.FTW), w.cpu.u32(L.FSW)]).toEqual([0x0fff, 0x3000]);
    expect([0, 5, 6, 7].map((n) => w.cpu.u64(L.FPR + n * 16))).toEqual([0x100n, 0x105n, 1n << 63n, 0n]);
  }); // prettier-ignore
  it('an environment that crosses into an absent page writes nothing', () => {
    const w = world();
    w.cpu.setGpr(3, 0x3f_fff0n);
    expect(w.run('d9 33')).toBe('#PF(2)');
    expect(w.read(0x3f_fff0, 8)).toBe(0n);
  });
});

describe('FXSAVE and FXRSTOR: SDM Vol. 1, 10.5', () => {
  it('the 64-bit image', () => {
    const w = world();
    fill(w);
    for (let n = 0; n < 16; n++) w.cpu.setU64(L.VECTORS + n * L.VECTOR_SIZE + 8, BigInt(0x900 + n));
    expect(w.run(`48 0f ae ${mem(w, 0)}`)).toBe('ok');
    const read = (at: number, size: 1 | 2 | 4 | 8): string => w.read(AT + at, size).toString(16);
    expect([read(0, 2), read(2, 2), read(4, 1), read(5, 1), read(6, 2)]).toEqual(['37f', '3000', 'c0', '0', '5ab']);
    expect([read(8, 8), read(16, 8), read(24, 4), read(28, 4)]).toEqual(['ffff800000012345', 'ffff80000006789a', '1f80', 'ffff']);
    expect([read(32, 8), read(40, 2), read(48, 8), read(64, 8)]).toEqual(['8000000000000000', '3fff', '0', '100']);
    expect([read(160 + 8, 8), read(160 + 15 * 16 + 8, 8)]).toEqual(['900', '90f']);
  });
  it('the other image has 32-bit pointers with selectors; outside 64-bit mode 8 registers', () => {
    const w = world('protected');
    fill(w);
    for (let n = 0; n < 16; n++) w.cpu.setU64(L.VECTORS + n * L.VECTOR_SIZE, BigInt(0x900 + n));
    w.write(AT + 160 + 128, 8, 0x5555n);
    expect(w.run(`0f ae ${mem(w, 0)}`)).toBe('ok');
    expect([w.read(AT + 8, 4), w.read(AT + 12, 2), w.read(AT + 16, 4), w.read(AT + 20, 2)]).toEqual([0x1_2345n, 0x38n, 0x6_789an, 0x10n]);
    expect([w.read(AT + 160 + 7 * 16, 8), w.read(AT + 160 + 128, 8)]).toEqual([0x907n, 0x5555n]);
  });
  it('restores what it saved, tags by contents', () => {
    const w = world();
    fill(w);
    w.cpu.setU64(L.VECTORS + 15 * L.VECTOR_SIZE, 0xabcn);
    w.cpu.setU64(L.VECTORS + 15 * L.VECTOR_SIZE + 16, 0xdefn);
    w.cpu.setU32(L.MXCSR, 0x1fa0);
    expect(w.run(`48 0f ae ${mem(w, 0)}`)).toBe('ok');
    const saved = [L.FCW, L.FSW, L.FTW, L.FOP, L.MXCSR].map((o) => w.cpu.u32(o));
    expect(w.run('db e3')).toBe('ok');
    w.cpu.setU64(L.VECTORS + 15 * L.VECTOR_SIZE, 0n);
    w.cpu.setU64(L.FPR + 6 * 16, 0n);
    w.cpu.setU32(L.MXCSR, 0x1f80);
    expect(w.run(`48 0f ae ${mem(w, 1)}`)).toBe('ok');
    expect([L.FCW, L.FSW, L.FTW, L.FOP, L.MXCSR].map((o) => w.cpu.u32(o))).toEqual(saved);
    expect([w.cpu.u64(L.VECTORS + 15 * L.VECTOR_SIZE), w.cpu.u64(L.FPR + 6 * 16), w.cpu.u64(L.FIP)]).toEqual([
      0xabcn,
      1n << 63n,
      0xffff_8000_0001_2345n,
    ]);
    // The upper half of YMM is not FXRSTOR's.
    expect(w.cpu.u64(L.VECTORS + 15 * L.VECTOR_SIZE + 16)).toBe(0xdefn);
  });
  it('reserved MXCSR bits and misaligned areas give #GP(0)', () => {
    const w = world();
    w.write(AT + 24, 4, 0x1_0000n);
    expect(w.run(`0f ae ${mem(w, 1)}`)).toBe('#GP(0)');
    w.write(AT, 4, 0x1_0000n);
    expect(w.run(`0f ae ${mem(w, 2)}`)).toBe('#GP(0)');
    w.cpu.setGpr(3, BigInt(AT + 8));
    expect(w.run('0f ae 03')).toBe('#GP(0)');
    expect(w.run('0f ae 0b')).toBe('#GP(0)');
  });
  it('without OSFXSR the SSE part is left alone', () => {
    const w = world();
    w.cpu.cr4 = w.cpu.cr4 & ~BigInt(CR4.OSFXSR);
    w.write(AT + 24, 4, 0x1_0000n);
    w.write(AT + 160, 8, 0x77n);
    expect(w.run(`0f ae ${mem(w, 1)}`)).toBe('ok');
    expect([w.cpu.u32(L.MXCSR), w.cpu.u64(L.VECTORS)]).toEqual([0x1f80, 0n]);
  });
  it('ldmxcsr and stmxcsr', () => {
    const w = world();
    w.write(AT, 4, 0x9fc0n);
    expect(w.run(`0f ae ${mem(w, 2)}`)).toBe('ok');
    w.write(AT, 4, 0n);
    expect(w.run(`0f ae ${mem(w, 3)}`)).toBe('ok');
    expect(w.read(AT, 4)).toBe(0x9fc0n);
  });
});
