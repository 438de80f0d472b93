import { describe, expect, it } from 'vitest';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { CR0, CR4, Flag } from '../../src/machine/cpu/cpu.ts';
import { CODE } from '../support/bare-machine.ts';
import { runBytes } from './events.ts';

const NON_CANONICAL = 0x0080_0000_0000_0000n;
const RAX = 0;
const RSP = 4;
const [DE, DB, BP, UD, NM, SS, GP, PF] = [0, 1, 3, 6, 7, 12, 13, 14];

const rax = (value: bigint) => (cpu: Cpu) => cpu.setGpr(RAX, value);
const rsp = (value: bigint) => (cpu: Cpu) => cpu.setGpr(RSP, value);
const user = (cpu: Cpu): void => {
  setCodeSegment(cpu, 0x1b, 0n, 0xffff_ffff, 0xa0fb, 3);
  cpu.segments[2]!.load(0x13, 0n, 0xffff_ffff, 0xc0f3);
  cpu.segments[7]!.load(0x28, 0n, 0x67, 0x8b); // a TSS without an I/O permission bitmap
};

describe('faults in 64-bit mode: vector, error code, RIP at the instruction', () => {
  it.each<[string, string, number, number | undefined, ((cpu: Cpu) => void)?]>([
    ['UD2', '0f0b', UD, undefined],
    ['an opcode that is not there in 64-bit mode', '06', UD, undefined],
    ['LOCK on a register', 'f0 01c0', UD, undefined],
    ['LOCK MOV to memory', 'f0 8900', UD, undefined, rax(0x30_0000n)],
    ['16 bytes of prefixes', '66666666666666666666666666666666 90', GP, 0],
    ['read of a non-canonical address', '488b00', GP, 0, rax(NON_CANONICAL)],
    ['write of a non-canonical address', '488900', GP, 0, rax(NON_CANONICAL)],
    ['read-modify-write of a non-canonical address', '480100', GP, 0, rax(NON_CANONICAL)],
    ['an access that ends beyond the canonical range', '488b00', GP, 0, rax(0x0000_7fff_ffff_fffcn)],
    ['PUSH with a non-canonical RSP', '50', SS, 0, rsp(NON_CANONICAL)],
    ['POP with a non-canonical RSP', '58', SS, 0, rsp(NON_CANONICAL)],
    ['a non-canonical address through RBP', '488b4500', SS, 0, (cpu) => cpu.setGpr(5, NON_CANONICAL)],
    ['a non-canonical address through RBP with an FS override', '64488b4500', GP, 0, (cpu) => cpu.setGpr(5, NON_CANONICAL)],
    ['a non-canonical address through RSP and an index', '480fb60424', SS, 0, rsp(NON_CANONICAL)],
    ['CALL with a non-canonical RSP', 'e800000000', SS, 0, rsp(NON_CANONICAL)],
    ['JMP to a non-canonical address', 'ffe0', GP, 0, rax(NON_CANONICAL)],
    ['CALL to a non-canonical address', 'ffd0', GP, 0, rax(NON_CANONICAL)],
    ['MOVAPS from a misaligned address', '0f2800', GP, 0, rax(0x30_0008n)],
    ['MOVAPS to a misaligned address', '0f2900', GP, 0, rax(0x30_0001n)],
    ['CMPXCHG16B at a misaligned address', '480fc708', GP, 0, rax(0x30_0008n)],
    ['DIV by zero', '48f7f0', DE, undefined, rax(0n)],
    ['DIV with a quotient too large', 'f7f1', DE, undefined, (cpu) => [0, 1, 2].forEach((n) => cpu.setGpr(n, n === 1 ? 2n : 5n))],
    [
      'IDIV of the least value by -1',
      '48f7f9',
      DE,
      undefined,
      (cpu) => [0x8000_0000_0000_0000n, -1n & 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn].forEach((v, n) => cpu.setGpr(n, v)),
    ],
    ['a page that is not present', '488b00', PF, 0, rax(0x4000_0000_0000n)],
    ['a write to a page that is not present', '488900', PF, 2, rax(0x4000_0000_0000n)],
    ['a jump to a page that is not present, which is fetched at CPL 0', 'ffe0', PF, 0x10, rax(0x4000_0000_0000n)],
    ['SSE with CR0.TS', '0f28c1', NM, undefined, (cpu) => void (cpu.cr0 |= BigInt(CR0.TS))],
    ['SSE with CR0.EM', '0f28c1', UD, undefined, (cpu) => void (cpu.cr0 |= BigInt(CR0.EM))],
    ['SSE without CR4.OSFXSR', '0f28c1', UD, undefined, (cpu) => void (cpu.cr4 &= ~BigInt(CR4.OSFXSR))],
    ['MOV to CR1', '0f22c8', UD, undefined],
    ['MOV to CS', '8ec8', UD, undefined],
    ['RDMSR of an unknown register', '0f32', GP, 0, (cpu) => cpu.setGpr(1, 0xc001_0010n)],
    ['XGETBV without CR4.OSXSAVE', '0f01d0', UD, undefined],
    ['INT n beyond the IDT limit', 'cd80', GP, 0x402],
    ['VMLAUNCH outside VMX operation', '0f01c2', UD, undefined],
    ['VMCALL outside VMX operation', '0f01c1', UD, undefined],
  ])('%s', (_name, hex, vector, errorCode, setUp) => {
    const before: bigint[] = [];
    const { cpu, events } = runBytes(hex, (c) => {
      setUp?.(c);
      before.push(...Array.from({ length: 16 }, (_, n) => c.gpr(n)));
    });
    expect(events.map((e) => [e.vector, e.errorCode])).toEqual([[vector, errorCode]]);
    if (vector !== PF || errorCode !== 0x10) expect(events[0]!.rip).toBe(BigInt(CODE));
    expect(Array.from({ length: 16 }, (_, n) => cpu.gpr(n))).toEqual(before);
  });

  it.each([
    ['HLT', 'f4'], ['CLI', 'fa'], ['STI', 'fb'], ['CLTS', '0f06'], ['INVD', '0f08'], ['WBINVD', '0f09'], ['MOV from CR0', '0f20c0'], ['MOV to CR3', '0f22d8'],
    ['MOV from DR7', '0f21f8'], ['RDMSR', '0f32'], ['WRMSR', '0f30'], ['LGDT', '0f0110'], ['LIDT', '0f0118'], ['LMSW', '0f01f0'], ['INVLPG', '0f0138'],
    ['LLDT', '0f00d0'], ['LTR', '0f00d8'], ['IN', 'ec'], ['OUT', 'ee'], ['INS', '6c'], ['OUTS', '6e'], ['SYSEXIT', '0f35'], ['SYSRET', '480f07'],
  ])('%s at CPL 3 is #GP(0)', (_name, hex) => {
    const { events } = runBytes(hex, (cpu) => {
      user(cpu);
      cpu.setGpr(RAX, 0x30_0000n);
    });
    expect(events.map((e) => [e.vector, e.errorCode, e.rip])).toEqual([[GP, 0, BigInt(CODE)]]);
  }); // prettier-ignore

  it.each([['CPUID', '0fa2'], ['RDTSC', '0f31'], ['PAUSE', 'f390'], ['PUSHF, POPF', '9c9d'], ['SGDT', '0f0100'], ['NOP', '90']])('%s at CPL 3 runs', (_name, hex) => {
    const { events } = runBytes(hex, (cpu) => {
      user(cpu);
      cpu.setGpr(RAX, 0x30_0000n);
    });
    expect(events.map((e) => [e.vector, e.rip])).toEqual([[GP, BigInt(CODE + hex.length / 2)]]); // only the HLT that ends the program
  }); // prettier-ignore
});

describe('traps', () => {
  it.each([
    ['INT3', 'cc', BP, 'software-exception', 1],
    ['INT1', 'f1', DB, 'privileged-software', 1],
  ] as const)('%s', (_name, hex, vector, type, length) => {
    const { events } = runBytes(hex);
    expect(events[0]).toMatchObject({ vector, type, length, rip: BigInt(CODE) });
  });

  const trapFlag = (cpu: Cpu): void => void (cpu.rflags |= Flag.TF);
  it.each([
    ['after one instruction', '9090', 1n],
    ['after one iteration of a repeated instruction', 'f3aa', 0n],
    ['after a taken jump', 'eb01 90', 3n],
    ['after the instruction that follows MOV SS', '8ed0 90', 3n],
    ['not after a faulting instruction, which faults', '0f0b', 0n],
  ])('TF: %s', (_name, hex, offset) => {
    const { events } = runBytes(hex, (cpu) => {
      trapFlag(cpu);
      cpu.setGpr(0, 16n);
      cpu.setGpr(1, 3n);
      cpu.setGpr(7, 0x30_0000n);
    });
    expect(events[0]).toMatchObject({ vector: hex === '0f0b' ? UD : DB, rip: BigInt(CODE) + offset });
  });

  it('an instruction breakpoint of DR0 comes before the instruction, once RF is clear', () => {
    const { events } = runBytes('90 90 90', (cpu) => {
      cpu.setDr(0, BigInt(CODE + 2));
      cpu.setDr(7, 0x401n);
    });
    expect(events[0]).toMatchObject({ vector: DB, rip: BigInt(CODE + 2) });
    const resumed = runBytes('90 90', (cpu) => {
      cpu.setDr(0, BigInt(CODE));
      cpu.setDr(7, 0x401n);
      cpu.rflags |= Flag.RF;
    });
    expect(resumed.events).toEqual([]);
  });
});
