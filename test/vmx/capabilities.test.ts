import { describe, expect, it } from 'vitest';
import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import { allowedSettings, capabilityMsrs, vmxCapabilityMsr } from '../../src/machine/vmx/capabilities.ts';
import { DEFAULT1, Entry, Exit, Pin, Primary, Secondary, TRUE_CLEARABLE, type ControlWord } from '../../src/machine/vmx/controls.ts';
import { hasVmxFeature, vmxFeatures, vmxFeaturesOf } from '../../src/machine/vmx/features.ts';
import { notOffered } from '../../src/machine/vmx/not-offered.ts';
import { fields, REVISION_ID, VMCS_SIZE } from '../../src/machine/vmx/fields.ts';

const model = (name: string): CpuModel => cpuModels.find((m) => m.name === name)!;
const bit = (value: bigint | undefined, n: number): boolean => ((value! >> BigInt(n)) & 1n) === 1n;

describe('feature rows', () => {
  it.each([
    [
      'penryn',
      ['ept', 'vpid', 'unrestricted-guest', 'true-controls', 'save-efer', 'invept'],
      ['tpr-shadow', 'msr-bitmaps', 'secondary-controls', 'virtual-nmis'],
    ],
    ['nehalem', ['unrestricted-guest', 'ept-1g', 'ept-ad'], ['ept', 'vpid', 'true-controls', 'ept-2m', 'exit-load-efer']],
    ['sandybridge', ['ept-ad', 'vmwrite-any-field'], ['unrestricted-guest', 'ept-1g']],
    ['skylake', [], ['ept-ad', 'ept-execute-only', 'vmwrite-any-field', 'zero-length-injection']],
  ] as const)('%s', (name, absent, present) => {
    for (const f of absent) expect(hasVmxFeature(model(name), f), f).toBe(false);
    for (const f of present) expect(hasVmxFeature(model(name), f), f).toBe(true);
  });

  it('each generation keeps what the one before had', () => {
    const names = ['penryn', 'nehalem', 'sandybridge', 'haswell', 'skylake'] as const;
    for (const [n, name] of names.slice(1).entries())
      for (const f of vmxFeaturesOf(names[n]!)) expect(vmxFeaturesOf(name).has(f), `${f} in ${name}`).toBe(true);
  });

  it('dropping a feature drops what needs it', () => {
    const features = new Set(model('skylake').vmx.features);
    features.delete('ept');
    const dropped: CpuModel = { ...model('skylake'), vmx: { features } };
    expect(hasVmxFeature(dropped, 'ept-1g')).toBe(false);
    expect(hasVmxFeature(dropped, 'invept')).toBe(false);
    expect(allowedSettings(dropped, 'secondary').may & Secondary.enableEpt).toBe(0);
  });

  it('every named control bit is offered by exactly one row', () => {
    const words: Readonly<Record<ControlWord, Readonly<Record<string, number>>>> = {
      pin: Pin,
      primary: Primary,
      secondary: Secondary,
      exit: Exit,
      entry: Entry,
    };
    for (const [word, names] of Object.entries(words)) {
      for (const [name, mask] of Object.entries(names)) {
        const owners = vmxFeatures.filter((f) => f.control?.word === word && f.control.mask === mask);
        const fixed = (DEFAULT1[word as ControlWord] & mask) !== 0;
        expect(owners.length, `${word} ${name}`).toBeLessThanOrEqual(1);
        expect(owners.length === 1 || fixed, `${word} ${name}`).toBe(true);
      }
    }
  });
});

describe.each(cpuModels.map((m) => [m.name, m] as const))('capability MSRs of %s', (name, m) => {
  it('IA32_VMX_BASIC', () => {
    const v = vmxCapabilityMsr(m, 0x480)!;
    expect(v & 0x7fff_ffffn).toBe(BigInt(REVISION_ID));
    expect((v >> 32n) & 0x1fffn).toBe(BigInt(VMCS_SIZE));
    expect((v >> 50n) & 15n).toBe(6n);
    expect(bit(v, 54)).toBe(true);
    expect(bit(v, 55)).toBe(name !== 'penryn');
    expect(bit(v, 49)).toBe(false);
  });

  it.each([
    ['pin', 0x481, 0x48d],
    ['primary', 0x482, 0x48e],
    ['exit', 0x483, 0x48f],
    ['entry', 0x484, 0x490],
  ] as const)('%s controls', (word, index, exact) => {
    const v = vmxCapabilityMsr(m, index)!;
    const must = Number(v & 0xffff_ffffn);
    const may = Number(v >> 32n);
    expect(must).toBe(DEFAULT1[word]);
    expect(must & ~may).toBe(0);
    const precise = vmxCapabilityMsr(m, exact);
    if (name === 'penryn') expect(precise).toBeUndefined();
    else {
      expect(Number(precise! >> 32n)).toBe(may);
      expect(Number(precise! & 0xffff_ffffn)).toBe((must & ~TRUE_CLEARABLE[word]) >>> 0);
    }
  });

  it('existence follows the features', () => {
    expect(vmxCapabilityMsr(m, 0x48c) === undefined).toBe(name === 'penryn');
    expect(vmxCapabilityMsr(m, 0x48b)).toBeDefined();
    expect(vmxCapabilityMsr(m, 0x491)).toBe(name === 'max' || name === 'haswell' || name === 'skylake' ? 1n : undefined);
    expect(vmxCapabilityMsr(m, 0x492)).toBeUndefined();
    expect(vmxCapabilityMsr(m, 0x47f)).toBeUndefined();
  });

  it('fixed bits: FIXED0 is a subset of FIXED1, VMXE must be 1', () => {
    for (const [zero, one] of [
      [0x486, 0x487],
      [0x488, 0x489],
    ] as const) {
      expect(vmxCapabilityMsr(m, zero)! & ~vmxCapabilityMsr(m, one)!).toBe(0n);
    }
    expect(vmxCapabilityMsr(m, 0x488)).toBe(0x2000n);
    expect(bit(vmxCapabilityMsr(m, 0x489), 17)).toBe(m.features.has('pcid'));
  });
});

it('IA32_VMX_EPT_VPID_CAP of skylake: execute-only, walk length 4, UC and WB, 2M, 1G, A/D, INVEPT and INVVPID with all types', () => {
  expect(vmxCapabilityMsr(model('skylake'), 0x48c)).toBe(0xf01_0673_4141n);
});

it('IA32_VMX_MISC: all activity states, 4 CR3 targets, 512 MSRs', () => {
  expect(vmxCapabilityMsr(model('penryn'), 0x485)).toBe(0x4_01c0n);
  expect(vmxCapabilityMsr(model('skylake'), 0x485)).toBe(0x6004_01e0n);
});

describe('field rows', () => {
  it('have distinct encodings, names and places inside the region', () => {
    for (const of of [fields.map((f) => f.encoding), fields.map((f) => f.name), fields.map((f) => f.offset)])
      expect(new Set<unknown>(of).size).toBe(fields.length);
    for (const f of fields) expect(f.offset >= 16 && f.offset + 8 <= VMCS_SIZE, f.name).toBe(true);
  });

  // SDM Vol. 3, 25.11.2, table 25-21: width in bits 14:13, type in bits 11:10.
  it.each(fields.map((f) => [f.title, f] as const))('%s: the encoding tells width and class', (_, f) => {
    expect([16, 64, 32, 'natural'][(f.encoding >> 13) & 3]).toBe(f.width);
    expect(['control', 'exit', 'guest', 'host'][(f.encoding >> 10) & 3]).toBe(f.class);
    expect(f.encoding & 0x9001).toBe(0);
  });
});

it('all capability MSRs have names', () => {
  for (const msr of capabilityMsrs.values()) expect(msr.name).toMatch(/^IA32_VMX_/);
});

describe('the inventory of a Skylake server processor', () => {
  /** Allowed 1-settings of its TRUE capability MSRs, IA32_VMX_PROCBASED_CTLS2 and IA32_VMX_MISC. */
  const server = {
    pin: 0xff,
    primary: 0xfff9_fffe,
    secondary: 0x25f_ffff & ~(1 << 21),
    exit: 0x1ff_ffff,
    entry: 0x3_ffff,
    misc: 0x7004_c1e7,
  } as const;
  const skylake = model('skylake');

  it.each(['pin', 'primary', 'secondary', 'exit', 'entry'] as const)('%s controls: built or explained', (word) => {
    let may = allowedSettings(skylake, word).may;
    for (const n of notOffered) if (n.word === word) may |= 1 << n.bit;
    expect((server[word] & ~may) >>> 0).toBe(0);
  });

  it('IA32_VMX_MISC', () => {
    let bits = Number(vmxCapabilityMsr(skylake, 0x485)) | 0x1f;
    for (const n of notOffered) if (n.word === 'misc') bits |= 1 << n.bit;
    expect((server.misc & ~bits) >>> 0).toBe(0);
  });

  it('nothing is both offered and explained away', () => {
    for (const n of notOffered)
      if (n.word !== 'misc') expect(allowedSettings(skylake, n.word).may & (1 << n.bit) & ~DEFAULT1[n.word], n.title).toBe(0);
  });
});
