import { describe, expect, it } from 'vitest';
import { VmxMode } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { cpuid } from '../../src/machine/cpu/cpuid.ts';
import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import { msrs, MsrSlot, readMsr, registerMsr, resetMsrs, setMsrSlot, writeMsr } from '../../src/machine/cpu/msr.ts';
import { vmxCapabilityMsr } from '../../src/machine/vmx/capabilities.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { fakeMachine } from '../support/fake-machine.ts';

function setUp(model = 'skylake', cpus = 1) {
  const machine = fakeMachine({ model, cpus });
  for (const cpu of machine.cpus) resetMsrs(cpu);
  return { machine, cpu: machine.cpu };
}

function outcome(f: () => void): string {
  try {
    f();
    return 'ok';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return `${e.vector}(${e.errorCode})`;
  }
}
const GP = '13(0)';

it('no two rows claim an index, and no two registers a slot', () => {
  expect(new Set(msrs.map((m) => m.index)).size).toBe(msrs.length);
  const { cpu } = setUp();
  // Writing one register changes no other, but for those that show the counters in another way.
  const views = /^IA32_(A_PMC\d|PERF_GLOBAL_(STATUS|STATUS_SET|INUSE))$/;
  const before = new Map(msrs.map((m) => [m.index, m.read(cpu)]));
  for (const m of msrs) {
    const old = m.read(cpu);
    if (!m.write || m.index === 0xc000_0080 || m.index === 0x10 || m.index === 0x3b || views.test(m.name)) continue;
    if (outcome(() => m.write!(cpu, old ^ 1n)) !== 'ok') continue;
    for (const other of msrs)
      if (other !== m && !views.test(other.name)) expect(other.read(cpu), `${m.name} changes ${other.name}`).toBe(before.get(other.index));
    before.set(m.index, m.read(cpu));
  }
});

it('every row cites its section', () => {
  for (const m of msrs) expect(m.section, m.name).toMatch(/^SDM Vol\. [1-4], ./);
});

describe('power-on values', () => {
  it.each<[string, number, bigint]>([
    ['IA32_APIC_BASE', 0x1b, 0xfee0_0900n],
    ['IA32_FEATURE_CONTROL: locked, VMX outside SMX', 0x3a, 5n],
    ['IA32_PAT', 0x277, 0x0007_0406_0007_0406n],
    ['IA32_MTRRCAP', 0xfe, 0x508n],
    ['IA32_MTRR_DEF_TYPE', 0x2ff, 0n],
    ['IA32_EFER', 0xc000_0080, 0n],
    ['IA32_MISC_ENABLE', 0x1a0, 0x4_1881n],
    ['IA32_SYSENTER_CS', 0x174, 0n],
  ])('%s', (name, index, expected) => {
    expect(readMsr(setUp().cpu, index).toString(16), name).toBe(expected.toString(16));
  });

  it('the VMX capabilities come from vmx/', () => {
    const { cpu } = setUp();
    expect(readMsr(cpu, 0x480)).toBe(vmxCapabilityMsr(cpu.model, 0x480));
  });

  it('only CPU 0 is the bootstrap processor', () => {
    const { machine } = setUp('skylake', 2);
    expect(machine.cpus.map((c) => (readMsr(c, 0x1b) >> 8n) & 1n)).toEqual([1n, 0n]);
  });
});

describe('reads that fault', () => {
  it.each<[string, number, string]>([
    ['unknown', 0x1234_5678, 'skylake'],
    ['HWCR of AMD, which BitVisor probes', 0xc001_0010, 'skylake'],
    ['x2APIC without it', 0x802, 'penryn'],
    ['TSC_AUX without RDTSCP', 0xc000_0103, 'penryn'],
    ['TSC_ADJUST without it', 0x3b, 'nehalem'],
    ['EPT capabilities without EPT', 0x48c, 'penryn'],
    ['beyond the VMX capabilities', 0x4ff, 'skylake'],
  ])('%s', (_, index, model) => {
    expect(outcome(() => readMsr(setUp(model).cpu, index))).toBe(GP);
    expect(outcome(() => writeMsr(setUp(model).cpu, index, 0n))).toBe(GP);
  });

  it('x2APIC mode without it', () => {
    expect(outcome(() => writeMsr(setUp('penryn').cpu, 0x1b, 0xfee0_0d00n))).toBe(GP);
  });

  it('VMX registers without VMX', () => {
    const base = cpuModels[0]!;
    const { cpu } = fakeMachine({ model: { ...base, features: new Set([...base.features].filter((f) => f !== 'vmx')) } });
    expect([outcome(() => readMsr(cpu, 0x3a)), outcome(() => readMsr(cpu, 0x480))]).toEqual([GP, GP]);
  });
});

describe('IA32_MISC_ENABLE: SDM Vol. 4, table 2-2', () => {
  it('keeps its writable bits; the others read as they are', () => {
    const { cpu } = setUp();
    writeMsr(cpu, 0x1a0, 0x4_00c5_0809n);
    expect(readMsr(cpu, 0x1a0)).toBe(0x4_00c5_1889n);
    writeMsr(cpu, 0x1a0, (1n << 64n) - 1n);
    expect(readMsr(cpu, 0x1a0)).toBe(0x4_00c5_1889n);
    writeMsr(cpu, 0x1a0, 0n);
    expect(readMsr(cpu, 0x1a0)).toBe(0x1880n);
  });
  it.each([
    ['limit CPUID', 1n << 22n, 0, 'eax', 0xffff_ffff, 2],
    ['no MONITOR', -1n << 18n, 1, 'ecx', 8, 0],
    ['no XD', 1n << 34n, 0x8000_0001, 'edx', 1 << 20, 0],
  ] as const)('%s', (_, bit, leaf, register, mask, expected) => {
    const { cpu } = setUp();
    const before = readMsr(cpu, 0x1a0);
    expect(cpuid(cpu, leaf, 0)[register] & mask).not.toBe(expected);
    writeMsr(cpu, 0x1a0, bit < 0n ? before & ~(1n << 18n) : before | bit);
    expect(cpuid(cpu, leaf, 0)[register] & mask).toBe(expected);
  });
  it('without XD, EFER.NXE cannot be set', () => {
    const { cpu } = setUp();
    writeMsr(cpu, 0x1a0, 1n << 34n);
    expect(outcome(() => writeMsr(cpu, 0xc000_0080, 0x800n))).toBe(GP);
  });
});

it('a processor with LA57 takes bases of 57 bits, whatever CR4.LA57 is', () => {
  const base = 0x00aa_aaaa_aaaa_aaaan;
  for (const index of [0xc000_0100, 0xc000_0082, 0x176]) {
    expect(outcome(() => writeMsr(setUp().cpu, index, base))).toBe(GP);
    const { cpu } = fakeMachine({ model: parseCpuModel('skylake,+la57') });
    expect(outcome(() => writeMsr(cpu, index, base))).toBe('ok');
    expect(outcome(() => writeMsr(cpu, index, base << 1n))).toBe(GP);
  }
});

describe('writes', () => {
  it.each<[string, number, bigint, string]>([
    ['FEATURE_CONTROL is locked', 0x3a, 0n, GP],
    ['VMX capability', 0x480, 0n, GP],
    ['MTRRCAP', 0xfe, 0x508n, GP],
    ['LSTAR', 0xc000_0082, 0xffff_8000_0000_0000n, 'ok'],
    ['LSTAR, non-canonical', 0xc000_0082, 0x8000_0000_0000n, GP],
    ['KERNEL_GS_BASE, non-canonical', 0xc000_0102, 0x8000_0000_0000n, GP],
    ['FS_BASE', 0xc000_0100, 0x7fff_ffff_ffffn, 'ok'],
    ['FS_BASE, non-canonical', 0xc000_0100, 0x8000_0000_0000n, GP],
    ['SYSENTER_EIP, non-canonical', 0x176, 0x8000_0000_0000n, GP],
    ['FMASK above 32 bits', 0xc000_0084, 1n << 32n, GP],
    ['EFER, reserved bit', 0xc000_0080, 2n, GP],
    ['PAT with UC-', 0x277, 0x0707_0707_0707_0707n, 'ok'],
    ['PAT, type 2', 0x277, 0x0000_0002_0000_0000n, GP],
    ['PAT, type 8', 0x277, 0x0800_0000_0000_0000n, GP],
    ['MTRR_DEF_TYPE, enabled, WB', 0x2ff, 0xc06n, 'ok'],
    ['MTRR_DEF_TYPE, bit 8', 0x2ff, 0x106n, GP],
    ['MTRR_DEF_TYPE, type 7', 0x2ff, 7n, GP],
    ['MTRR_PHYSBASE, WC', 0x200, 0xe000_0001n, 'ok'],
    ['MTRR_PHYSBASE, bit MAXPHYADDR', 0x200, 1n << 39n, GP],
    ['MTRR_PHYSBASE, bit 8', 0x200, 0x100n, GP],
    ['MTRR_PHYSMASK, valid', 0x20f, 0x7f_f000_0800n, 'ok'],
    ['MTRR_PHYSMASK, bit 10', 0x201, 0x400n, GP],
    ['MTRR_FIX4K', 0x26f, 0x0606_0606_0505_0505n, 'ok'],
    ['MTRR_FIX64K, type 3', 0x250, 3n, GP],
    ['APIC_BASE, moved', 0x1b, 0xfed0_0900n, 'ok'],
    ['APIC_BASE, bit 0', 0x1b, 0xfee0_0901n, GP],
    ['APIC_BASE, bit MAXPHYADDR', 0x1b, (1n << 39n) | 0xfee0_0900n, GP],
    ['TSC_AUX above 32 bits', 0xc000_0103, 1n << 32n, GP],
    ['DEBUGCTL, reserved bit', 0x1d9, 4n, GP],
    ['MCG_CAP', 0x179, 0n, GP],
    ['BIOS_SIGN_ID', 0x8b, 0n, 'ok'],
  ])('%s', (_, index, value, expected) => {
    const { cpu } = setUp();
    const before = readMsr(cpu, index);
    expect(outcome(() => writeMsr(cpu, index, value))).toBe(expected);
    expect(readMsr(cpu, index)).toBe(expected === 'ok' && index !== 0x8b ? value : before);
  });

  it('FEATURE_CONTROL before it is locked', () => {
    const { cpu } = setUp();
    setMsrSlot(cpu, MsrSlot.featureControl, 0n);
    writeMsr(cpu, 0x3a, 4n);
    expect(outcome(() => writeMsr(cpu, 0x3a, 2n))).toBe(GP);
    writeMsr(cpu, 0x3a, 5n);
    expect(outcome(() => writeMsr(cpu, 0x3a, 5n))).toBe(GP);
  });

  it('FS and GS bases are those of the segments', () => {
    const { cpu } = setUp();
    writeMsr(cpu, 0xc000_0101, 0x1234n);
    expect(cpu.segments[L.GS]!.base).toBe(0x1234n);
  });
});

describe('time-stamp counter', () => {
  it('runs with the clock, is adjusted by writes and offset in VMX non-root operation', () => {
    const { machine, cpu } = setUp();
    machine.clock.advance(1000);
    expect(readMsr(cpu, 0x10)).toBe(1000n);
    writeMsr(cpu, 0x10, 5n);
    machine.clock.advance(10);
    expect([readMsr(cpu, 0x10), BigInt.asIntN(64, readMsr(cpu, 0x3b))]).toEqual([15n, -995n]);
    writeMsr(cpu, 0x3b, 0n);
    expect(readMsr(cpu, 0x10)).toBe(1010n);
    cpu.setU64(L.TSC_OFFSET, -10n);
    expect(readMsr(cpu, 0x10)).toBe(1010n);
    cpu.setU32(L.VMX_MODE, VmxMode.nonRoot);
    expect(readMsr(cpu, 0x10)).toBe(1000n);
  });
});

it('a device adds registers to its machine only', () => {
  const { machine, cpu } = setUp();
  let value = 7n;
  const msr = {
    index: 0x6e0,
    name: 'IA32_TSC_DEADLINE',
    section: 'SDM Vol. 3, 11.5.4.1',
    read: () => value,
    write: (_: unknown, v: bigint) => void (value = v),
  };
  registerMsr(machine, msr);
  writeMsr(cpu, 0x6e0, 9n);
  expect(readMsr(cpu, 0x6e0)).toBe(9n);
  expect(outcome(() => readMsr(setUp().cpu, 0x6e0))).toBe(GP);
  expect(() => registerMsr(machine, msr)).toThrow('registered already');
});
