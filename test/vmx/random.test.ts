import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lastFailure } from '../../src/machine/vmx/failure.ts';
import { fields } from '../../src/machine/vmx/fields.ts';
import { insn, Rig } from './rig.ts';

/** Values that tend to matter: single bits, all ones, small numbers, noise. */
const value = fc.oneof(
  fc.bigInt({ min: 0n, max: 63n }).map((n) => 1n << n),
  fc.constantFrom(0n, 1n, 0xffffn, 0xffff_ffffn, 0xffff_ffff_ffff_ffffn),
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
);
const mutations = fc.array(fc.tuple(fc.nat({ max: fields.length - 1 }), value, fc.boolean()), { minLength: 1, maxLength: 6 });

it('a VM entry with random fields runs the guest or fails by a named rule; the host never throws', () => {
  const rig = new Rig();
  const pristine = rig.ready().machine.linear.u8.slice();
  fc.assert(
    fc.property(mutations, (changes) => {
      rig.machine.linear.u8.set(pristine);
      rig.cpu.guest = null;
      for (const [n, v, flip] of changes) rig.set(fields[n]!, flip ? rig.get(fields[n]!) ^ v : v);
      const outcome = rig.launch();
      if (outcome === 'ok') {
        expect(rig.cpu.guest).not.toBeNull();
        expect(rig.run(insn('cpuid'))).toMatch(/^exit 10$/);
      } else if (!outcome.startsWith('exit')) {
        expect(outcome).toMatch(/^(VMfail [78]|entry failure 3[34])$/);
        expect(lastFailure(rig.cpu)!.rule).not.toBe('');
      }
      expect(rig.cpu.guest).toBeNull();
    }),
    { numRuns: 500, seed: 20240 },
  );
});
