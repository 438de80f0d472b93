import { describe, expect, it } from 'vitest';
import { CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { cpuid } from '../../src/machine/cpu/cpuid.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { readMsr, resetMsrs, writeMsr } from '../../src/machine/cpu/msr.ts';
import { lowerBound, resetMpx, setBounds, setConfig, upperBound } from '../../src/machine/cpu/mpx/state.ts';
import { resetCpu } from '../../src/machine/cpu/system/init.ts';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { Entry, Exit } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { bareMachine, CODE, DATA, STACK } from '../support/bare-machine.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { insn, Rig } from '../vmx/rig.ts';
import { runBytes, type Run } from './events.ts';

const BNDCFGS = 0xd90;
const [RAX, RCX, RDX, RBX, RDI] = [0, 1, 2, 3, 7] as const;
const ONES = (1n << 64n) - 1n;
const not = (v: bigint): bigint => BigInt.asUintN(64, ~v);

/** MPX enabled at CPL 0, with the bound directory at `directory`. */
function enable(cpu: Cpu, config = 1n): void {
  cpu.cr4 |= BigInt(CR4.OSXSAVE);
  cpu.setU64(L.XCR0, 0x1fn);
  setConfig(cpu, L.BNDCFGS, config);
}

interface Setup {
  readonly regs?: Readonly<Record<number, bigint>>;
  readonly bounds?: Readonly<Record<number, readonly [bigint, bigint]>>;
  readonly config?: bigint;
  /** 32-bit code in compatibility mode. */
  readonly compatibility?: boolean;
  readonly more?: (cpu: Cpu, machine: Machine) => void;
}

function run(hex: string, setup: Setup = {}): Run {
  return runBytes(hex, (cpu, machine) => {
    enable(cpu, setup.config);
    for (const [n, value] of Object.entries(setup.regs ?? {})) cpu.setGpr(Number(n), value);
    for (const [n, [lower, upper]] of Object.entries(setup.bounds ?? {})) setBounds(cpu, Number(n), lower, upper);
    if (setup.compatibility) setCodeSegment(cpu, 8, 0n, 0xffff_ffff, 0xc09b, 0);
    setup.more?.(cpu, machine);
  });
}

const bounds = ({ cpu }: Run, n: number): string => `${lowerBound(cpu, n).toString(16)}-${upperBound(cpu, n).toString(16)}`;
const shown = (lower: bigint, upper: bigint): string => `${lower.toString(16)}-${BigInt.asUintN(64, upper).toString(16)}`;
/** What happened: nothing, or a vector with its error code. */
const happened = ({ events }: Run): string => (events.length === 0 ? 'ok' : `#${events[0]!.vector}${events[0]!.errorCode === undefined ? '' : `(${events[0]!.errorCode})`}`); // prettier-ignore
const status = ({ cpu }: Run): bigint => cpu.u64(L.BNDSTATUS);

const P = 0x1234_5678_9abcn;

describe('BNDMK', () => {
  it.each<[string, string, Setup, number, string]>([
    ['base and index', 'f3 0f 1b 0c 08', { regs: { [RAX]: P, [RCX]: 0x100n } }, 1, shown(P, not(P + 0x100n))],
    ['base and displacement', 'f3 0f 1b 58 7f', { regs: { [RAX]: P } }, 3, shown(P, not(P + 0x7fn))],
    ['no base: lower bound 0', 'f3 0f 1b 04 0d 10000000', { regs: { [RCX]: 0x20n } }, 0, shown(0n, not(0x30n))],
    ['neither', 'f3 0f 1b 04 25 10000000', {}, 0, shown(0n, not(0x10n))],
    ['scaled', 'f3 0f 1b 14 c8', { regs: { [RAX]: P, [RCX]: 2n } }, 2, shown(P, not(P + 16n))],
    ['67 is ignored in 64-bit mode', '67 f3 0f 1b 0c 08', { regs: { [RAX]: P, [RCX]: 1n } }, 1, shown(P, not(P + 1n))],
    ['no segment base', '65 f3 0f 1b 00', { regs: { [RAX]: P }, more: (cpu) => void (cpu.segments[L.GS]!.base = 0x1000n) }, 0, shown(P, not(P))],
    ['32-bit code', 'f3 0f 1b 0c 08', { regs: { [RAX]: P, [RCX]: 0x100n }, compatibility: true }, 1, shown(P & 0xffff_ffffn, ~(P + 0x100n) & 0xffff_ffffn)], // prettier-ignore
    ['register form: a NOP', 'f3 0f 1b c8', { bounds: { 1: [1n, 2n] } }, 1, shown(1n, 2n)],
  ])('%s', (_, hex, setup, n, expected) => {
    const r = run(hex, setup);
    expect([happened(r), bounds(r, n)]).toEqual(['ok', expected]);
  });

  it.each<[string, string, Setup]>([
    ['BND4', 'f3 0f 1b 20', {}],
    ['BND8, by REX.R', 'f3 44 0f 1b 00', {}],
    ['RIP-relative', 'f3 0f 1b 05 00000000', {}],
    ['LOCK', 'f0 f3 0f 1b 00', {}],
    ['16-bit addressing', '67 f3 0f 1b 0f', { compatibility: true }],
  ])('#UD: %s', (_, hex, setup) => {
    expect(happened(run(hex, setup))).toBe('#6');
  });
});

describe('BNDCL, BNDCU, BNDCN', () => {
  const inside = { 1: [0x1000n, not(0x1fffn)] as const };
  it.each<[string, string, Setup, string]>([
    ['BNDCL at the bound', 'f3 0f 1a c8', { regs: { [RAX]: 0x1000n }, bounds: inside }, 'ok'],
    ['BNDCL below', 'f3 0f 1a c8', { regs: { [RAX]: 0xfffn }, bounds: inside }, '#5'],
    ['BNDCL is unsigned', 'f3 0f 1a c8', { regs: { [RAX]: ONES }, bounds: inside }, 'ok'],
    ['BNDCL of an address', 'f3 0f 1a 48 01', { regs: { [RAX]: 0xfffn }, bounds: inside }, 'ok'],
    ['BNDCL of an address below', 'f3 0f 1a 48 ff', { regs: { [RAX]: 0x1000n }, bounds: inside }, '#5'],
    ['BNDCL of a non-canonical address: nothing is accessed', 'f3 0f 1a 08', { regs: { [RAX]: 1n << 62n }, bounds: inside }, 'ok'],
    ['BNDCL, RIP-relative', 'f3 0f 1a 0d 00000000', { bounds: { 1: [BigInt(CODE + 8), 0n] } }, 'ok'],
    ['BNDCL, RIP-relative, below', 'f3 0f 1a 0d 00000000', { bounds: { 1: [BigInt(CODE + 9), 0n] } }, '#5'],
    ['BNDCL of r8', 'f3 41 0f 1a c8', { regs: { 8: 0xfffn }, bounds: inside }, '#5'],
    ['BNDCU at the bound', 'f2 0f 1a c8', { regs: { [RAX]: 0x1fffn }, bounds: inside }, 'ok'],
    ['BNDCU above', 'f2 0f 1a c8', { regs: { [RAX]: 0x2000n }, bounds: inside }, '#5'],
    ['BNDCU with INIT bounds', 'f2 0f 1a c8', { regs: { [RAX]: ONES } }, 'ok'],
    ['BNDCN takes the bound as it is', 'f2 0f 1b c8', { regs: { [RAX]: 0x2000n }, bounds: { 1: [0n, 0x1fffn] } }, '#5'],
    ['BNDCN at the bound', 'f2 0f 1b c8', { regs: { [RAX]: 0x1fffn }, bounds: { 1: [0n, 0x1fffn] } }, 'ok'],
    ['32-bit code compares 32 bits', 'f3 0f 1a c8', { regs: { [RAX]: 0x7_0000_1000n }, bounds: { 1: [0x5_0000_1000n, 0n] }, compatibility: true }, 'ok'], // prettier-ignore
    ['32-bit code, BNDCU', 'f2 0f 1a c8', { regs: { [RAX]: 0x2000n }, bounds: { 1: [0n, ~0x1fffn & 0xffff_ffffn] }, compatibility: true }, '#5'],
    ['BND5', 'f3 0f 1a e8', {}, '#6'],
    ['16-bit addressing', '67 f3 0f 1a 0f', { compatibility: true }, '#6'],
    ['registers ignore 67', '67 f3 0f 1a c8', { compatibility: true }, 'ok'],
  ])('%s', (_, hex, setup, expected) => {
    const r = run(hex, { ...setup, more: (cpu) => cpu.setU64(L.BNDSTATUS, 0x77n) });
    expect([happened(r), status(r)]).toEqual([expected, expected === '#5' ? 1n : 0x77n]);
    if (expected === '#5') expect(r.events[0]!.rip).toBe(BigInt(CODE));
  });
});

describe('BNDMOV', () => {
  const [A, B] = [0x1111_2222_3333_4444n, 0x5555_6666_7777_8888n];
  const memory = (cpu: Cpu, offset: number): bigint => cpu.machine.memory.read64(DATA + offset);

  it.each<[string, string, Setup, number, string]>([
    ['between registers', '66 0f 1a ca', { bounds: { 2: [A, B] } }, 1, shown(A, B)],
    ['between registers, the other form', '66 0f 1b ca', { bounds: { 1: [A, B] } }, 2, shown(A, B)],
    ['between registers in 32-bit code', '66 0f 1a ca', { bounds: { 2: [A, B] }, compatibility: true }, 1, shown(0x3333_4444n, 0x7777_8888n)],
  ])('%s', (_, hex, setup, n, expected) => {
    const r = run(hex, setup);
    expect([happened(r), bounds(r, n)]).toEqual(['ok', expected]);
  });

  it('from and to memory, 16 bytes; 8 in 32-bit code', () => {
    const filled = (cpu: Cpu): void => {
      for (let n = 0; n < 4; n++) cpu.machine.memory.write64(DATA + n * 8, n < 2 ? [A, B][n]! : ONES);
      cpu.setGpr(RAX, BigInt(DATA));
    };
    expect(bounds(run('66 0f 1a 08', { more: filled }), 1)).toBe(shown(A, B));
    expect(bounds(run('66 0f 1a 08', { more: filled, compatibility: true }), 1)).toBe(shown(0x3333_4444n, 0x1111_2222n));
    const stored = run('66 0f 1b 48 10', { more: filled, bounds: { 1: [1n, 2n] } });
    expect([0, 8, 16, 24].map((n) => memory(stored.cpu, n))).toEqual([A, B, 1n, 2n]);
    const narrow = run('66 0f 1b 48 10', { more: filled, bounds: { 1: [A, B] }, compatibility: true });
    expect([16, 24].map((n) => memory(narrow.cpu, n))).toEqual([0x7777_8888_3333_4444n, ONES]);
  });

  it.each<[string, string, Setup, string]>([
    ['BND4 as source', '66 0f 1a cc', {}, '#6'],
    ['BND12 by REX.B', '66 41 0f 1a cc', {}, '#6'],
    ['BND4 as destination', '66 0f 1b cc', {}, '#6'],
    ['BND4 with memory', '66 0f 1a 20', { regs: { [RAX]: BigInt(DATA) } }, '#6'],
    ['a page that is not there', '66 0f 1a 08', { regs: { [RAX]: 1n << 40n } }, '#14(0)'],
    ['across into one that is not there', '66 0f 1b 08', { regs: { [RAX]: (1n << 30n) - 8n } }, '#14(2)'],
    ['non-canonical', '66 0f 1a 08', { regs: { [RAX]: 1n << 62n } }, '#13(0)'],
    ['beyond the limit of DS', '66 0f 1a 08', { regs: { [RAX]: 0xffcn }, compatibility: true, more: (cpu) => cpu.segments[L.DS]!.load(16, 0n, 0xfff, 0x4093) }, '#13(0)'], // prettier-ignore
    ['up to the limit of DS', '66 0f 1a 08', { regs: { [RAX]: 0xff8n }, compatibility: true, more: (cpu) => cpu.segments[L.DS]!.load(16, 0n, 0xfff, 0x4093) }, 'ok'], // prettier-ignore
  ])('%s', (_, hex, setup, expected) => {
    const r = run(hex, { ...setup, bounds: { 1: [A, B] } });
    expect(happened(r)).toBe(expected);
    if (expected !== 'ok') expect(bounds(r, 1)).toBe(shown(A, B));
  });
});

describe('BNDLDX and BNDSTX', () => {
  const [DIRECTORY, TABLE] = [0x40_0000, 0x50_0000];
  const config = BigInt(DIRECTORY) | 1n;
  const pointer = 0x1234_5678n;
  const directoryEntry = DIRECTORY + (0x1234_5678 >> 20) * 8;
  const tableEntry = TABLE + ((0x1234_5678 >> 3) & 0x1_ffff) * 32;
  const valid = (cpu: Cpu): void => cpu.machine.memory.write64(directoryEntry, BigInt(TABLE) | 1n);
  const words = ({ cpu }: Run, at: number, count = 3): bigint[] => Array.from({ length: count }, (_, n) => cpu.machine.memory.read64(at + n * 8));

  it('stores bounds and the pointer by its address, and loads them for the same pointer', () => {
    const regs = { [RAX]: pointer, [RCX]: 0xabcdn };
    const r = run('0f 1b 0c 08 0f 1a 14 08', { regs, config, bounds: { 1: [7n, 8n] }, more: valid });
    expect([happened(r), words(r, tableEntry), bounds(r, 2)]).toEqual(['ok', [7n, 8n, 0xabcdn], shown(7n, 8n)]);
  });

  it.each<[string, string, Setup, string]>([
    ['another pointer value: INIT bounds', '0f 1a 14 08', { regs: { [RAX]: pointer, [RCX]: 0xabcen } }, shown(0n, 0n)],
    ['the scale does not matter', '0f 1a 14 c8', { regs: { [RAX]: pointer, [RCX]: 0xabcdn } }, shown(7n, 8n)],
    ['no index is 0', '0f 1a 10', { regs: { [RAX]: pointer }, more: (cpu) => cpu.machine.memory.write64(tableEntry + 16, 0n) }, shown(7n, 8n)],
    ['displacement', '0f 1a 54 08 78', { regs: { [RAX]: pointer - 0x78n, [RCX]: 0xabcdn } }, shown(7n, 8n)],
    ['bits 2:0 of the address do not matter', '0f 1a 14 08', { regs: { [RAX]: pointer + 7n, [RCX]: 0xabcdn } }, shown(7n, 8n)],
    ['bits 63:48 neither: the address need not be canonical', '0f 1a 14 08', { regs: { [RAX]: pointer | (0x7fffn << 48n), [RCX]: 0xabcdn } }, shown(7n, 8n)], // prettier-ignore
    ['a segment override counts', '65 0f 1a 14 08', { regs: { [RAX]: pointer - 0x1000n, [RCX]: 0xabcdn }, more: (cpu) => void (cpu.segments[L.GS]!.base = 0x1000n) }, shown(7n, 8n)], // prettier-ignore
  ])('BNDLDX: %s', (_, hex, setup, expected) => {
    const r = run(hex, {
      ...setup,
      config,
      bounds: { 2: [9n, 9n] },
      more(cpu, machine) {
        valid(cpu);
        for (const [n, value] of [7n, 8n, 0xabcdn].entries()) machine.memory.write64(tableEntry + n * 8, value);
        setup.more?.(cpu, machine);
      },
    });
    expect([happened(r), bounds(r, 2)]).toEqual(['ok', expected]);
  });

  it('without a base register the address is 0', () => {
    const r = run('0f 1b 0c 0d 78563412', { regs: { [RCX]: 5n }, config, bounds: { 1: [7n, 8n] }, more: (cpu) => cpu.machine.memory.write64(DIRECTORY, BigInt(TABLE) | 1n) }); // prettier-ignore
    expect(words(r, TABLE)).toEqual([7n, 8n, 5n]);
  });

  it('32-bit code: entries of four and sixteen bytes', () => {
    const p = 0x0012_3454n;
    const r = run('0f 1b 0c 08 0f 1a 14 08', {
      regs: { [RAX]: p, [RCX]: 0xabcdn }, config, compatibility: true, bounds: { 1: [7n, 8n] },
      more: (cpu) => cpu.machine.memory.write(DIRECTORY + 0x123 * 4, 4, TABLE | 1),
    }); // prettier-ignore
    expect([happened(r), bounds(r, 2)]).toEqual(['ok', shown(7n, 8n)]);
    expect(words(r, TABLE + (0x454 >> 2) * 16, 2)).toEqual([0x8_0000_0007n, 0xabcdn]);
  });

  it.each(['0f 1b 0c 08', '0f 1a 0c 08'])('%s: an entry of the directory that is not valid is #BR', (hex) => {
    const r = run(hex, { regs: { [RAX]: pointer }, config, bounds: { 1: [7n, 8n] } });
    expect([happened(r), status(r), bounds(r, 1)]).toEqual(['#5', BigInt(directoryEntry) | 2n, shown(7n, 8n)]);
  });

  it.each<[string, string, Setup, string]>([
    ['BND4', '0f 1a 24 08', {}, '#6'],
    ['RIP-relative load', '0f 1a 0d 00000000', {}, '#6'],
    ['RIP-relative store', '0f 1b 0d 00000000', {}, '#6'],
    ['16-bit addressing', '67 0f 1a 0f', { compatibility: true }, '#6'],
    ['a directory that is not there', '0f 1a 0c 08', { config: (1n << 40n) | 1n }, '#14(0)'],
    ['a table that is not there', '0f 1b 0c 08', { regs: { [RAX]: pointer }, more: (cpu) => cpu.machine.memory.write64(directoryEntry, (1n << 40n) | 1n) }, '#14(2)'], // prettier-ignore
    ['a table at a non-canonical address', '0f 1b 0c 08', { regs: { [RAX]: pointer }, more: (cpu) => cpu.machine.memory.write64(directoryEntry, (1n << 62n) | 1n) }, '#13(0)'], // prettier-ignore
    ['register form of BNDLDX: a NOP', '0f 1a c8', {}, 'ok'],
    ['register form of BNDSTX: a NOP', '0f 1b c8', {}, 'ok'],
  ])('%s', (_, hex, setup, expected) => {
    expect(happened(run(hex, { config, ...setup }))).toBe(expected);
  });
});

describe('when MPX is not enabled, its instructions are NOPs', () => {
  const off: readonly (readonly [string, (cpu: Cpu) => void])[] = [
    ['by CR4.OSXSAVE', (cpu) => void (cpu.cr4 &= ~BigInt(CR4.OSXSAVE))],
    ['by XCR0', (cpu) => cpu.setU64(L.XCR0, 7n)],
    ['by IA32_BNDCFGS', (cpu) => cpu.setU64(L.BNDCFGS, 2n)],
    ['by IA32_BNDCFGS, whatever BNDCFGU says', (cpu) => (cpu.setU64(L.BNDCFGS, 0n), cpu.setU64(L.BNDCFGU, 1n))],
  ];
  const each = ['f3 0f 1b 08', 'f3 0f 1b 20', 'f3 0f 1a c8', 'f2 0f 1a c8', 'f2 0f 1b c8', '66 0f 1a 08', '66 0f 1b 08', '66 0f 1a cc', '0f 1a 08', '0f 1b 08', 'f3 0f 1b 0d 00000000']; // prettier-ignore
  it.each(off)('%s', (_, more) => {
    for (const hex of each) {
      const r = run(hex, { regs: { [RAX]: 1n << 62n }, bounds: { 1: [ONES, 5n] }, more });
      expect([hex, happened(r), bounds(r, 1), status(r)]).toEqual([hex, 'ok', shown(ONES, 5n), 0n]);
    }
  });

  it('LOCK stays #UD', () => {
    expect(happened(run('f0 f3 0f 1b 00', { more: (cpu) => cpu.setU64(L.BNDCFGS, 0n) }))).toBe('#6');
  });

  it('on a model without MPX too', () => {
    const setUp = (cpu: Cpu): void => {
      enable(cpu);
      setBounds(cpu, 1, ONES, 0n);
    };
    for (const hex of each) expect(runBytes(hex, setUp, 1000, parseCpuModel('skylake,-mpx')).events, hex).toEqual([]);
  });

  it('BNDCFGU counts at CPL 3, IA32_BNDCFGS at the other levels', () => {
    for (const [cpl, expected] of [
      [0, shown(0n, 0n)],
      [3, shown(P, not(P))],
    ] as const) {
      const r = run('f3 0f 1b 08', {
        regs: { [RAX]: P },
        more(cpu) {
          cpu.setU64(L.BNDCFGS, 0n);
          setConfig(cpu, L.BNDCFGU, 1n);
          if (cpl === 3) setCodeSegment(cpu, 0x1b, 0n, 0xffff_ffff, 0xa0fb, 3);
        },
      }); // prettier-ignore
      expect(bounds(r, 1), `CPL ${cpl}`).toBe(expected);
    }
  });
});

describe('BOUND: SDM Vol. 1, 17.5.4', () => {
  it.each([
    [1n, 0n],
    [0n, 0x77n],
  ])('with BNDCFGS %i, a #BR leaves BNDSTATUS at %i', (config, expected) => {
    const r = run('62 03', {
      regs: { [RAX]: 5n, [RBX]: BigInt(DATA) }, compatibility: true, config,
      more: (cpu) => cpu.setU64(L.BNDSTATUS, 0x77n),
    }); // prettier-ignore
    expect([happened(r), status(r)]).toEqual(['#5', expected]);
  });
});

describe.each([
  ['tier 0', { mode: 'interp' }],
  ['tier 1', { mode: 'jit', threshold: 1 }],
] as const)('branches, %s', (_, accel) => {
  /** BNDMK BND0, [RAX]; then the branch; RDX is where the code goes on, which is on top of the stack too. */
  function branch(hex: string, config: bigint, quantum: number, prepare: (cpu: Cpu) => void = () => {}): string {
    const machine = bareMachine({ accel });
    const cpu = machine.cpus[0]!;
    const bytes = Buffer.from(`f30f1b00${hex.replaceAll(' ', '')}`, 'hex');
    machine.memory.poke(CODE, Uint8Array.of(...bytes, 0xf4));
    enable(cpu, config);
    cpu.setGpr(RAX, P);
    cpu.setGpr(RCX, 1n);
    cpu.setGpr(RDX, BigInt(CODE + bytes.length));
    machine.memory.write64(STACK, BigInt(CODE + bytes.length));
    prepare(cpu);
    while (cpu.activity === 0) machine.run(quantum);
    expect(cpu.rip).toBe(BigInt(CODE + bytes.length + 1));
    expect(cpu.retired).toBe(3n);
    const now = shown(lowerBound(cpu, 0), upperBound(cpu, 0));
    if (now === shown(0n, 0n)) return 'INIT';
    expect(now).toBe(shown(P, not(P)));
    return 'kept';
  }

  it.each([
    ['JMP rel32', 'e9 00000000', 'INIT'],
    ['JMP rel8', 'eb 00', 'kept'],
    ['JMP r', 'ff e2', 'INIT'],
    ['JMP m', 'ff 24 24', 'INIT'],
    ['CALL rel32', 'e8 00000000', 'INIT'],
    ['CALL r', 'ff d2', 'INIT'],
    ['RET', 'c3', 'INIT'],
    ['RET imm16', 'c2 0000', 'INIT'],
    ['JE rel8', '74 00', 'INIT'],
    ['JNE rel8', '75 00', 'INIT'],
    ['JE rel32', '0f 84 00000000', 'INIT'],
    ['JNE rel32', '0f 85 00000000', 'INIT'],
    ['LOOP', 'e2 00', 'kept'],
    ['JRCXZ', 'e3 00', 'kept'],
    ['NOP', '90', 'kept'],
  ])('%s', (_name, hex, expected) => {
    for (const quantum of [1, 2, 3, 100, 1000]) {
      expect(branch(hex, 1n, quantum), `quantum ${quantum}`).toBe(expected);
      expect(branch(`f2 ${hex}`, 1n, quantum), 'with a BND prefix').toBe('kept');
      expect(branch(hex, 3n, quantum), 'with BNDPRESERVE').toBe('kept');
    }
  });

  it('a conditional branch that is not taken initializes them as well', () => {
    expect(branch('74 00', 1n, 100, (cpu) => void (cpu.rflags = 0x42))).toBe('INIT');
    expect(branch('74 00', 1n, 100, (cpu) => void (cpu.rflags = 2))).toBe('INIT');
  });

  it('with TF, each instruction traps and the branch has done its work', () => {
    const machine = bareMachine({ accel });
    const cpu = machine.cpus[0]!;
    machine.memory.poke(CODE, Uint8Array.of(0xf3, 0x0f, 0x1b, 0x00, 0xe9, 0, 0, 0, 0, 0xf4));
    enable(cpu);
    cpu.setGpr(RAX, P);
    machine.step(0);
    expect(lowerBound(cpu, 0)).toBe(P);
    machine.step(0);
    expect([lowerBound(cpu, 0), cpu.rip]).toEqual([0n, BigInt(CODE + 9)]);
  });

  it.each<[string, string, bigint]>([
    ['JMP to a non-canonical address', 'ff e2', 1n << 62n],
    ['JMP through a page that is not there', 'ff 22', 1n << 40n],
    ['CALL whose push faults', 'e8 00000000', 0n],
  ])('%s faults and leaves them', (_name, hex, rdx) => {
    const r = runBytes(
      `f3 0f 1b 00 ${hex}`,
      (cpu) => {
        enable(cpu);
        cpu.setGpr(RAX, P);
        cpu.setGpr(RDX, rdx);
        if (rdx === 0n) cpu.rsp = 1n << 40n;
      },
      1000,
    );
    expect(r.events.length).toBe(1);
    expect([bounds(r, 0), r.events[0]!.rip]).toEqual([shown(P, not(P)), BigInt(CODE + 4)]);
  });

  it('a hot loop comes to the same end, at the same count, as without MPX', () => {
    // mov ecx, 2000; 1: bndmk bnd0, [rax+rcx]; bnd jmp 2f; 2: bndmov bnd1, bnd0; dec ecx; jnz 1b
    const code = 'b9d0070000 f30f1b0408 f2e900000000 660f1ac8 ffc9 75ed'.replaceAll(' ', '');
    const end = (config: bigint): readonly unknown[] => {
      const machine = bareMachine({ accel });
      const cpu = machine.cpus[0]!;
      machine.memory.poke(CODE, Uint8Array.of(...Buffer.from(code, 'hex'), 0xf4));
      enable(cpu, config);
      cpu.setGpr(RAX, P);
      while (cpu.activity === 0) machine.run(777);
      return [cpu.retired, cpu.gpr(RCX), cpu.rip, shown(lowerBound(cpu, 0), upperBound(cpu, 0)), shown(lowerBound(cpu, 1), upperBound(cpu, 1))];
    };
    const [off, clearing, preserving] = [end(0n), end(1n), end(3n)];
    expect(clearing.slice(0, 3)).toEqual(off.slice(0, 3));
    expect([off[3], clearing[3], preserving[3]]).toEqual([shown(0n, 0n), shown(0n, 0n), shown(P, not(P + 1n))]);
    expect([off[4], clearing[4], preserving[4]]).toEqual([shown(0n, 0n), shown(0n, 0n), shown(P, not(P + 1n))]);
  });

  it('a restored snapshot goes on doing so', () => {
    const machine = bareMachine({ accel });
    const cpu = machine.cpus[0]!;
    machine.memory.poke(CODE, Uint8Array.of(0xf3, 0x0f, 0x1b, 0x00, 0xe9, 0, 0, 0, 0, 0xf4));
    enable(cpu);
    cpu.setGpr(RAX, P);
    machine.run(1);
    const other = bareMachine({ accel });
    other.restore(machine.snapshot());
    expect(lowerBound(other.cpus[0]!, 0)).toBe(P);
    other.run(1000);
    expect([lowerBound(other.cpus[0]!, 0), other.cpus[0]!.activity]).toEqual([0n, 1]);
  });

  it('nothing looks at branches before MPX may need it', () => {
    const machine = bareMachine({ accel });
    expect(machine.runner.finder.marks.legacyBranches).toBe(false);
    enable(machine.cpus[0]!, 3n);
    expect(machine.runner.finder.marks.legacyBranches).toBe(false);
    enable(machine.cpus[0]!, 1n);
    expect(machine.runner.finder.marks.legacyBranches).toBe(true);
    machine.reset();
    expect(machine.runner.finder.marks.legacyBranches).toBe(false);
  });
});

describe('XSAVE components 3 and 4: SDM Vol. 1, 13.5.4', () => {
  const read = ({ cpu }: Run, offset: number): bigint => cpu.machine.memory.read64(DATA + offset);
  const area = (cpu: Cpu): void => {
    cpu.setGpr(RDI, BigInt(DATA));
    cpu.setGpr(RAX, 0xffff_ffffn);
    cpu.setGpr(RDX, 0xffff_ffffn);
  };
  const state = (cpu: Cpu): void => {
    area(cpu);
    for (let n = 0; n < 4; n++) setBounds(cpu, n, BigInt(n * 2 + 1), BigInt(n * 2 + 2));
    cpu.setU64(L.BNDCFGU, 0x5003n);
    cpu.setU64(L.BNDSTATUS, 0x6002n);
  };

  it.each([
    ['XSAVE, standard format', '0f ae 27', 960, 1024],
    ['XSAVEC, compacted, without AVX in use', '0f c7 27', 832, 896],
  ])('%s', (_, hex, bndregs, bndcsr) => {
    const r = run(hex, { more: state });
    expect(happened(r)).toBe('ok');
    expect(Array.from({ length: 8 }, (_x, n) => read(r, bndregs + n * 8))).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]);
    expect([read(r, bndcsr), read(r, bndcsr + 8), read(r, 512) & 0x18n]).toEqual([0x5003n, 0x6002n, 0x18n]);
  });

  it('INIT state is not in use', () => {
    expect(read(run('0f ae 27', { more: area }), 512) & 0x18n).toBe(0n);
  });

  it('XRSTOR loads them, or puts them into their initial state', () => {
    const image =
      (bv: bigint) =>
      (cpu: Cpu, { memory }: Machine) => {
        state(cpu);
        memory.write64(DATA + 24, 0x1f80n);
        memory.write64(DATA + 512, bv);
        for (let n = 0; n < 8; n++) memory.write64(DATA + 960 + n * 8, BigInt(100 + n));
        memory.write64(DATA + 1024, 0x7001n);
        memory.write64(DATA + 1032, 0x8001n);
      };
    const loaded = run('0f ae 2f', { more: image(0x18n) });
    expect([happened(loaded), bounds(loaded, 3), loaded.cpu.u64(L.BNDCFGU), status(loaded)]).toEqual(['ok', shown(106n, 107n), 0x7001n, 0x8001n]);
    const initial = run('0f ae 2f', { more: image(0n) });
    expect([happened(initial), bounds(initial, 3), initial.cpu.u64(L.BNDCFGU), status(initial)]).toEqual(['ok', shown(0n, 0n), 0n, 0n]);
  });

  it.each([
    ['a reserved bit of BNDCFGU', 5n],
    ['a base that is not canonical', (1n << 60n) | 1n],
  ])('XRSTOR with %s is #GP and loads nothing', (_, value) => {
    const r = run('0f ae 2f', {
      more(cpu, { memory }) {
        state(cpu);
        memory.write64(DATA + 24, 0x1f80n);
        memory.write64(DATA + 512, 0x18n);
        memory.write64(DATA + 1024, value);
      },
    });
    expect([happened(r), bounds(r, 0), r.cpu.u64(L.BNDCFGU)]).toEqual(['#13(0)', shown(1n, 2n), 0x5003n]);
  });

  it.each([
    [0x1fn, 'ok'],
    [0x07n, 'ok'],
    [0x19n, 'ok'],
    [0x0fn, '#13(0)'],
    [0x17n, '#13(0)'],
    [0x1en, '#13(0)'],
  ])('XSETBV of 0x%x: %s', (value, expected) => {
    const r = run('0f 01 d1', { regs: { [RAX]: value, [RCX]: 0n, [RDX]: 0n } });
    expect([happened(r), r.cpu.u64(L.XCR0)]).toEqual([expected, expected === 'ok' ? value : 0x1fn]);
  });

  it('CPUID describes them', () => {
    const machine = fakeMachine();
    resetMsrs(machine.cpu);
    expect([3, 4].map((n) => cpuid(machine.cpu, 0xd, n))).toEqual([
      { eax: 64, ebx: 960, ecx: 0, edx: 0 },
      { eax: 64, ebx: 1024, ecx: 0, edx: 0 },
    ]);
    expect(cpuid(machine.cpu, 0xd, 0)).toMatchObject({ eax: 0x1f, ecx: 1088 });
    expect(cpuid(machine.cpu, 7, 0).ebx & (1 << 14)).toBe(1 << 14);
    expect(cpuid(fakeMachine({ model: 'haswell' }).cpu, 7, 0).ebx & (1 << 14)).toBe(0);
  });
});

describe('IA32_BNDCFGS', () => {
  it.each<[string, string, bigint, string]>([
    ['skylake', 'enabled', 0x1234_5000_0003n, 'ok'],
    ['skylake', 'a high base', 0xffff_8000_0000_0000n, 'ok'],
    ['skylake', 'bit 2', 4n, '#13'],
    ['skylake', 'bit 11', 0x800n, '#13'],
    ['skylake', 'a base that is not canonical', 1n << 47n, '#13'],
    ['skylake,-mpx', 'none', 0n, '#13'],
    ['haswell', 'none', 0n, '#13'],
  ])('%s: %s', (model, _, value, expected) => {
    const { cpu } = fakeMachine({ model: parseCpuModel(model) });
    let got = 'ok';
    try {
      writeMsr(cpu, BNDCFGS, value);
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      got = `#${e.vector}`;
    }
    expect(got).toBe(expected);
    if (expected === 'ok') expect(readMsr(cpu, BNDCFGS)).toBe(value);
  });

  it('power-on and INIT clear all of MPX', () => {
    for (const kind of ['power-on', 'init'] as const) {
      const machine = bareMachine();
      const own = machine.cpus[0]!;
      enable(own);
      setBounds(own, 2, 3n, 4n);
      own.setU64(L.BNDCFGU, 1n);
      own.setU64(L.BNDSTATUS, 1n);
      resetCpu(own, kind);
      expect([upperBound(own, 2), own.u64(L.BNDCFGU), own.u64(L.BNDSTATUS), own.u64(L.BNDCFGS)]).toEqual([0n, 0n, 0n, 0n]);
    }
  });
});

describe('VMX', () => {
  const guest = (prepare: (rig: Rig) => void): Rig => {
    const rig = new Rig();
    resetMpx(rig.cpu);
    return rig.inGuest((r) => {
      writeMsr(r.cpu, BNDCFGS, 0x1001n);
      r.set(F.guestBndcfgs, 0x2003n);
      prepare(r);
    });
  };

  it.each([
    [false, 0x1001n],
    [true, 0x2003n],
  ])('"load IA32_BNDCFGS" %s', (load, expected) => {
    expect(readMsr(guest((r) => r.bits(F.entryControls, load ? Entry.loadBndcfgs : 0)).cpu, BNDCFGS)).toBe(expected);
  });

  it.each([
    [false, 0x3002n],
    [true, 0n],
  ])('"clear IA32_BNDCFGS" %s; what the guest had is saved by any exit', (clear, expected) => {
    const rig = guest((r) => r.bits(F.exitControls, clear ? Exit.clearBndcfgs : 0));
    writeMsr(rig.cpu, BNDCFGS, 0x3002n);
    rig.run(insn('cpuid', { length: 2 }));
    expect([rig.get(F.guestBndcfgs), readMsr(rig.cpu, BNDCFGS)]).toEqual([0x3002n, expected]);
  });

  it('the controls are offered with MPX', () => {
    for (const [index, bit] of [[0x483, 55n], [0x48f, 55n], [0x484, 48n], [0x490, 48n]] as const) {
      const offered = (model: string): bigint => (readMsr(fakeMachine({ model: parseCpuModel(model) }).cpu, index) >> bit) & 1n;
      expect(['skylake', 'skylake,-mpx', 'haswell'].map(offered)).toEqual([1n, 0n, 0n]);
    } // prettier-ignore
  });
});
