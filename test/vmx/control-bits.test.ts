/** Every bit of every control word on every model, and every feature taken away: generated from features.ts. */
import { describe, expect, it } from 'vitest';
import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { allowedSettings, vmxCapabilityMsr } from '../../src/machine/vmx/capabilities.ts';
import { controlChecks } from '../../src/machine/vmx/checks/index.ts';
import { entryContext, firstViolation } from '../../src/machine/vmx/checks/check.ts';
import { DEFAULT1, Primary } from '../../src/machine/vmx/controls.ts';
import { hasVmxFeature, offeredVmxFeatures, vmxFeatures, type VmxFeatureName } from '../../src/machine/vmx/features.ts';
import { fieldExists, fields } from '../../src/machine/vmx/fields.ts';
import { lastFailure } from '../../src/machine/vmx/failure.ts';
import { controlWords, Rig } from './rig.ts';

describe.each(cpuModels.map((m) => [m.name, m] as const))('%s', (name, model) => {
  const rig = new Rig(name).ready();
  const pristine = new Map(fields.map((f) => [f, rig.vmcs.read(f)]));
  const reset = (): void => {
    for (const [f, v] of pristine) rig.vmcs.write(f, v);
  };

  describe.each(controlWords)('%s controls', (word, field) => {
    const { must, may } = allowedSettings(model, word);
    const bits = Array.from({ length: 32 }, (_, n) => (1 << n) >>> 0);

    it.each(bits.filter((b) => (may & b) === 0).map((b) => [b.toString(16), b] as const))('bit %s is not offered and must be 0', (_, bit) => {
      reset();
      if (word === 'secondary') rig.primary(Primary.activateSecondaryControls);
      rig.bits(field, BigInt(bit));
      expect(rig.launch()).toBe('VMfail 7');
      expect(lastFailure(rig.cpu)!.rule).toBe(`control.${word}-must-be-0`);
    });

    it.each(bits.filter((b) => (must & b) !== 0).map((b) => [b.toString(16), b] as const))('bit %s must be 1', (_, bit) => {
      reset();
      rig.bits(field, 0, BigInt(bit));
      expect(rig.launch()).toBe('VMfail 7');
      expect(lastFailure(rig.cpu)!.rule).toBe(`control.${word}-must-be-1`);
    });

    it.each(bits.filter((b) => (may & ~must & b) !== 0).map((b) => [b.toString(16), b] as const))('bit %s may be either', (_, bit) => {
      for (const on of [true, false]) {
        reset();
        rig.bits(field, on ? BigInt(bit) : 0, on ? 0 : BigInt(bit));
        const row = firstViolation(controlChecks, entryContext(rig.cpu, rig.vmcs));
        expect(row?.id ?? '').not.toMatch(/must-be/);
      }
    });
  });
});

const skylake = cpuModels.at(-1)!;
const offered = vmxFeatures.filter((f) => offeredVmxFeatures(skylake).has(f.name));

describe.each(offered.map((f) => [f.name, f] as const))('--cpu skylake,-%s', (name, feature) => {
  const model = parseCpuModel(`skylake,-${name}`);

  it('takes away the feature and what needs it, and nothing else', () => {
    expect(hasVmxFeature(model, name as VmxFeatureName)).toBe(false);
    const needs = (f: (typeof vmxFeatures)[number]): boolean =>
      f.name === name || [f.needs ?? []].flat().some((n) => needs(vmxFeatures.find((g) => g.name === n)!));
    // A name that CPUID uses too takes both away.
    const cpu = (f: (typeof vmxFeatures)[number]): boolean => f.cpu === name || [f.needs ?? []].flat().some((n) => cpu(vmxFeatures.find((g) => g.name === n)!)); // prettier-ignore
    const gone = offered.filter((f) => !offeredVmxFeatures(model).has(f.name)).map((f) => f.name);
    expect(gone.sort()).toEqual(offered.filter((f) => needs(f) || cpu(f)).map((f) => f.name).sort()); // prettier-ignore
  });

  it('no capability MSR reports it', () => {
    const { control } = feature;
    if (control && (feature.name === 'true-controls' || name !== 'secondary-controls')) {
      const at = { pin: 0x481, primary: 0x482, exit: 0x483, entry: 0x484, secondary: 0x48b }[control.word];
      const fixed = allowedSettings(model, control.word, false).must & control.mask;
      expect((Number(vmxCapabilityMsr(model, at)! >> 32n) & control.mask) >>> 0).toBe((fixed & control.mask) >>> 0);
    }
    expect((vmxCapabilityMsr(model, 0x48c) ?? 0n) & (feature.eptVpidCap ?? 0n)).toBe(0n);
    expect((vmxCapabilityMsr(model, 0x491) ?? 0n) & (feature.vmFunction ?? 0n)).toBe(0n);
  });

  const { control } = feature;
  const alwaysOne = control !== undefined && (DEFAULT1[control.word] & control.mask) !== 0;
  if (control !== undefined && !alwaysOne && name !== 'secondary-controls' && name !== 'host-address-space-size' && name !== 'ia32e-mode-guest') {
    it('its control must be 0', () => {
      const rig = new Rig(model).ready();
      if (control.word === 'secondary') rig.primary(Primary.activateSecondaryControls);
      rig.bits(controlWords.find(([w]) => w === control.word)![1], BigInt(control.mask >>> 0));
      expect(rig.launch()).toBe('VMfail 7');
      expect(lastFailure(rig.cpu)!.rule).toBe(`control.${control.word}-must-be-0`);
    });
  }

  it('fields that only it needs do not exist', () => {
    for (const f of fields) if (f.features.length === 1 && f.features[0] === name) expect(fieldExists(model, f), f.title).toBe(false);
  });
});
