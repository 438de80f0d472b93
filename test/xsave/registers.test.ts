import { describe, expect, it } from 'vitest';
import { CR4 } from '../../src/machine/cpu/cpu.ts';
import { cpuid } from '../../src/machine/cpu/cpuid.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { readMsr, writeMsr } from '../../src/machine/cpu/msr.ts';
import { Bench, FULL } from './area.ts';

const result = (b: Bench): bigint => (b.cpu.gpr(2) << 32n) | b.cpu.gpr(0);

describe('XGETBV', () => {
  it('reads XCR0, and XCR0 & XINUSE', () => {
    const b = new Bench();
    b.cpu.setGpr(1, 0n);
    expect(b.run('xgetbv')).toBe('ok');
    expect(result(b)).toBe(7n);
    b.cpu.setGpr(1, 1n);
    expect([b.run('xgetbv'), result(b)]).toEqual(['ok', 0n]);
    b.cpu.setU64(L.VECTORS + 8, 1n);
    expect([b.run('xgetbv'), result(b)]).toEqual(['ok', 2n]);
    b.fill();
    b.cpu.setU64(L.XCR0, 3n);
    expect([b.run('xgetbv'), result(b)]).toEqual(['ok', 3n]);
  });
  it('faults: no OSXSAVE, no such register, no feature', () => {
    const b = new Bench();
    b.cpu.setGpr(1, 2n);
    expect(b.run('xgetbv')).toBe('#GP');
    const old = new Bench({ features: ['xsave', 'avx'] });
    old.cpu.setGpr(1, 1n);
    expect(old.run('xgetbv')).toBe('#GP');
    b.cpu.cr4 &= ~BigInt(CR4.OSXSAVE);
    expect(b.run('xgetbv')).toBe('#UD');
  });
});

describe('XSETBV', () => {
  it.each([
    [1n, 'ok'],
    [3n, 'ok'],
    [7n, 'ok'],
    [0n, '#GP'],
    [2n, '#GP'],
    [5n, '#GP'],
    [9n, '#GP'],
    [0x1_0000_0001n, '#GP'],
  ] as const)('of %i', (value, expected) => {
    const b = new Bench();
    b.cpu.setGpr(1, 0n);
    expect(b.run('xsetbv', value)).toBe(expected);
    if (expected === 'ok') expect(b.cpu.u64(L.XCR0)).toBe(value);
  });
  it('needs CPL 0, register 0 and, for AVX, the feature', () => {
    expect(new Bench({ cpl: 3 }).run('xsetbv', 7n)).toBe('#GP');
    const b = new Bench();
    b.cpu.setGpr(1, 1n);
    expect(b.run('xsetbv', 7n)).toBe('#GP');
    const noAvx = new Bench({ features: ['xsave'] });
    noAvx.cpu.setGpr(1, 0n);
    expect([noAvx.run('xsetbv', 7n), noAvx.run('xsetbv', 3n)]).toEqual(['#GP', 'ok']);
  });
});

describe('CPUID leaf 0DH', () => {
  it('describes areas and components', () => {
    const b = new Bench();
    expect(cpuid(b.cpu, 0xd, 0)).toEqual({ eax: 7, ebx: 832, ecx: 832, edx: 0 });
    expect(cpuid(b.cpu, 0xd, 1)).toEqual({ eax: 15, ebx: 832, ecx: 0, edx: 0 });
    expect(cpuid(b.cpu, 0xd, 2)).toEqual({ eax: 256, ebx: 576, ecx: 0, edx: 0 });
    expect(cpuid(b.cpu, 0xd, 3)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
    b.cpu.setU64(L.XCR0, 3n);
    expect([cpuid(b.cpu, 0xd, 0).ebx, cpuid(b.cpu, 0xd, 1).ebx]).toEqual([576, 576]);
  });
});

describe('IA32_XSS', () => {
  it('exists with XSAVES, and has no bit that can be set: no supervisor component is built', () => {
    const b = new Bench();
    expect(readMsr(b.cpu, 0xda0)).toBe(0n);
    writeMsr(b.cpu, 0xda0, 0n);
    expect(() => writeMsr(b.cpu, 0xda0, 0x100n)).toThrow();
    const without = new Bench({ features: FULL.filter((f) => f !== 'xsaves') });
    expect(() => readMsr(without.cpu, 0xda0)).toThrow();
  });
});
