import { describe, expect, it } from 'vitest';
import { Flag, Interruptibility } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { CODE, descriptor, gate, GDT, le, S, STACK, STACK0, STACK1, World, type GateSpec, type Mode } from './world.ts';

const TARGET = 0xb000;
const C = (length: number): string => (CODE + length).toString(16);
const farPointer = (opcode: string, selector: number, offset = TARGET): string => `${opcode} ${le(offset, 4)} ${le(selector, 2)}`;
const [JMP, CALL] = ['ea', '9a'];
/** `jmp/call m16:32` (or 64) at 0xa000. */
const memoryForm = (w: World, kind: 'jmp' | 'call', selector: number, offset: bigint, wide = false): string => {
  w.write(0xa000, 8, offset);
  w.write(wide ? 0xa008 : 0xa004, 2, BigInt(selector));
  const modrm = kind === 'jmp' ? (w.cpu.code64 ? '2c 25' : '2d') : w.cpu.code64 ? '1c 25' : '1d';
  return `${wide ? '48 ' : ''}ff ${modrm} ${le(0xa000, 4)}`;
};

describe('direct far JMP and CALL: SDM Vol. 2, JMP and CALL; Vol. 3, 5.8.1', () => {
  const rows: readonly (readonly [name: string, mode: Mode, cpl: number, selector: number, offset: number, expected: string, place?: string])[] = [
    ['nonconforming, same ring', 'protected', 0, S.code0, TARGET, 'ok', '8:b000 cpl 0'],
    ['ring 3', 'protected', 3, S.code3, TARGET, 'ok', '1b:b000 cpl 3'],
    ['RPL below CPL is raised', 'protected', 3, S.code3 & ~3, TARGET, 'ok', '1b:b000 cpl 3'],
    ['conforming from ring 3', 'protected', 3, S.conforming, TARGET, 'ok', '4b:b000 cpl 3'],
    ['16-bit code', 'protected', 0, S.code16, TARGET, 'ok', '70:b000 cpl 0'],
    ['null', 'protected', 0, 2, TARGET, '#GP(0)'],
    ['beyond the GDT', 'protected', 0, S.beyond, TARGET, '#GP(200)'],
    ['data', 'protected', 0, S.data0, TARGET, '#GP(10)'],
    ['outer ring', 'protected', 0, S.code3, TARGET, '#GP(18)'],
    ['inner ring', 'protected', 3, S.code0, TARGET, '#GP(8)'],
    ['RPL above CPL', 'protected', 0, S.code0 | 1, TARGET, '#GP(8)'],
    ['absent', 'protected', 0, S.absentCode, TARGET, '#NP(90)'],
    ['beyond the limit', 'protected', 0, S.code16, 0x1_0000, '#GP(0)'],
    ['LDT descriptor', 'protected', 0, S.ldt, TARGET, '#GP(50)'],
    ['busy TSS', 'protected', 0, S.tssA, TARGET, '#GP(28)'],
    ['compatibility to 64-bit', 'compatibility', 0, S.code64, TARGET, 'ok', '38:b000 cpl 0'],
    ['compatibility: L and D', 'compatibility', 0, S.badCode, TARGET, '#GP(d0)'],
    ['compatibility: TSS', 'compatibility', 0, S.tssB, TARGET, '#GP(60)'],
    ['64-bit mode has no immediate form', 'long', 0, S.code64, TARGET, 'no row'],
  ];
  for (const kind of ['jmp', 'call'] as const) {
    for (const [name, mode, cpl, selector, offset, expected, place] of rows) {
      it(`${kind}: ${name}`, () => {
        const w = new World(mode, cpl);
        const bytes = farPointer(kind === 'jmp' ? JMP : CALL, selector, offset);
        if (expected === 'no row') {
          expect(() => w.run(bytes)).toThrow('does not decode');
          return;
        }
        const cs = w.cpu.segments[L.CS]!.selector.toString(16);
        expect(w.run(bytes)).toBe(expected);
        if (place === undefined) return;
        expect(w.place()).toBe(place);
        expect(w.cpu.u32(L.CODE_SIZE)).toBe(selector === S.code64 ? 2 : selector === S.code16 ? 0 : 1);
        expect(w.cpu.rsp).toBe(BigInt(kind === 'call' ? STACK - 8 : STACK));
        if (kind === 'call') expect(w.stack(2, 4)).toBe(`${C(7)} ${cs}`);
      });
    }
  }
  it.each([
    ['jmp to 32-bit code', 'jmp', S.code0, 0xb000n, false, '8:b000 cpl 0', 1],
    ['jmp m16:64', 'jmp', S.code64, 0xffff_8000_0000_b000n, true, '38:ffff80000000b000 cpl 0', 2],
    ['call m16:64', 'call', S.code64, 0xffff_8000_0000_b000n, true, '38:ffff80000000b000 cpl 0', 2],
  ] as const)('64-bit mode: %s', (_, kind, selector, offset, wide, place, size) => {
    const w = new World('long');
    expect(w.run(memoryForm(w, kind, selector, offset, wide))).toBe('ok');
    expect([w.place(), w.cpu.u32(L.CODE_SIZE)]).toEqual([place, size]);
    if (kind === 'call') expect(w.stack(2, 8)).toBe(`${C(8)} 38`);
  });
  it('64-bit mode: non-canonical target, and compatibility target beyond 4 GiB', () => {
    const w = new World('long');
    expect(w.run(memoryForm(w, 'jmp', S.code64, 1n << 47n, true))).toBe('#GP(0)');
    expect(w.run(memoryForm(w, 'jmp', S.code0, 1n << 32n, true))).toBe('#GP(0)');
  });
  it('a 16-bit operand truncates the offset and pushes words', () => {
    const w = new World('protected');
    expect(w.run(`66 9a 00 b0 ${le(S.code0, 2)}`)).toBe('ok');
    expect([w.place(), w.stack(2, 2)]).toEqual(['8:b000 cpl 0', `${C(6)} 8`]);
  });
  it('CALL without room on the stack', () => {
    const w = new World('protected');
    w.cpu.segments[L.SS]!.load(S.data0, 0n, 0xfff, 0x4093);
    expect(w.run(farPointer(CALL, S.code0))).toBe('#SS(0)');
  });
  it('a jump to itself stays', () => {
    const w = new World('protected');
    expect(w.run(farPointer(JMP, S.code0, CODE))).toBe('ok');
    expect(w.place()).toBe('8:9000 cpl 0');
  });
  it('sets the accessed bit', () => {
    const w = new World('protected');
    w.setDescriptor(S.free, descriptor({ type: 0x1a }));
    expect(w.run(farPointer(JMP, S.free))).toBe('ok');
    expect([w.read(GDT + S.free + 5, 1), w.cpu.segments[L.CS]!.attr & 0xff]).toEqual([0x9bn, 0x9b]);
  });
  it('tells the probe', () => {
    const w = new World('protected');
    const seen: string[] = [];
    w.machine.probe = { branch: (_, kind, from, to) => void seen.push(`${kind} ${from.toString(16)} ${to.toString(16)}`) };
    w.run(farPointer(CALL, S.code0));
    w.run('cb');
    w.run(farPointer(JMP, S.code0));
    expect(seen).toEqual(['call 9000 b000', 'return b000 9007', 'jump 9007 b000']);
  });
  it('real mode keeps limit and rights, v8086 has no descriptors', () => {
    const real = new World('real');
    real.cpu.segments[L.CS]!.load(0, 0n, 0xffff_ffff, 0x9b);
    expect(real.run('9a 34 12 00 20')).toBe('ok');
    expect([real.place(), real.cpu.segments[L.CS]!.base, real.cpu.segments[L.CS]!.limit]).toEqual(['2000:1234 cpl 0', 0x2_0000n, 0xffff_ffff]);
    expect(real.stack(2, 2)).toBe(`${C(5)} 0`);
    expect(real.run('cb')).toBe('ok');
    expect(real.place()).toBe(`0:${C(5)} cpl 0`);
    const v = new World('v8086');
    expect(v.run('ea 34 12 00 20')).toBe('ok');
    expect(v.place()).toBe('2000:1234 cpl 3');
  });
  it('real mode: an offset beyond the limit', () => {
    expect(new World('real').run('66 ea 00 00 01 00 00 20')).toBe('#GP(0)');
  });
});

describe('call gates: SDM Vol. 3, 5.8.3-5.8.5', () => {
  interface Case {
    readonly name: string;
    readonly mode?: Mode;
    readonly cpl?: number;
    readonly gate: GateSpec;
    readonly selector?: number;
    readonly jmp: string;
    readonly call: string;
    readonly change?: (w: World) => void;
  }
  const g = (selector: number, more: Partial<GateSpec> = {}): GateSpec => ({ selector, offset: TARGET, type: 12, dpl: 3, ...more });
  const cases: readonly Case[] = [
    { name: 'same ring', gate: g(S.code0), jmp: '8:b000 cpl 0', call: '8:b000 cpl 0' },
    { name: 'to ring 0', cpl: 3, gate: g(S.code0), jmp: '#GP(8)', call: '8:b000 cpl 0' },
    { name: 'to ring 1', cpl: 3, gate: g(S.code1), jmp: '#GP(80)', call: '81:b000 cpl 1' },
    { name: 'conforming', cpl: 3, gate: g(S.conforming), jmp: '4b:b000 cpl 3', call: '4b:b000 cpl 3' },
    { name: 'the offset operand and the gate selector RPL are ignored', gate: g(S.code0 | 3), jmp: '8:b000 cpl 0', call: '8:b000 cpl 0' },
    { name: 'gate DPL below CPL', cpl: 3, gate: g(S.code0, { dpl: 2 }), jmp: '#GP(b8)', call: '#GP(b8)' },
    { name: 'gate DPL below RPL', gate: g(S.code0, { dpl: 0 }), selector: S.gate | 1, jmp: '#GP(b8)', call: '#GP(b8)' },
    { name: 'gate absent', gate: g(S.code0, { present: false }), jmp: '#NP(b8)', call: '#NP(b8)' },
    { name: 'null code selector', gate: g(0), jmp: '#GP(0)', call: '#GP(0)' },
    { name: 'code beyond the GDT', gate: g(S.beyond), jmp: '#GP(200)', call: '#GP(200)' },
    { name: 'data', gate: g(S.data0), jmp: '#GP(10)', call: '#GP(10)' },
    { name: 'outer ring', gate: g(S.code3), jmp: '#GP(18)', call: '#GP(18)' },
    { name: 'code absent', gate: g(S.absentCode), jmp: '#NP(90)', call: '#NP(90)' },
    { name: 'target beyond the limit', gate: g(S.code16, { offset: 0x1_0000 }), jmp: '#GP(0)', call: '#GP(0)' },
    { name: '16-bit gate', gate: g(S.code0, { type: 4 }), jmp: '8:b000 cpl 0', call: '8:b000 cpl 0' },
    { name: 'interrupt gate', gate: g(S.code0, { type: 14 }), jmp: '#GP(b8)', call: '#GP(b8)' },
    { name: 'SS0 null', cpl: 3, gate: g(S.code0), jmp: '#GP(8)', call: '#TS(0)', change: (w) => w.write(0x5008, 2, 0n) },
    { name: 'SS0 RPL', cpl: 3, gate: g(S.code0), jmp: '#GP(8)', call: '#TS(10)', change: (w) => w.write(0x5008, 2, 0x11n) },
    { name: 'SS0 read-only', cpl: 3, gate: g(S.code0), jmp: '#GP(8)', call: '#TS(a0)', change: (w) => w.write(0x5008, 2, BigInt(S.readOnly)) },
    { name: 'SS0 absent', cpl: 3, gate: g(S.code0), jmp: '#GP(8)', call: '#SS(98)', change: (w) => w.write(0x5008, 2, BigInt(S.absentData)) },
    { name: 'TSS too short', cpl: 3, gate: g(S.code0), jmp: '#GP(8)', call: '#TS(28)', change: (w) => w.cpu.segments[L.TR]!.load(S.tssA, 0x5000n, 8, 0x8b) },
    { name: 'long, same ring', mode: 'long', gate: g(S.code64), jmp: '38:b000 cpl 0', call: '38:b000 cpl 0' },
    { name: 'long, to ring 0', mode: 'long', cpl: 3, gate: g(S.code64, { offset: 0xffff_8000_0000_b000n }), jmp: '#GP(38)', call: '38:ffff80000000b000 cpl 0' },
    { name: 'from compatibility mode', mode: 'compatibility', cpl: 3, gate: g(S.code64), jmp: '#GP(38)', call: '38:b000 cpl 0' },
    { name: 'long, 32-bit code', mode: 'long', gate: g(S.code0), jmp: '#GP(8)', call: '#GP(8)' },
    { name: 'long, 16-bit gate', mode: 'long', gate: g(S.code64, { type: 4 }), jmp: '#GP(b8)', call: '#GP(b8)' },
    { name: 'long, task gate', mode: 'long', gate: g(S.tssB, { type: 5 }), jmp: '#GP(b8)', call: '#GP(b8)' },
    { name: 'long, type in the upper half', mode: 'long', gate: g(S.code64), jmp: '#GP(b8)', call: '#GP(b8)', change: (w) => w.write(GDT + S.gate + 12, 4, 0x100n) },
    { name: 'long, non-canonical target', mode: 'long', gate: g(S.code64, { offset: 1n << 47n }), jmp: '#GP(0)', call: '#GP(0)' },
    { name: 'long, RSP0 non-canonical', mode: 'long', cpl: 3, gate: g(S.code64), jmp: '#GP(38)', call: '#SS(0)', change: (w) => w.write(0x5004, 8, (1n << 47n) + 0x100n) },
  ]; // prettier-ignore
  for (const c of cases) {
    for (const kind of ['jmp', 'call'] as const) {
      it(`${kind}: ${c.name}`, () => {
        const w = new World(c.mode ?? 'protected', c.cpl ?? 0);
        w.setDescriptor(S.gate, ...gate(c.gate));
        c.change?.(w);
        const outcome = w.run(memoryForm(w, kind, c.selector ?? S.gate, 0x1234n));
        expect(outcome === 'ok' ? w.place() : outcome).toBe(c[kind]);
      });
    }
  }
  it('copies parameters to the inner stack', () => {
    const w = new World('protected', 3);
    w.setDescriptor(S.gate, ...gate(g(S.code1, { extra: 3 })));
    [0x11n, 0x22n, 0x33n].forEach((v, n) => w.write(STACK + n * 4, 4, v));
    expect(w.run(farPointer(CALL, S.gate))).toBe('ok');
    expect(w.stack(7, 4)).toBe(`${C(7)} 1b 11 22 33 ${STACK.toString(16)} 23`);
    expect([w.cpu.rsp, w.cpu.segments[L.SS]!.selector]).toEqual([BigInt(STACK1 - 28), S.data1]);
    // and RET releases them from both stacks
    expect(w.run('ca 0c 00')).toBe('ok');
    expect([w.place(), w.cpu.rsp, w.cpu.segments[L.SS]!.selector]).toEqual([`1b:${C(7)} cpl 3`, BigInt(STACK + 12), S.data3]);
  });
  it('16-bit gate copies words', () => {
    const w = new World('protected', 3);
    w.setDescriptor(S.gate, ...gate(g(S.code0, { type: 4, extra: 2 })));
    w.write(STACK, 4, 0x2222_1111n);
    expect(w.run(farPointer(CALL, S.gate))).toBe('ok');
    expect(w.stack(6, 2)).toBe(`${C(7)} 1b 1111 2222 8000 23`);
  });
  it('long: SS is null, RSP is not aligned, nothing is copied', () => {
    const w = new World('long', 3);
    w.write(0x5004, 8, BigInt(STACK0 - 8));
    w.setDescriptor(S.gate, ...gate(g(S.code64, { extra: 3 })));
    expect(w.run(memoryForm(w, 'call', S.gate, 0n))).toBe('ok');
    expect(w.stack(4, 8)).toBe(`${C(7)} 43 ${STACK.toString(16)} 23`);
    expect([w.cpu.rsp, w.cpu.segments[L.SS]!.selector, w.cpu.segments[L.SS]!.unusable]).toEqual([BigInt(STACK0 - 40), 0, true]);
  });
});

describe('far RET: SDM Vol. 2, RET', () => {
  interface Case {
    readonly name: string;
    readonly mode?: Mode;
    readonly cpl?: number;
    /** What lies on the stack, in operand-sized slots. */
    readonly frame: readonly (number | bigint)[];
    readonly expected: string;
    readonly bytes?: string;
  }
  const cases: readonly Case[] = [
    { name: 'same ring', frame: [TARGET, S.code0], expected: '8:b000 cpl 0' },
    { name: 'to ring 3', frame: [TARGET, S.code3, 0x1_9000, S.data3], expected: '1b:b000 cpl 3' },
    { name: 'conforming to ring 3', frame: [TARGET, S.conforming | 3, 0x1_9000, S.data3], expected: '4b:b000 cpl 3' },
    { name: 'null CS', frame: [TARGET, 0], expected: '#GP(0)' },
    { name: 'CS beyond', frame: [TARGET, S.beyond], expected: '#GP(200)' },
    { name: 'CS data', frame: [TARGET, S.data0], expected: '#GP(10)' },
    { name: 'RPL below CPL', cpl: 3, frame: [TARGET, S.code3 & ~3], expected: '#GP(18)' },
    { name: 'DPL differs from RPL', frame: [TARGET, S.code0 | 3], expected: '#GP(8)' },
    { name: 'absent', frame: [TARGET, S.absentCode], expected: '#NP(90)' },
    { name: 'beyond the limit', frame: [0x1_0000, S.code16], expected: '#GP(0)' },
    { name: 'outer SS null', frame: [TARGET, S.code3, 0x1_9000, 0], expected: '#GP(0)' },
    { name: 'outer SS RPL', frame: [TARGET, S.code3, 0x1_9000, S.data3 & ~3], expected: '#GP(20)' },
    { name: 'outer SS DPL', frame: [TARGET, S.code3, 0x1_9000, S.data0 | 3], expected: '#GP(10)' },
    { name: 'outer SS absent', frame: [TARGET, S.code3, 0x1_9000, S.absentData3], expected: '#SS(d8)' },
    { name: 'outer SS beyond', frame: [TARGET, S.code3, 0x1_9000, S.beyond | 3], expected: '#GP(200)' },
    { name: 'long, same ring', mode: 'long', frame: [0xffff_8000_0000_b000n, S.code64], expected: '38:ffff80000000b000 cpl 0' },
    { name: 'long, to ring 3', mode: 'long', frame: [TARGET, S.code64User, 0x1_9000, S.data3], expected: '43:b000 cpl 3' },
    { name: 'long, to compatibility ring 3', mode: 'long', frame: [TARGET, S.code3, 0x1_9000, S.data3], expected: '1b:b000 cpl 3' },
    { name: 'long, to compatibility ring 0', mode: 'long', frame: [TARGET, S.code0], expected: '8:b000 cpl 0' },
    { name: 'long, non-canonical', mode: 'long', frame: [1n << 47n, S.code64], expected: '#GP(0)' },
    { name: 'long, null SS in ring 3', mode: 'long', frame: [TARGET, S.code64User, 0x1_9000, 3], expected: '#GP(0)' },
    { name: 'long, null SS in ring 1', mode: 'long', frame: [TARGET, S.code1, 0x1_9000, 1], expected: '81:b000 cpl 1' },
    { name: 'long, null SS in ring 1, RPL 0', mode: 'long', frame: [TARGET, S.code1, 0x1_9000, 0], expected: '#GP(0)' },
    { name: 'long, L and D', mode: 'long', frame: [TARGET, S.badCode], expected: '#GP(d0)' },
  ]; // prettier-ignore
  for (const c of cases) {
    it(c.name, () => {
      const w = new World(c.mode ?? 'protected', c.cpl ?? 0);
      const size = w.cpu.code64 ? 8 : 4;
      c.frame.forEach((v, n) => w.write(STACK + n * size, size, BigInt(v)));
      const outcome = w.run(size === 8 ? '48 cb' : 'cb');
      expect(outcome === 'ok' ? w.place() : outcome).toBe(c.expected);
      if (outcome !== 'ok') return;
      expect(w.cpu.rsp).toBe(c.frame.length === 4 ? 0x1_9000n : BigInt(STACK + 2 * size));
    });
  }
  it('drops data segments of inner rings, not those that hold null selectors', () => {
    const w = new World('long');
    w.cpu.segments[L.GS]!.load(0, 0xffff_8000_1234_0000n, 0, 0x1_0000);
    w.loadFrom(L.ES, S.data3);
    w.loadFrom(L.FS, S.conforming);
    [TARGET, S.code64User, 0x1_9000, S.data3].forEach((v, n) => w.write(STACK + n * 8, 8, BigInt(v)));
    expect(w.run('48 cb')).toBe('ok');
    const selectors = [L.ES, L.DS, L.FS, L.GS].map((n) => w.cpu.segments[n]!.selector);
    expect(selectors).toEqual([S.data3, 0, S.conforming, 0]);
    expect(w.cpu.segments[L.DS]!.unusable).toBe(true);
    expect(w.cpu.segments[L.GS]!.base).toBe(0xffff_8000_1234_0000n);
  });
});

describe('IRET: SDM Vol. 2, IRET', () => {
  const ALL = 0x3f_7fd7;
  interface Case {
    readonly name: string;
    readonly mode?: Mode;
    readonly cpl?: number;
    readonly iopl?: number;
    readonly frame: readonly (number | bigint)[];
    readonly expected: string;
    /** RFLAGS afterwards when all bits but VM and NT of the image are set. */
    readonly flags?: number;
    readonly bytes?: string;
  }
  const IMAGE = ALL & ~Flag.VM & ~Flag.NT;
  const cases: readonly Case[] = [
    { name: 'same ring', frame: [TARGET, S.code0, IMAGE], expected: '8:b000 cpl 0', flags: IMAGE },
    { name: 'to ring 3', frame: [TARGET, S.code3, IMAGE, 0x1_9000, S.data3], expected: '1b:b000 cpl 3', flags: IMAGE },
    { name: 'ring 3, IOPL 0', cpl: 3, frame: [TARGET, S.code3, IMAGE], expected: '1b:b000 cpl 3', flags: IMAGE & ~(Flag.IF | Flag.IOPL | Flag.VIF | Flag.VIP) },
    { name: 'ring 3, IOPL 3', cpl: 3, iopl: 3, frame: [TARGET, S.code3, 0x202], expected: '1b:b000 cpl 3', flags: 0x3202 },
    { name: '16-bit operand', frame: [TARGET | (S.code0 << 16), IMAGE & 0xffff], bytes: '66 cf', expected: '8:b000 cpl 0', flags: IMAGE & 0xffff },
    { name: 'null CS', frame: [TARGET, 0, 2], expected: '#GP(0)' },
    { name: 'CS data', frame: [TARGET, S.data0, 2], expected: '#GP(10)' },
    { name: 'CS of an inner ring', cpl: 3, frame: [TARGET, S.code0, 2], expected: '#GP(8)' },
    { name: 'absent', frame: [TARGET, S.absentCode, 2], expected: '#NP(90)' },
    { name: 'beyond the limit', frame: [0x1_0000, S.code16, 2], expected: '#GP(0)' },
    { name: 'outer SS null', frame: [TARGET, S.code3, 2, 0x1_9000, 0], expected: '#GP(0)' },
    { name: 'outer SS DPL', frame: [TARGET, S.code3, 2, 0x1_9000, S.data0 | 3], expected: '#GP(10)' },
    { name: 'outer SS absent', frame: [TARGET, S.code3, 2, 0x1_9000, S.absentData3], expected: '#SS(d8)' },
    { name: 'long, same ring', mode: 'long', frame: [TARGET, S.code64, IMAGE, 0x1_9000, S.data0], expected: '38:b000 cpl 0', flags: IMAGE },
    { name: 'long, same ring, null SS', mode: 'long', frame: [TARGET, S.code64, 2, 0x1_9000, 0], expected: '38:b000 cpl 0', flags: 2 },
    { name: 'long, to ring 3', mode: 'long', frame: [TARGET, S.code64User, IMAGE | Flag.VM, 0x1_9000, S.data3], expected: '43:b000 cpl 3', flags: IMAGE },
    { name: 'long, to compatibility', mode: 'long', frame: [TARGET, S.code3, 0x202, 0x1_9000, S.data3], expected: '1b:b000 cpl 3', flags: 0x202 },
    { name: 'long, null SS to ring 3', mode: 'long', frame: [TARGET, S.code64User, 2, 0x1_9000, 3], expected: '#GP(0)' },
    { name: 'long, null SS to compatibility ring 0', mode: 'long', frame: [TARGET, S.code0, 2, 0x1_9000, 0], expected: '#GP(0)' },
    { name: 'long, non-canonical', mode: 'long', frame: [1n << 47n, S.code64, 2, 0x1_9000, 0], expected: '#GP(0)' },
    { name: 'long, SS of another ring', mode: 'long', frame: [TARGET, S.code64, 2, 0x1_9000, S.data3], expected: '#GP(20)' },
  ]; // prettier-ignore
  for (const c of cases) {
    it(c.name, () => {
      const w = new World(c.mode ?? 'protected', c.cpl ?? 0);
      w.cpu.rflags = (c.iopl ?? 0) << 12;
      const size = w.cpu.code64 ? 8 : 4;
      c.frame.forEach((v, n) => w.write(STACK + n * size, size, BigInt(v)));
      const outcome = w.run(c.bytes ?? (size === 8 ? '48 cf' : 'cf'));
      expect(outcome === 'ok' ? w.place() : outcome).toBe(c.expected);
      if (outcome !== 'ok') return;
      expect(w.cpu.rflags.toString(16)).toBe((c.flags! | 2).toString(16));
      const popped = c.bytes ? 6 : 3 * size;
      expect(w.cpu.rsp).toBe(c.frame.length === 5 ? 0x1_9000n : BigInt(STACK + popped));
      if (c.frame.length === 5) expect(w.cpu.segments[L.SS]!.selector).toBe(Number(c.frame[4]));
    });
  }
  it('to v8086 mode', () => {
    const w = new World('protected');
    [0x1234, 0x2000, 0x2_3202, 0x8765, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000].forEach((v, n) => w.write(STACK + n * 4, 4, BigInt(v)));
    expect(w.run('cf')).toBe('ok');
    expect(w.place()).toBe('2000:1234 cpl 3');
    expect(w.cpu.v8086).toBe(true);
    expect(w.cpu.u32(L.CODE_SIZE)).toBe(0);
    expect([L.SS, L.ES, L.DS, L.FS, L.GS].map((n) => w.cpu.segments[n]!.selector)).toEqual([0x3000, 0x4000, 0x5000, 0x6000, 0x7000]);
    expect([w.cpu.rsp, w.cpu.segments[L.FS]!.base, w.cpu.segments[L.FS]!.attr, w.cpu.rflags]).toEqual([0x8765n, 0x6_0000n, 0xf3, 0x2_3202]);
  });
  it('to v8086 mode beyond 64 KiB, and not from ring 3', () => {
    const w = new World('protected');
    [0x1_0000, 0x2000, 0x2_0002, 0, 0, 0, 0, 0, 0].forEach((v, n) => w.write(STACK + n * 4, 4, BigInt(v)));
    expect(w.run('cf')).toBe('#GP(0)');
    const user = new World('protected', 3);
    [TARGET, S.code3, 0x2_0002].forEach((v, n) => user.write(STACK + n * 4, 4, BigInt(v)));
    expect(user.run('cf')).toBe('ok');
    expect([user.place(), user.cpu.v8086]).toEqual(['1b:b000 cpl 3', false]);
  });
  it('real mode; v8086 mode needs IOPL 3 and keeps it', () => {
    const real = new World('real');
    [0x1234, 0x2000, 0x7fd7].forEach((v, n) => real.write(0x8000 + n * 2, 2, BigInt(v)));
    expect(real.run('cf')).toBe('ok');
    expect([real.place(), real.cpu.rflags, real.cpu.rsp]).toEqual(['2000:1234 cpl 0', 0x7fd7, 0x8006n]);
    const v = new World('v8086');
    expect(v.run('cf')).toBe('#GP(0)');
    v.cpu.sysflags |= Flag.IOPL;
    [0x1234, 0x2000, 0x0202].forEach((x, n) => v.write(0x1_8000 + n * 2, 2, BigInt(x)));
    expect(v.run('cf')).toBe('ok');
    expect([v.place(), v.cpu.rflags]).toEqual(['2000:1234 cpl 3', 0x2_3202]);
  });
  it('unblocks NMIs, even when it faults', () => {
    for (const cs of [S.code64, 0]) {
      const w = new World('long');
      w.cpu.interruptibility = Interruptibility.nmi;
      [TARGET, cs, 2, 0x1_9000, S.data0].forEach((v, n) => w.write(STACK + n * 8, 8, BigInt(v)));
      expect(w.run('48 cf')).toBe(cs === 0 ? '#GP(0)' : 'ok');
      expect(w.cpu.interruptibility).toBe(0);
    }
  });
  it('NT in IA-32e mode', () => {
    const w = new World('long');
    w.cpu.rflags = Flag.NT;
    expect(w.run('48 cf')).toBe('#GP(0)');
  });
});
