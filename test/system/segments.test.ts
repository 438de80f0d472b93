import { describe, expect, it } from 'vitest';
import { CR4, Interruptibility } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { loadSegment } from '../../src/machine/cpu/system/segments.ts';
import { descriptor, GDT, LDT, le, S, World, type Mode } from './world.ts';

/** `mov sreg, ax` with AX = selector. */
function load(w: World, segment: number, selector: number): string {
  w.cpu.setGpr(0, BigInt(selector));
  return w.run(`8e ${(0xc0 | (segment << 3)).toString(16)}`);
}

describe('MOV to a segment register: SDM Vol. 2, MOV; Vol. 3, 5.5-5.7', () => {
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, segment: number, selector: number, expected: string])[] = [
    ['data', 'protected', 0, L.DS, S.data0, 'ok'],
    ['readable code', 'protected', 0, L.DS, S.code0, 'ok'],
    ['execute-only code', 'protected', 0, L.DS, S.executeOnly, '#GP(a8)'],
    ['conforming code from ring 3', 'protected', 3, L.DS, S.conforming | 3, 'ok'],
    ['code of an inner ring', 'protected', 3, L.DS, S.code0 | 3, '#GP(8)'],
    ['data of an inner ring', 'protected', 3, L.ES, S.data0, '#GP(10)'],
    ['RPL above DPL', 'protected', 0, L.FS, S.data0 | 1, '#GP(10)'],
    ['data of an outer ring', 'protected', 0, L.GS, S.data3, 'ok'],
    ['system descriptor', 'protected', 0, L.DS, S.tssA, '#GP(28)'],
    ['absent', 'protected', 0, L.DS, S.absentData, '#NP(98)'],
    ['absent: privilege comes first', 'protected', 3, L.DS, S.absentData, '#GP(98)'],
    ['beyond the GDT', 'protected', 0, L.DS, S.beyond, '#GP(200)'],
    ['beyond the LDT', 'protected', 0, L.DS, 0x10c, '#GP(10c)'],
    ['null', 'protected', 0, L.DS, 3, 'ok'],
    ['CS', 'protected', 0, L.CS, S.code0, '#UD'],
    ['SS', 'protected', 0, L.SS, S.data0, 'ok'],
    ['SS null', 'protected', 0, L.SS, 0, '#GP(0)'],
    ['SS RPL', 'protected', 0, L.SS, S.data0 | 3, '#GP(10)'],
    ['SS DPL', 'protected', 0, L.SS, S.data3 & ~3, '#GP(20)'],
    ['SS read-only', 'protected', 0, L.SS, S.readOnly, '#GP(a0)'],
    ['SS code', 'protected', 0, L.SS, S.code0, '#GP(8)'],
    ['SS absent', 'protected', 0, L.SS, S.absentData, '#SS(98)'],
    ['SS beyond the GDT', 'protected', 0, L.SS, S.beyond, '#GP(200)'],
    ['SS ring 3', 'protected', 3, L.SS, S.data3, 'ok'],
    ['long: SS null at ring 0', 'long', 0, L.SS, 0, 'ok'],
    ['long: SS null, RPL differs', 'long', 0, L.SS, 3, '#GP(0)'],
    ['long: SS null at ring 3', 'long', 3, L.SS, 3, '#GP(0)'],
    ['compatibility: SS null', 'compatibility', 0, L.SS, 0, '#GP(0)'],
    ['long: SS absent', 'long', 0, L.SS, S.absentData, '#SS(98)'],
    ['long: DS beyond', 'long', 0, L.DS, S.beyond, '#GP(200)'],
  ];
  it.each(rows)('%s', (_, mode, cpl, segment, selector, expected) => {
    const w = new World(mode, cpl);
    expect(load(w, segment, selector)).toBe(expected);
    if (expected !== 'ok') return;
    expect(w.cpu.segments[segment]!.selector).toBe(selector);
    expect(w.cpu.segments[segment]!.unusable).toBe((selector & 0xfffc) === 0);
    expect(w.cpu.interruptibility).toBe(segment === L.SS ? Interruptibility.movSs : 0);
  });
  it('sets the accessed bit in memory once', () => {
    const w = new World('protected');
    w.setDescriptor(S.free, descriptor({ type: 0x12, base: 0x1234_5678, limit: 0x12, g: true }));
    expect(load(w, L.ES, S.free)).toBe('ok');
    const es = w.cpu.segments[L.ES]!;
    expect([es.base, es.limit, es.attr, w.read(GDT + S.free + 5, 1)]).toEqual([0x1234_5678n, 0x1_2fff, 0xc093, 0x93n]);
  });
  it('takes descriptors from the LDT', () => {
    const w = new World('protected');
    w.write(LDT + 8, 8, descriptor({ type: 0x13, base: 0x4000, limit: 0x7f, g: false }));
    expect(load(w, L.DS, 0x0c)).toBe('ok');
    expect([w.cpu.segments[L.DS]!.base, w.cpu.segments[L.DS]!.limit]).toEqual([0x4000n, 0x7f]);
  });
  it('without an LDT every selector into it is bad', () => {
    const w = new World('protected');
    w.cpu.segments[L.LDTR]!.load(0, 0n, 0, 0x1_0000);
    expect(load(w, L.DS, 0x0c)).toBe('#GP(c)');
  });
  it('null SS of ring 0 has DPL 0, of ring 1 DPL 1', () => {
    for (const cpl of [0, 1]) {
      const w = new World('long', cpl);
      expect(load(w, L.SS, cpl)).toBe('ok');
      expect(w.cpu.segments[L.SS]!.attr).toBe(0x1_0000 | (cpl << 5));
    }
  });
});

describe('real-address and v8086 mode: SDM Vol. 3, 20.1.1', () => {
  it('real mode changes the base only', () => {
    const w = new World('real');
    w.cpu.segments[L.DS]!.load(0, 0n, 0xffff_ffff, 0xc093);
    loadSegment(w.cpu, L.DS, 0x1234);
    const ds = w.cpu.segments[L.DS]!;
    expect([ds.selector, ds.base, ds.limit, ds.attr]).toEqual([0x1234, 0x12340n, 0xffff_ffff, 0xc093]);
  });
  it('a register left null by protected mode becomes usable', () => {
    const w = new World('real');
    w.cpu.segments[L.ES]!.load(0, 0n, 0, 0x1_0000);
    loadSegment(w.cpu, L.ES, 0xb800);
    expect([w.cpu.segments[L.ES]!.base, w.cpu.segments[L.ES]!.limit, w.cpu.segments[L.ES]!.attr]).toEqual([0xb8000n, 0xffff, 0x93]);
  });
  it('v8086 mode gives fixed rights', () => {
    const w = new World('v8086');
    expect(load(w, L.SS, 0x4321)).toBe('ok');
    expect([w.cpu.segments[L.SS]!.base, w.cpu.segments[L.SS]!.limit, w.cpu.segments[L.SS]!.attr]).toEqual([0x43210n, 0xffff, 0xf3]);
  });
});

describe('PUSH and POP of segment registers', () => {
  it('push fs writes 16 bits of a 32-bit slot and 64 bits of a 64-bit one', () => {
    for (const [mode, size, expected] of [['protected', 4, 'ffff0010'], ['long', 8, '10']] as const) {
      const w = new World(mode);
      w.write(0x1_8000 - size, size, size === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn);
      expect(w.run('0f a0')).toBe('ok');
      expect(w.cpu.rsp).toBe(0x1_8000n - BigInt(size));
      expect(w.stack(1, size)).toBe(expected);
    } // prettier-ignore
  });
  it('pop ss loads and shadows', () => {
    const w = new World('protected');
    w.cpu.rsp -= 4n;
    w.write(0x1_7ffc, 4, BigInt(S.data16));
    expect(w.run('17')).toBe('ok');
    expect([w.cpu.rsp, w.cpu.segments[L.SS]!.selector, w.cpu.interruptibility]).toEqual([0x1_8000n, S.data16, Interruptibility.movSs]);
  });
  it('pop ds of a bad selector leaves rsp', () => {
    const w = new World('protected');
    w.write(0x1_8000, 4, BigInt(S.tssA));
    expect(w.run('1f')).toBe('#GP(28)');
    expect(w.cpu.rsp).toBe(0x1_8000n);
  });
  it('mov r32, sreg zero-extends; r16 keeps the upper part; memory gets 16 bits', () => {
    const w = new World('long');
    w.cpu.setGpr(1, 0xffff_ffff_ffff_ffffn);
    expect(w.run('8c d9')).toBe('ok');
    expect(w.cpu.gpr(1)).toBe(0x10n);
    w.cpu.setGpr(1, 0xffff_ffff_ffff_ffffn);
    expect(w.run('66 8c d9')).toBe('ok');
    expect(w.cpu.gpr(1)).toBe(0xffff_ffff_ffff_0010n);
    w.write(0xa000, 8, 0xffff_ffff_ffff_ffffn);
    expect(w.run(`8c 1c 25 ${le(0xa000, 4)}`)).toBe('ok');
    expect(w.read(0xa000, 8)).toBe(0xffff_ffff_ffff_0010n);
  });
});

describe('LDS, LES, LSS, LFS, LGS', () => {
  it.each([
    ['lds', 'protected', 'c5 0d', L.DS],
    ['les', 'protected', 'c4 0d', L.ES],
    ['lss', 'protected', '0f b2 0d', L.SS],
    ['lfs', 'protected', '0f b4 0d', L.FS],
    ['lgs', 'protected', '0f b5 0d', L.GS],
  ] as const)('%s', (_, mode, bytes, segment) => {
    const w = new World(mode);
    w.write(0xa000, 4, 0x8765_4321n);
    w.write(0xa004, 2, BigInt(S.data0));
    expect(w.run(`${bytes} ${le(0xa000, 4)}`)).toBe('ok');
    expect([w.cpu.gpr(1), w.cpu.segments[segment]!.selector]).toEqual([0x8765_4321n, S.data0]);
    w.write(0xa004, 2, BigInt(S.beyond));
    expect(w.run(`${bytes} ${le(0xa000, 4)}`)).toBe('#GP(200)');
  });
  it('lgs m16:64', () => {
    const w = new World('long');
    w.write(0xa000, 8, 0x1122_3344_5566_7788n);
    w.write(0xa008, 2, BigInt(S.data3));
    expect(w.run(`48 0f b5 0c 25 ${le(0xa000, 4)}`)).toBe('ok');
    expect([w.cpu.gpr(1), w.cpu.segments[L.GS]!.selector]).toEqual([0x1122_3344_5566_7788n, S.data3]);
  });
});

describe('operand checks: SDM Vol. 3, 5.3-5.5 and Vol. 1, 3.3.7.1', () => {
  /** `mov [eax], ds` writes two bytes; `mov ds, [eax]` reads two. */
  const write = '8c 18';
  const read = '8e 00';
  const rows: readonly (readonly [
    name: string,
    bytes: string,
    ds: readonly [base: bigint, limit: number, attr: number],
    offset: bigint,
    expected: string,
  ])[] = [
    ['last bytes', write, [0xa000n, 0xfff, 0x4093], 0xffen, 'ok'],
    ['one byte beyond', write, [0xa000n, 0xfff, 0x4093], 0xfffn, '#GP(0)'],
    ['read-only', write, [0xa000n, 0xfff, 0x4091], 0n, '#GP(0)'],
    ['read-only may be read', read, [0xa000n, 0xfff, 0x4091], 0n, 'ok'],
    ['execute-only may not be read', read, [0xa000n, 0xfff, 0x4099], 0n, '#GP(0)'],
    ['code may be read', read, [0xa000n, 0xfff, 0x409b], 0n, 'ok'],
    ['code may not be written', write, [0xa000n, 0xfff, 0x409b], 0n, '#GP(0)'],
    ['unusable', read, [0n, 0, 0x1_0000], 0n, '#GP(0)'],
    ['expand-down at its limit', write, [0xa000n, 0xfff, 0x4097], 0xfffn, '#GP(0)'],
    ['expand-down above', write, [0xa000n, 0xfff, 0x4097], 0x1000n, 'ok'],
    ['expand-down, 16-bit top', write, [0n, 0xfff, 0x97], 0xffffn, '#GP(0)'],
    ['expand-down, below the 16-bit top', write, [0n, 0xfff, 0x97], 0xfffen, 'ok'],
    ['wraps at 4 GiB', write, [0xffff_f000n, 0xffff_ffff, 0xc093], 0xb000n, 'ok'],
  ];
  it.each(rows)('%s', (_, bytes, [base, limit, attr], offset, expected) => {
    const w = new World('protected');
    w.cpu.segments[L.DS]!.load(0, base, limit, attr);
    w.cpu.setGpr(0, offset);
    expect(w.run(bytes)).toBe(expected);
  });
  it.each([
    ['non-canonical', '8c 18', 0x8000_0000_0000n, '#GP(0)'],
    ['crossing into the hole', '8c 18', 0x7fff_ffff_ffffn, '#GP(0)'],
    ['non-canonical, SS', '8c 5c 24 00', 0x8000_0000_0000n, '#SS(0)'],
    ['limits are ignored', '8c 18', 0xa000n, 'ok'],
  ] as const)('64-bit: %s', (_, bytes, address, expected) => {
    const w = new World('long');
    w.cpu.segments[L.DS]!.load(0, 0x5000n, 0, 0x1_0000);
    w.cpu.setGpr(0, address);
    if (expected.startsWith('#SS')) w.cpu.rsp = address;
    expect(w.run(bytes)).toBe(expected);
  });
  it('64-bit: FS has a base, RIP-relative starts at the next instruction', () => {
    const w = new World('long');
    w.cpu.segments[L.FS]!.base = 0xa000n;
    w.cpu.setGpr(0, 0x10n);
    expect(w.run('64 8c 18')).toBe('ok');
    expect(w.read(0xa010, 2)).toBe(BigInt(S.data0));
    w.cpu.rip = 0x9000n;
    expect(w.run(`8c 1d ${le(0x1000, 4)}`)).toBe('ok');
    expect(w.read(0xa006, 2)).toBe(BigInt(S.data0));
  });
});

describe('LGDT, LIDT, SGDT, SIDT: SDM Vol. 2', () => {
  const image = (w: World): void => {
    w.write(0xa000, 2, 0x1234n);
    w.write(0xa002, 8, 0x0000_7777_8899_aabbn);
  };
  it.each([
    ['lgdt, 32-bit', 'protected', '0f 01 15', 0x8899_aabbn],
    ['lidt, 32-bit', 'protected', '0f 01 1d', 0x8899_aabbn],
    ['lgdt, 16-bit operand', 'protected', '66 0f 01 15', 0x99_aabbn],
    ['lgdt, 64-bit', 'long', '0f 01 14 25', 0x7777_8899_aabbn],
    ['lidt, 64-bit', 'long', '0f 01 1c 25', 0x7777_8899_aabbn],
  ] as const)('%s', (name, mode, bytes, base) => {
    const w = new World(mode);
    image(w);
    expect(w.run(`${bytes} ${le(0xa000, 4)}`)).toBe('ok');
    const [b, l] = name.startsWith('lgdt') ? [L.GDTR_BASE, L.GDTR_LIMIT] : [L.IDTR_BASE, L.IDTR_LIMIT];
    expect([w.cpu.u64(b), w.cpu.u32(l)]).toEqual([base, 0x1234]);
    const store = new World(mode);
    store.cpu.setU64(b, base);
    store.cpu.setU32(l, 0x1234);
    // SGDT and SIDT are the /0 and /1 forms of LGDT and LIDT.
    const opcode = bytes.replace('15', '05').replace('1d', '0d').replace('14 25', '04 25').replace('1c 25', '0c 25');
    expect(store.run(`${opcode} ${le(0xa000, 4)}`)).toBe('ok');
    expect([store.read(0xa000, 2), store.read(0xa002, mode === 'long' ? 8 : 4)]).toEqual([0x1234n, base]);
  });
  it('needs ring 0 and a canonical base', () => {
    expect(new World('protected', 3).run(`0f 01 15 ${le(0xa000, 4)}`)).toBe('#GP(0)');
    expect(new World('v8086').run('0f 01 16 00 10')).toBe('#GP(0)');
    const w = new World('long');
    w.write(0xa002, 8, 1n << 47n);
    expect(w.run(`0f 01 14 25 ${le(0xa000, 4)}`)).toBe('#GP(0)');
  });
  it.each(['0f 01 05', '0f 01 0d'])('UMIP forbids %s to user mode only', (bytes) => {
    for (const [cpl, umip, expected] of [[3, 0, 'ok'], [3, CR4.UMIP, '#GP(0)'], [0, CR4.UMIP, 'ok']] as const) {
      const w = new World('protected', cpl);
      w.cpu.cr4 = BigInt(umip);
      expect(w.run(`${bytes} ${le(0xa000, 4)}`)).toBe(expected);
    } // prettier-ignore
  });
});

describe('LLDT and LTR: SDM Vol. 2', () => {
  const run = (w: World, bytes: string, selector: number): string => {
    w.cpu.setGpr(0, BigInt(selector));
    return w.run(bytes);
  };
  const [LLDT, LTR] = ['0f 00 d0', '0f 00 d8'];
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, bytes: string, selector: number, expected: string, change?: (w: World) => void])[] = [
    ['lldt', 'protected', 0, LLDT, S.ldt, 'ok'],
    ['lldt null', 'protected', 0, LLDT, 2, 'ok'],
    ['lldt from the LDT', 'protected', 0, LLDT, S.ldt | 4, '#GP(54)'],
    ['lldt of a TSS', 'protected', 0, LLDT, S.tssB, '#GP(60)'],
    ['lldt beyond', 'protected', 0, LLDT, S.beyond, '#GP(200)'],
    ['lldt absent', 'protected', 0, LLDT, S.free, '#NP(f0)', (w) => w.setDescriptor(S.free, descriptor({ type: 2, present: false }))],
    ['lldt at ring 3', 'protected', 3, LLDT, S.ldt, '#GP(0)'],
    ['lldt in real mode', 'real', 0, LLDT, S.ldt, '#UD'],
    ['lldt in v8086 mode', 'v8086', 3, LLDT, S.ldt, '#UD'],
    ['ltr', 'protected', 0, LTR, S.tssB, 'ok'],
    ['ltr of a busy TSS', 'protected', 0, LTR, S.tssA, '#GP(28)'],
    ['ltr null', 'protected', 0, LTR, 0, '#GP(0)'],
    ['ltr from the LDT', 'protected', 0, LTR, S.tssB | 4, '#GP(64)'],
    ['ltr of an LDT', 'protected', 0, LTR, S.ldt, '#GP(50)'],
    ['ltr of data', 'protected', 0, LTR, S.free, '#GP(f0)', (w) => w.setDescriptor(S.free, descriptor({ type: 0x19 }))],
    ['ltr of a 16-bit TSS', 'protected', 0, LTR, S.free, 'ok', (w) => w.setDescriptor(S.free, descriptor({ type: 1 }))],
    ['ltr absent', 'protected', 0, LTR, S.free, '#NP(f0)', (w) => w.setDescriptor(S.free, descriptor({ type: 9, present: false }))],
    ['ltr at ring 3', 'protected', 3, LTR, S.tssB, '#GP(0)'],
    ['ltr in real mode', 'real', 0, LTR, S.tssB, '#UD'],
    ['long: ltr', 'long', 0, LTR, S.tssB, 'ok'],
    ['long: ltr of a 16-bit TSS', 'long', 0, LTR, S.gate, '#GP(b8)', (w) => w.setDescriptor(S.gate, descriptor({ type: 1 }))],
    ['long: type in the upper half', 'long', 0, LTR, S.tssB, '#GP(60)', (w) => w.write(GDT + S.tssB + 8, 8, 0x0900_0000_0000n)],
    ['long: non-canonical base', 'long', 0, LTR, S.tssB, '#GP(60)', (w) => w.write(GDT + S.tssB + 8, 8, 0x8000n)],
    ['long: upper half beyond the GDT', 'long', 0, LTR, 0xf8, '#GP(f8)', (w) => w.write(GDT + 0xf8, 8, descriptor({ type: 9 }))],
    ['long: lldt', 'long', 0, LLDT, S.ldt, 'ok'],
  ]; // prettier-ignore
  for (const [name, mode, cpl, bytes, selector, expected, change] of rows) {
    it(name, () => {
      const w = new World(mode, cpl);
      change?.(w);
      expect(run(w, bytes, selector)).toBe(expected);
      if (expected !== 'ok' || bytes !== LTR) return;
      expect(w.read(GDT + selector + 5, 1) & 0x1fn).toBe((w.cpu.segments[L.TR]!.attr & 8) !== 0 ? 11n : 3n);
      expect([w.cpu.segments[L.TR]!.selector, w.cpu.segments[L.TR]!.type & 2]).toEqual([selector, 2]);
    });
  }
  it('long mode reads 64-bit bases', () => {
    const w = new World('long');
    w.write(GDT + S.tssB + 8, 8, 0xffff_8000n);
    expect(run(w, LTR, S.tssB)).toBe('ok');
    expect(w.cpu.segments[L.TR]!.base).toBe(0xffff_8000_0000_6000n);
  });
  it('sldt and str give the selectors', () => {
    const w = new World('long');
    w.cpu.setGpr(0, 0xffff_ffff_ffff_ffffn);
    expect(w.run('0f 00 c0')).toBe('ok');
    expect(w.cpu.gpr(0)).toBe(BigInt(S.ldt));
    expect(w.run(`0f 00 0c 25 ${le(0xa000, 4)}`)).toBe('ok');
    expect(w.read(0xa000, 2)).toBe(BigInt(S.tssA));
    expect(new World('real').run('0f 00 c0')).toBe('#UD');
    const user = new World('long', 3);
    user.cpu.cr4 |= BigInt(CR4.UMIP);
    expect(user.run('0f 00 c8')).toBe('#GP(0)');
  });
});

describe('LAR, LSL, VERR, VERW, ARPL', () => {
  const LAR = '0f 02 c8';
  const LSL = '0f 03 c8';
  const VERR = '0f 00 e0';
  const VERW = '0f 00 e8';
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, bytes: string, selector: number, zf: boolean, value?: bigint])[] = [
    ['lar of code', 'protected', 0, LAR, S.code0, true, 0xc0_9b00n],
    ['lar of data, ring 3', 'protected', 3, LAR, S.data3, true, 0xc0_f300n],
    ['lar of an inner ring', 'protected', 3, LAR, S.data0, false],
    ['lar of inner conforming code', 'protected', 3, LAR, S.conforming, true, 0xc0_9f00n],
    ['lar, RPL above DPL', 'protected', 0, LAR, S.data0 | 2, false],
    ['lar null', 'protected', 0, LAR, 0, false],
    ['lar beyond', 'protected', 0, LAR, S.beyond, false],
    ['lar absent', 'protected', 0, LAR, S.absentData, true, 0xc0_1300n],
    ['lar of a TSS', 'protected', 0, LAR, S.tssB, true, 0x00_8900n],
    ['lar of an LDT', 'protected', 0, LAR, S.ldt, true, 0x00_8200n],
    ['lar, 16-bit operand', 'protected', 0, '66 0f 02 c8', S.code0, true, 0xffff_9b00n],
    ['long: lar of a TSS', 'long', 0, LAR, S.tssA, true, 0x00_8b00n],
    ['lsl, 4 KiB granular', 'protected', 0, LSL, S.code0, true, 0xffff_ffffn],
    ['lsl of a TSS', 'protected', 0, LSL, S.tssB, true, 0x67n],
    ['lsl of a null selector', 'protected', 0, LSL, 3, false],
    ['verr data', 'protected', 0, VERR, S.data0, true],
    ['verr execute-only', 'protected', 0, VERR, S.executeOnly, false],
    ['verr of an inner ring', 'protected', 3, VERR, S.data0, false],
    ['verr of a TSS', 'protected', 0, VERR, S.tssA, false],
    ['verw data', 'protected', 0, VERW, S.data0, true],
    ['verw read-only', 'protected', 0, VERW, S.readOnly, false],
    ['verw code', 'protected', 0, VERW, S.code0, false],
    ['verw null', 'long', 0, VERW, 0, false],
  ];
  for (const [name, mode, cpl, bytes, selector, zf, value] of rows) {
    it(name, () => {
      for (const before of [0, 0x40]) {
        const w = new World(mode, cpl);
        w.cpu.rflags = 0x81 | before;
        w.cpu.setGpr(0, BigInt(selector));
        w.cpu.setGpr(1, 0xffff_ffffn);
        expect(w.run(bytes)).toBe('ok');
        expect(w.cpu.rflags).toBe(0x83 | (zf ? 0x40 : 0));
        expect(w.cpu.gpr(1)).toBe(value ?? 0xffff_ffffn);
      }
    });
  }
  it.each([LAR, LSL, VERR, VERW])('%s is undefined in real and v8086 mode', (bytes) => {
    expect(new World('real').run(bytes)).toBe('#UD');
    expect(new World('v8086').run(bytes)).toBe('#UD');
  });
  it('gates and unknown types have no limit', () => {
    const w = new World('protected');
    w.setDescriptor(S.gate, descriptor({ type: 12 }));
    w.cpu.setGpr(0, BigInt(S.gate));
    expect(w.run(LSL)).toBe('ok');
    expect(w.cpu.rflags & 0x40).toBe(0);
    expect(w.run(LAR)).toBe('ok');
    expect(w.cpu.rflags & 0x40).toBe(0x40);
    w.setDescriptor(S.gate, descriptor({ type: 14 }));
    expect(w.run(LAR)).toBe('ok');
    expect(w.cpu.rflags & 0x40).toBe(0);
  });
  it('arpl raises RPL', () => {
    const w = new World('protected');
    w.cpu.setGpr(0, 0x1_0010n);
    w.cpu.setGpr(1, 3n);
    expect(w.run('63 c8')).toBe('ok');
    expect([w.cpu.gpr(0), w.cpu.rflags & 0x40]).toEqual([0x1_0013n, 0x40]);
    expect(w.run('63 c8')).toBe('ok');
    expect([w.cpu.gpr(0), w.cpu.rflags & 0x40]).toEqual([0x1_0013n, 0]);
    expect(new World('real').run('63 c8')).toBe('#UD');
  });
});
