import { describe, expect, it } from 'vitest';
import { CR4 } from '../../src/machine/cpu/cpu.ts';
import { cpuid } from '../../src/machine/cpu/cpuid.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { consistent } from '../../src/machine/cpu/models/dependencies.ts';
import { cpuidBits } from '../../src/machine/cpu/models/cpuid-bits.ts';
import { cpuModel, cpuModels, DEFAULT_CPU_MODEL } from '../../src/machine/cpu/models/index.ts';
import { resetMsrs } from '../../src/machine/cpu/msr.ts';
import { hasVmxFeature, vmxFeatures } from '../../src/machine/vmx/features.ts';
import { fakeMachine } from '../support/fake-machine.ts';

const ascii = (...registers: number[]): string =>
  registers.map((r) => String.fromCharCode(r & 0xff, (r >>> 8) & 0xff, (r >>> 16) & 0xff, r >>> 24)).join('');

function cpuOf(model: string, cpus = 1, index = 0) {
  const machine = fakeMachine({ model, cpus });
  for (const cpu of machine.cpus) resetMsrs(cpu);
  return machine.cpus[index]!;
}

describe.each(cpuModels.map((m) => m.name))('%s', (name) => {
  it('says who it is', () => {
    const cpu = cpuOf(name);
    const vendor = cpuid(cpu, 0, 0);
    expect(ascii(vendor.ebx, vendor.edx, vendor.ecx)).toBe('GenuineIntel');
    expect(vendor.eax).toBe(cpu.model.maxLeaf);
    const brand = [2, 3, 4].map((n) => cpuid(cpu, 0x8000_0000 + n, 0));
    expect(ascii(...brand.flatMap((r) => [r.eax, r.ebx, r.ecx, r.edx])).replaceAll('\0', '')).toBe(cpu.model.brand);
    expect(cpu.model.brand.length).toBeLessThan(48);
  });

  it('offers only what is built, each by a name with a place', () => {
    const { model } = cpuOf(name);
    const built = new Set(cpuidBits.filter((r) => r.built).map((r) => r.feature));
    expect([...model.features].filter((f) => !built.has(f))).toEqual([]);
    const vmx = new Set(vmxFeatures.map((f) => f.name));
    expect([...model.vmx.features].filter((f) => !vmx.has(f))).toEqual([]);
  });

  it('has what every x86-64 system assumes', () => {
    const cpu = cpuOf(name);
    const leaf1 = cpuid(cpu, 1, 0);
    expect(leaf1.edx & 0x0700_a171).toBe(0x0700_a171); // SSE2 SSE FXSR CMOV PGE CX8 PAE MSR TSC FPU
    expect(leaf1.ecx & 0x8000_0000, 'hypervisor bit').toBe(0);
    expect(leaf1.ecx & (1 << 5), 'VMX').toBe(1 << 5);
    expect(leaf1.ecx & 0x8_0201, 'SSE4.1, SSSE3, SSE3').toBe(0x8_0201);
    expect(leaf1.ecx & (1 << 27), 'OSXSAVE').toBe(0);
    // What needs something else is not offered without it.
    expect(consistent(cpu.model.features)).toEqual(cpu.model.features);
    const extended = cpuid(cpu, 0x8000_0001, 0);
    expect(extended.edx & 0x2010_0800).toBe(0x2010_0800); // LM NX SYSCALL
    expect(cpuid(cpu, 0x8000_0007, 0).edx).toBe(0x100);
  });
});

describe('what sets the models apart', () => {
  it.each<
    [model: string, signature: number, leaf1Ecx: number, leaf7Ebx: number, extendedEdx: number, address: number, ept: boolean, unrestricted: boolean]
  >([
    ['penryn', 0x1067a, 0x408_2229, 0, 0x2010_0800, 0x3024, false, false],
    ['nehalem', 0x106a5, 0xb8_2229, 0, 0x2810_0800, 0x3024, true, false],
    ['sandybridge', 0x206d7, 0x17ba_222b, 0, 0x2c10_0800, 0x302e, true, true],
    ['haswell', 0x306c3, 0x77fa_b22b, 0x27ab, 0x2c10_0800, 0x3027, true, true],
    ['skylake', 0x506e3, 0x77fa_b22b, 0x9c_67ab, 0x2c10_0800, 0x3027, true, true],
  ])('%s', (name, signature, leaf1Ecx, leaf7Ebx, extendedEdx, address, ept, unrestricted) => {
    const cpu = cpuOf(name);
    expect(cpuid(cpu, 1, 0).eax.toString(16)).toBe(signature.toString(16));
    expect(cpuid(cpu, 1, 0).ecx.toString(16)).toBe(leaf1Ecx.toString(16));
    expect(cpuid(cpu, 7, 0).ebx.toString(16)).toBe(leaf7Ebx.toString(16));
    expect(cpuid(cpu, 0x8000_0001, 0).edx.toString(16)).toBe(extendedEdx.toString(16));
    expect(cpuid(cpu, 0x8000_0008, 0).eax.toString(16)).toBe(address.toString(16));
    expect(hasVmxFeature(cpu.model, 'ept')).toBe(ept);
    expect(hasVmxFeature(cpu.model, 'vpid')).toBe(ept);
    expect(hasVmxFeature(cpu.model, 'unrestricted-guest')).toBe(unrestricted);
  });

  it('the default is skylake', () => {
    expect(DEFAULT_CPU_MODEL).toBe(cpuModel('Skylake'));
    expect(cpuModel('pentium')).toBeUndefined();
  });
});

describe('leaves', () => {
  it('01H follows CR4.OSXSAVE and the APIC enable bit', () => {
    const cpu = cpuOf('skylake');
    expect((cpuid(cpu, 1, 0).ecx >>> 27) & 1).toBe(0);
    cpu.cr4 = BigInt(CR4.OSXSAVE);
    expect((cpuid(cpu, 1, 0).ecx >>> 27) & 1).toBe(1);
    expect((cpuid(cpu, 1, 0).edx >>> 9) & 1).toBe(1);
    cpu.setU64(L.APIC_BASE, 0xfee0_0000n);
    expect((cpuid(cpu, 1, 0).edx >>> 9) & 1).toBe(0);
  });

  it.each([
    [1, 0, 0x0001_0800, 0],
    [2, 1, 0x0102_0800, 1],
    [3, 2, 0x0204_0800, 2],
    [4, 3, 0x0304_0800, 2],
  ])('01H and 0BH with %i CPUs, CPU %i', (cpus, index, ebx, bits) => {
    const cpu = cpuOf('skylake', cpus, index);
    expect(cpuid(cpu, 1, 0).ebx.toString(16)).toBe(ebx.toString(16));
    expect((cpuid(cpu, 1, 0).edx >>> 28) & 1).toBe(cpus > 1 ? 1 : 0);
    expect(cpuid(cpu, 0xb, 0)).toEqual({ eax: 0, ebx: 1, ecx: 0x100, edx: index });
    expect(cpuid(cpu, 0xb, 1)).toEqual({ eax: bits, ebx: cpus, ecx: 0x201, edx: index });
    expect(cpuid(cpu, 0xb, 2)).toEqual({ eax: 0, ebx: 0, ecx: 2, edx: index });
  });

  it('04H enumerates caches up to a null one', () => {
    const cpu = cpuOf('nehalem', 4);
    expect([0, 1, 2, 3, 4].map((n) => cpuid(cpu, 4, n).eax & 0xff)).toEqual([0x21, 0x22, 0x43, 0x63, 0]);
    expect(cpuid(cpu, 4, 0).eax >>> 26).toBe(3);
    const size = (n: number): number => (((cpuid(cpu, 4, n).ebx >>> 22) + 1) * (cpuid(cpu, 4, n).ecx + 1) * 64) >> 10;
    expect([0, 1, 2, 3].map(size)).toEqual([32, 32, 256, 8192]);
  });

  it('beyond the highest basic leaf the highest one answers', () => {
    const cpu = cpuOf('nehalem');
    expect(cpuid(cpu, 0x7fff_ffff, 1)).toEqual(cpuid(cpu, 0xb, 1));
    expect(cpuid(cpu, 0x8000_0009, 1)).toEqual(cpuid(cpu, 0xb, 1));
    expect(cpuid(cpu, 0x4000_0000, 1)).toEqual(cpuid(cpu, 0xb, 1));
  });

  it('05H: MONITOR watches 64 bytes, and interrupts break MWAIT even when masked', () => {
    expect(cpuid(cpuOf('skylake'), 5, 0)).toEqual({ eax: 64, ebx: 64, ecx: 3, edx: 0 });
  });

  it.each([3, 6, 0x8000_0005])('%i is all zero', (leaf) => {
    expect(cpuid(cpuOf('skylake'), leaf, 0)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
  });
});
