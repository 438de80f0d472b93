import { describe, expect, it } from 'vitest';
import { CR0, CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { CODE } from '../support/bare-machine.ts';
import { runBytes } from './events.ts';

/** What host-cpu cannot show of floating-point instructions: what depends on the system, and that an exception leaves everything as it was. */

const [UD, NM, GP, XM] = [6, 7, 13, 19];
const [IE, DE, ZE, OE, PE] = [1, 2, 4, 8, 0x20];
const MASKED = 0x1f80;
/** MXCSR with some exceptions not masked. */
const unmasked = (flags: number): number => MASKED & ~(flags << 7);
const DATA = 0x30_0000;

const f32 = (n: number): number => new Uint32Array(Float32Array.of(n).buffer)[0]!;
const SIGNALING = 0x7fa0_0000;
const DENORMAL = 1;
const HUGE = f32(3e38);

function setLanes(cpu: Cpu, register: number, lanes: readonly number[]): void {
  for (const [n, v] of lanes.entries()) cpu.setU32(L.VECTORS + register * L.VECTOR_SIZE + n * 4, v);
}
const lanes = (cpu: Cpu, register: number): number[] => Array.from({ length: 8 }, (_, n) => cpu.u32(L.VECTORS + register * L.VECTOR_SIZE + n * 4));

interface State {
  readonly mxcsr?: number;
  readonly a?: readonly number[];
  readonly b?: readonly number[];
  readonly more?: (cpu: Cpu) => void;
}

/** Runs with xmm0 (or ymm0) and xmm1 set up, all of AVX enabled and rax at DATA. */
const run = (hex: string, state: State): ReturnType<typeof runBytes> =>
  runBytes(hex, (cpu) => {
    cpu.cr4 |= BigInt(CR4.OSXSAVE | CR4.OSXMMEXCPT | CR4.OSFXSR);
    cpu.setU64(L.XCR0, 7n);
    cpu.setGpr(0, BigInt(DATA));
    cpu.setU32(L.MXCSR, state.mxcsr ?? MASKED);
    setLanes(cpu, 0, state.a ?? []);
    setLanes(cpu, 1, state.b ?? []);
    state.more?.(cpu);
  });

const one = f32(1);

describe('an exception that is not masked', () => {
  it.each<[string, string, State, number]>([
    ['DIVSS by zero', 'f30f5ec1', { mxcsr: unmasked(ZE), a: [one], b: [0] }, ZE],
    [
      'ADDPS of a signaling NaN in the highest element',
      '0f58c1',
      { mxcsr: unmasked(IE), a: [one, one, one, SIGNALING], b: [one, one, one, one] },
      IE,
    ],
    [
      'ADDPS: found before the computation, what comes after it is not looked for',
      '0f58c1',
      { mxcsr: unmasked(DE), a: [HUGE, one, one, DENORMAL], b: [HUGE, f32(1e-9), one, one] },
      DE,
    ],
    [
      'ADDPS: found by the computation, with what else it found',
      '0f58c1',
      { mxcsr: unmasked(OE), a: [HUGE, one, one, DENORMAL], b: [HUGE, f32(1e-9), one, one] },
      DE | OE | PE,
    ],
    ['MULPS: inexact', '0f59c1', { mxcsr: unmasked(PE), a: [f32(0.1), one, one, one], b: [f32(0.1), one, one, one] }, PE],
    [
      'VADDPS of 256 bits, in the upper half',
      'c5fc58c1',
      { mxcsr: unmasked(OE), a: [one, one, one, one, one, one, one, HUGE], b: [one, one, one, one, one, one, one, HUGE] },
      OE,
    ],
    ['VFMADD213SS: infinity times zero', 'c4e271a9c1', { mxcsr: unmasked(IE), a: [f32(Infinity)], b: [0] }, IE],
    ['DPPS: in the second step', '660f3a40c1ff', { mxcsr: unmasked(OE), a: [HUGE, HUGE, one, one], b: [one, one, one, one] }, OE],
    ['ROUNDSS: inexact', '660f3a0ac100', { mxcsr: unmasked(PE), a: [one], b: [f32(0.5)] }, PE],
    ['COMISS of a quiet NaN', '0f2fc1', { mxcsr: unmasked(IE), a: [f32(NaN)], b: [one] }, IE],
    ['CVTTSS2SI out of range', 'f30f2cc1', { mxcsr: unmasked(IE), b: [HUGE] }, IE],
    ['VCVTPS2PH to memory: overflow', 'c4e37d1d0000', { mxcsr: unmasked(OE), a: [one, one, one, one, HUGE] }, OE | PE],
  ])('%s: #XM with MXCSR saying which, and nothing written', (_name, hex, state, flags) => {
    const { cpu, machine, events } = run(hex, state);
    expect(events.map((e) => [e.vector, e.errorCode, e.rip])).toEqual([[XM, undefined, BigInt(CODE)]]);
    expect(cpu.u32(L.MXCSR)).toBe(state.mxcsr! | flags);
    expect(lanes(cpu, 0)).toEqual(Array.from({ length: 8 }, (_, n) => state.a?.[n] ?? 0));
    expect(cpu.gpr(0)).toBe(BigInt(DATA));
    expect(cpu.rflags & 0x8d5).toBe(0);
    expect(machine.memory.read64(DATA)).toBe(0n);
  });

  it('is #UD where the operating system does not know #XM', () => {
    const { cpu, events } = run('f30f5ec1', { mxcsr: unmasked(ZE), a: [one], b: [0], more: (c) => void (c.cr4 &= ~BigInt(CR4.OSXMMEXCPT)) });
    expect(events.map((e) => e.vector)).toEqual([UD]);
    expect(cpu.u32(L.MXCSR)).toBe(unmasked(ZE) | ZE);
  });

  it('is not raised for a flag that was set before', () => {
    const { cpu, events } = run('f30f58c1', { mxcsr: unmasked(IE) | IE | PE, a: [one], b: [one] });
    expect(events).toEqual([]);
    expect(lanes(cpu, 0)[0]).toBe(f32(2));
  });
});

describe('MXCSR', () => {
  it.each<[string, string, State, number, number]>([
    ['an exact sum sets nothing', 'f30f58c1', { a: [one], b: [one] }, 0, f32(2)],
    ['an exact product sets nothing', 'f30f59c1', { a: [f32(1.5)], b: [f32(2.5)] }, 0, f32(3.75)],
    ['an exact quotient sets nothing', 'f30f5ec1', { a: [f32(3.75)], b: [f32(2.5)] }, 0, f32(1.5)],
    ['an exact root sets nothing', 'f30f51c1', { b: [f32(2.25)] }, 0, f32(1.5)],
    ['an inexact sum sets PE', 'f30f58c1', { a: [one], b: [f32(1e-9)] }, PE, one],
    ['rounding up', 'f30f58c1', { mxcsr: MASKED | 0x4000, a: [one], b: [f32(1e-9)] }, PE, one + 1],
    ['rounding up when PE is set already', 'f30f58c1', { mxcsr: MASKED | 0x4000 | PE, a: [one], b: [f32(1e-9)] }, 0, one + 1],
    ['rounding down gives -0 for a difference of equals', 'f30f5cc1', { mxcsr: MASKED | 0x2000, a: [one], b: [one] }, 0, 0x8000_0000],
    ['a denormal operand sets DE', 'f30f59c1', { a: [DENORMAL], b: [f32(2 ** 100)] }, DE, f32(2 ** -49)],
    ['DAZ: it is zero', 'f30f59c1', { mxcsr: MASKED | 0x40, a: [DENORMAL], b: [f32(2 ** 100)] }, 0, 0],
    ['FTZ: a tiny result is zero', 'f30f59c1', { mxcsr: MASKED | 0x8000, a: [f32(2 ** -100)], b: [f32(-(2 ** -30))] }, 0x30, 0x8000_0000],
    ['ROUNDSS without PE', '660f3a0ac108', { a: [one], b: [f32(0.75)] }, 0, one],
    ['RCPSS says nothing', 'f30f53c1', { a: [one], b: [0] }, 0, f32(Infinity)],
    ['CMPSS of a quiet NaN, quiet predicate', 'f30fc2c100', { a: [f32(NaN)], b: [one] }, 0, 0],
    ['CMPSS of a quiet NaN, signaling predicate', 'f30fc2c101', { a: [f32(NaN)], b: [one] }, IE, 0],
    ['MINSS of zeros gives the second', 'f30f5dc1', { a: [0], b: [0x8000_0000] }, 0, 0x8000_0000],
    ['MAXSS of a NaN gives the second', 'f30f5fc1', { a: [f32(NaN)], b: [one] }, IE, one],
  ])('%s', (_name, hex, state, flags, result) => {
    const { cpu, events } = run(hex, state);
    expect(events).toEqual([]);
    expect(lanes(cpu, 0)[0]!.toString(16)).toBe((result >>> 0).toString(16));
    expect(cpu.u32(L.MXCSR)).toBe((state.mxcsr ?? MASKED) | flags);
  });
});

describe('checks before', () => {
  const more = (change: (cpu: Cpu) => void): State => ({ a: [one], b: [one], more: change });
  it.each<[string, string, number, State]>([
    ['ADDPS with CR0.EM', '0f58c1', UD, more((cpu) => void (cpu.cr0 |= BigInt(CR0.EM)))],
    ['ADDPS without CR4.OSFXSR', '0f58c1', UD, more((cpu) => void (cpu.cr4 &= ~BigInt(CR4.OSFXSR)))],
    ['ADDPS with CR0.TS', '0f58c1', NM, more((cpu) => void (cpu.cr0 |= BigInt(CR0.TS)))],
    ['RCPPS with CR0.TS', '0f53c1', NM, more((cpu) => void (cpu.cr0 |= BigInt(CR0.TS)))],
    ['CVTDQ2PD with CR0.TS', 'f30fe6c1', NM, more((cpu) => void (cpu.cr0 |= BigInt(CR0.TS)))],
    ['VADDPS without AVX in XCR0', 'c5fc58c1', UD, more((cpu) => cpu.setU64(L.XCR0, 3n))],
    ['VFMADD213SS without CR4.OSXSAVE', 'c4e279a9c1', UD, more((cpu) => void (cpu.cr4 &= ~BigInt(CR4.OSXSAVE)))],
    ['VCVTPS2PH with VEX.W1', 'c4e3fd1d0000', UD, {}],
    ['ADDPS of memory that is not aligned', '0f5800', GP, more((cpu) => cpu.setGpr(0, BigInt(DATA + 8)))],
    ['CVTPD2PI of memory that is not aligned', '660f2d00', GP, more((cpu) => cpu.setGpr(0, BigInt(DATA + 8)))],
    ['CVTPI2PS of an MMX register with an x87 exception waiting', '0f2ac1', 16, more((cpu) => cpu.setU32(L.FSW, 0x8081))],
  ])('%s', (_name, hex, vector, state) => {
    expect(run(hex, state).events.map((e) => [e.vector, e.rip])).toEqual([[vector, BigInt(CODE)]]);
  });

  it.each<[string, string]>([
    ['ADDSS', 'f30f5800'],
    ['CVTPS2PD', '0f5a00'],
    ['VADDPS', 'c5fc5800'],
    ['VFMADD213PS', 'c4e275a800'],
  ])('%s does not ask for alignment', (_name, hex) => {
    expect(run(hex, { more: (cpu) => cpu.setGpr(0, BigInt(DATA + 3)) }).events).toEqual([]);
  });
});
