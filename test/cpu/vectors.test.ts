import { describe, expect, it } from 'vitest';
import { CR0, CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { CODE } from '../support/bare-machine.ts';
import { runBytes } from './events.ts';

/** What host-cpu cannot show: instructions that the system has not enabled, watched pages, code that vectors overwrite. */

const [UD, NM, GP, PF] = [6, 7, 13, 14];
const DATA = 0x30_0000;
const NOWHERE = 0x60_0000_0000n;

const avx = (cpu: Cpu): void => {
  cpu.cr4 |= BigInt(CR4.OSXSAVE);
  cpu.setU64(L.XCR0, 7n);
};
const at = (address: bigint | number) => (cpu: Cpu) => (avx(cpu), cpu.setGpr(0, BigInt(address)));
const setYmm = (cpu: Cpu, n: number, ...quadwords: bigint[]): void =>
  quadwords.forEach((v, k) => cpu.setU64(L.VECTORS + n * L.VECTOR_SIZE + k * 8, BigInt.asUintN(64, v)));
const ymm = (cpu: Cpu, n: number): bigint[] => [0, 1, 2, 3].map((k) => cpu.u64(L.VECTORS + n * L.VECTOR_SIZE + k * 8));
const quadwords = (m: Machine, address: number, count: number): bigint[] => Array.from({ length: count }, (_, n) => m.memory.read64(address + n * 8));

describe('faults', () => {
  it.each<[string, string, number, (cpu: Cpu) => void]>([
    ['VEX without CR4.OSXSAVE', 'c5fd6fc1', UD, (cpu) => (avx(cpu), void (cpu.cr4 &= ~BigInt(CR4.OSXSAVE)))],
    ['VEX without AVX in XCR0', 'c5fd6fc1', UD, (cpu) => (avx(cpu), cpu.setU64(L.XCR0, 3n))],
    ['VEX.128 without AVX in XCR0', 'c5f96fc1', UD, (cpu) => (avx(cpu), cpu.setU64(L.XCR0, 3n))],
    ['VEX with CR0.TS', 'c5fd6fc1', NM, (cpu) => (avx(cpu), void (cpu.cr0 |= BigInt(CR0.TS)))],
    ['SSSE3 with CR0.TS', '660f3800c1', NM, (cpu) => void (cpu.cr0 |= BigInt(CR0.TS))],
    ['SSE4.1 with CR0.EM', '660f3817c1', UD, (cpu) => void (cpu.cr0 |= BigInt(CR0.EM))],
    ['SSSE3 without CR4.OSFXSR', '660f3800c1', UD, (cpu) => void (cpu.cr4 &= ~BigInt(CR4.OSFXSR))],
    ['operand-size prefix before VEX', '66c5fd6fc1', UD, avx],
    ['REX before VEX', '48c5fd6fc1', UD, avx],
    ['LOCK before VEX', 'f0c5fd6f00', UD, avx],
    ['VEX.vvvv where no operand is', 'c5f56fc1', UD, avx],
    ['VEX.L of an instruction of 128 bits', 'c5fdd6c1', UD, avx],
    ['VPERM2F128 without VEX.L', 'c4e37906c100', UD, avx],
    ['VPERMQ with VEX.W0', 'c4e37d00c100', UD, avx],
    ['a gather into its own mask', 'c4e279900488', UD, at(DATA)],
    ['EVEX', '62f17c481058', UD, avx],
    ['legacy memory operand, misaligned', '660fef00', GP, at(DATA + 8)],
    ['VMOVDQA of 32 bytes aligned to 16', 'c5fd6f00', GP, at(DATA + 16)],
    ['VMOVDQA to 16 bytes aligned to 8', 'c5f97f00', GP, at(DATA + 8)],
    ['VMOVNTDQ to 32 bytes aligned to 16', 'c5fde700', GP, at(DATA + 16)],
    ['MOVNTDQA, misaligned', '660f382a00', GP, at(DATA + 8)],
    ['a load across the end of what is mapped', 'c5fe6f00', PF, at(0x4000_0000n - 8n)],
    ['a masked load where an element is chosen', 'c4e2752c00', PF, (cpu) => (at(NOWHERE)(cpu), setYmm(cpu, 1, 0n, 0n, 0n, 1n << 63n))],
  ])('%s', (_name, hex, vector, setUp) => {
    const { events } = runBytes(hex, setUp);
    expect(events.map((e) => [e.vector, e.rip])).toEqual([[vector, BigInt(CODE)]]);
  });

  it.each<[string, string, (cpu: Cpu) => void]>([
    ['VEX with CR0.EM', 'c5fd6fc1', (cpu) => (avx(cpu), void (cpu.cr0 |= BigInt(CR0.EM)))],
    ['VEX memory operand, misaligned', 'c5f9ef00', at(DATA + 3)],
    ['VMOVDQU, misaligned', 'c5fe6f00', at(DATA + 3)],
    ['PCMPISTRI, misaligned', '660f3a630000', at(DATA + 3)],
    ['a masked load of nothing', 'c4e2752c00', at(NOWHERE)],
    ['a masked store of nothing', 'c4e2752e00', at(NOWHERE)],
    ['a gather of nothing', 'c4e269900488', at(NOWHERE)],
  ])('none: %s', (_name, hex, setUp) => {
    expect(runBytes(hex, setUp).events).toEqual([]);
  });

  it('a store across the end of what is mapped writes nothing', () => {
    const setUp = (cpu: Cpu, machine: Machine): void => {
      at(0xff_fff0)(cpu);
      setYmm(cpu, 0, -1n, -1n, -1n, -1n);
      // The page after it is not there.
      machine.memory.write64(0x3000 + 8 * 8, 0n);
    };
    const { machine, cpu, events } = runBytes('c5fe7f00', setUp);
    expect(events.map((e) => e.vector)).toEqual([PF]);
    expect(cpu.cr2).toBe(0x100_0000n);
    expect(quadwords(machine, 0xff_fff0, 2)).toEqual([0n, 0n]);
  });

  it('a gather that faults keeps what it has', () => {
    const setUp = (cpu: Cpu, machine: Machine): void => {
      at(DATA)(cpu);
      machine.memory.write64(DATA, 0x2222_2222_1111_1111n);
      setYmm(cpu, 0, -1n, -1n, -1n, -1n);
      setYmm(cpu, 1, 1n << 32n, 0x7000_0000n, 0n, 0n); // elements 0, 1, far away, 0
      setYmm(cpu, 2, -1n, -1n, 0n, 0n);
    };
    const { cpu, events } = runBytes('c4e269900488', setUp);
    expect(events.map((e) => [e.vector, e.rip])).toEqual([[PF, BigInt(CODE)]]);
    expect(ymm(cpu, 0).slice(0, 2)).toEqual([0x2222_2222_1111_1111n, 0xffff_ffff_ffff_ffffn]);
    expect(ymm(cpu, 2).slice(0, 2)).toEqual([0n, 0xffff_ffff_ffff_ffffn]);
  });
});

describe('upper halves', () => {
  it.each([
    ['a legacy instruction leaves them', '660fefc1', [7n, 8n]],
    ['VEX.128 clears them', 'c5f9efc1', [0n, 0n]],
    ['a legacy load leaves them', 'f30f6f00', [7n, 8n]],
    ['VEX.128 loads clear them', 'c5fa6f00', [0n, 0n]],
    ['VMOVD clears them', 'c5f96ec0', [0n, 0n]],
    ['VZEROUPPER', 'c5f877', [0n, 0n]],
  ] as const)('%s', (_name, hex, expected) => {
    const { cpu, events } = runBytes(hex, (c) => (at(DATA)(c), setYmm(c, 0, 5n, 6n, 7n, 8n), setYmm(c, 1, 0n, 0n, 1n, 1n)));
    expect(events).toEqual([]);
    expect(ymm(cpu, 0).slice(2)).toEqual(expected);
  });
});

describe('stores are seen', () => {
  it('by the code that they overwrite', () => {
    // vmovdqu [rip + 0], ymm0: 32 bytes of new code, mov eax, 7; hlt. Behind it: mov eax, 1.
    const { cpu } = runBytes('c5fe7f0500000000 b801000000 f4', (c) => (avx(c), setYmm(c, 0, 0xf4_0000_0007b8n, 0n, 0n, 0n)));
    expect(cpu.gpr(0)).toBe(7n);
  });
  it.each([
    ['VMOVDQU', 'c5fe7f00', 24, [1n, 2n, 3n, 4n]],
    ['VMASKMOVPS: after the last element', 'c4e2752e00', 8, [1n, 0n, 0n, 4n]],
  ] as const)('by watchpoints: %s', (_name, hex, offset, expected) => {
    let stopped: string | undefined;
    const { machine } = runBytes(
      hex,
      (cpu, m) => {
        at(DATA + 0xff0)(cpu); // crosses a page
        setYmm(cpu, 0, 1n, 2n, 3n, 4n);
        setYmm(cpu, 1, -1n, 0n, 0n, -1n);
        m.addWatchpoint({ address: BigInt(DATA + 0xff0 + (offset === 8 ? 0 : offset)), length: 8, access: 'write' });
        const reason = m.run(100);
        stopped = reason.kind;
      },
      1,
    );
    expect(stopped).toBe('watchpoint');
    expect(quadwords(machine, DATA + 0xff0, 4)).toEqual(expected);
  });
});

describe('known answers: Intel, white papers on the AES and carry-less multiplication instructions', () => {
  const STATE = 0x7b5b54657374566563746f725d53475dn;
  const KEY = 0x48692853686179295b477565726f6e5dn;
  const ONES = (1n << 128n) - 1n;
  it.each([
    ['AESENC', '660f38dcc1', STATE, KEY, 0xa8311c2f9fdba3c58b104b58ded7e595n],
    ['AESENCLAST', '660f38ddc1', STATE, KEY, 0xc7fb881e938c5964177ec42553fdc611n],
    ['AESDEC', '660f38dec1', STATE, KEY, 0x138ac342faea2787b58eb95eb730392an],
    ['AESDECLAST', '660f38dfc1', STATE, KEY, 0xc5a391ef6b317f95d410637b72a593d0n],
    ['AESIMC', '660f38dbc1', KEY, STATE, 0x627a6f6644b109c82b18330a81c3b3e5n],
    ['AESKEYGENASSIST', '660f3adfc101', STATE, 0x3c4fcf098815f7aba6d2ae2816157e2bn, 0x01eb848beb848a013424b5e524b5e434n],
    ['PCLMULLQLQDQ', '660f3a44c100', STATE, KEY, 0x1d4d84c85c3440c0929633d5d36f0451n],
    ['PCLMULHQLQDQ', '660f3a44c101', STATE, KEY, 0x1a2bf6db3a30862fbabf262df4b7d5c9n],
    ['PCLMULLQHQDQ', '660f3a44c110', STATE, KEY, 0x1bd17c8d556ab5a17fa540ac2a281315n],
    ['PCLMULHQHQDQ', '660f3a44c111', STATE, KEY, 0x1d1e1f2c592e7c45d66ee03e410fd4edn],
    ['PCLMULQDQ, where most carries would be', '660f3a44c100', ONES, ONES, 0x5555_5555_5555_5555_5555_5555_5555_5555n],
  ])('%s', (_name, hex, a, b, expected) => {
    const halves = (v: bigint): [bigint, bigint] => [BigInt.asUintN(64, v), v >> 64n];
    const { cpu, events } = runBytes(hex, (c) => (setYmm(c, 0, ...halves(a)), setYmm(c, 1, ...halves(b))));
    expect(events).toEqual([]);
    const [low = 0n, high = 0n] = ymm(cpu, 0);
    expect((high << 64n) | low).toBe(expected);
  });
});
