import { describe, expect, it } from 'vitest';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import { CpuModelError, parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { hasVmxFeature } from '../../src/machine/vmx/features.ts';

describe('--cpu', () => {
  it('a plain name is the model itself', () => {
    expect(parseCpuModel('penryn')).toBe(cpuModel('penryn'));
    expect(parseCpuModel(' Penryn ')).toBe(cpuModel('penryn'));
  });

  it('takes features away and adds them, leaving the model as it was', () => {
    const model = parseCpuModel('skylake,-smap,-unrestricted-guest,+umip');
    expect([model.features.has('smap'), model.features.has('umip')]).toEqual([false, true]);
    expect(hasVmxFeature(model, 'unrestricted-guest')).toBe(false);
    expect(hasVmxFeature(model, 'ept')).toBe(true);
    expect(cpuModel('skylake')!.features.has('smap')).toBe(true);
  });

  it('what needs a feature goes with it', () => {
    const model = parseCpuModel('skylake,-avx');
    expect(['avx', 'avx2', 'fma', 'f16c', 'bmi1', 'xsave'].filter((f) => model.features.has(f))).toEqual(['bmi1', 'xsave']);
    expect(parseCpuModel('nehalem,+xsave,+avx,+avx2').features.has('avx2')).toBe(true);
  });

  it('a VMX feature goes with the one it needs', () => {
    expect(hasVmxFeature(parseCpuModel('haswell,-ept'), 'invept')).toBe(false);
  });

  it('a name that is both a CPUID and a VMX feature changes both', () => {
    const model = parseCpuModel('skylake,-rdtscp');
    expect([model.features.has('rdtscp'), model.vmx.features.has('rdtscp')]).toEqual([false, false]);
  });

  it.each([
    ['', /^unknown CPU model ''/],
    ['penrin', /^unknown CPU model 'penrin'; did you mean penryn\? \(models: penryn, nehalem, sandybridge, haswell, skylake, max\)$/],
    ['zen', /^unknown CPU model 'zen' \(models: /],
    ['skylake,smap', /^'smap' in --cpu skylake,smap: write \+smap to add or -smap to take away a feature$/],
    ['skylake,', /^'' in --cpu skylake,: /],
    ['skylake,-smpa', /^unknown CPU feature 'smpa'; did you mean smap\?$/],
    ['skylake,-unrestricted_guest', /did you mean unrestricted-guest\?$/],
    ['skylake,-frobnicate', /^unknown CPU feature 'frobnicate'$/],
    ['skylake,+psn', /^CPU feature 'psn' is not built and cannot be added$/],
    ['nehalem,+avx2', /^CPU feature 'avx2' needs 'avx': write \+avx,\+avx2$/],
  ])('%s', (text, message) => {
    expect(() => parseCpuModel(text)).toThrow(CpuModelError);
    expect(() => parseCpuModel(text)).toThrow(message);
  });
});
