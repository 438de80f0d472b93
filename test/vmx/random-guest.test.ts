import fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundary } from '../../src/machine/cpu/boundary.ts';
import { ABANDONED, GuestFault } from '../../src/machine/cpu/fault.ts';
import { cpuModels } from '../../src/machine/cpu/models/index.ts';
import { readLinear, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import { Pending } from '../../src/machine/cpu/layout.ts';
import { allowedSettings } from '../../src/machine/vmx/capabilities.ts';
import { Secondary } from '../../src/machine/vmx/controls.ts';
import { lastFailure } from '../../src/machine/vmx/failure.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { intercepts } from '../../src/machine/vmx/hooks.ts';
import { exitReasonName } from '../../src/machine/vmx/reasons.ts';
import { controlWords, insn, memory, Rig } from './rig.ts';

const names = [...intercepts.keys()];

/** Fields that controls refer to, at places that exist: so that most entries succeed. */
function support(rig: Rig): void {
  const at = 0x26_0000;
  for (const [n, f] of [F.pmlAddress, F.eptpListAddress, F.vmreadBitmap, F.vmwriteBitmap, F.veInfoAddress, F.apicAccessAddress, F.postedDescriptorAddress].entries()) rig.set(f, at + n * 4096); // prettier-ignore
  rig.set(F.vpid, 1);
  rig.set(F.pmlIndex, 3);
  rig.set(F.tscMultiplier, 1n << 48n);
  rig.set(F.preemptionTimer, 500);
  rig.set(F.pleGap, 10);
  rig.set(F.pleWindow, 50);
  const secondary = rig.get(F.secondaryControls);
  const primary = rig.get(F.primaryControls);
  if (rig.cpu.model.vmx.features.has('ept')) rig.ept({ pointerBits: rig.cpu.model.vmx.features.has('ept-ad') ? 0x40n : 0n });
  rig.set(F.primaryControls, primary);
  rig.set(F.secondaryControls, secondary);
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('instruction' as const), name: fc.constantFrom(...names), register: fc.nat(15), value: fc.bigInt(0n, (1n << 64n) - 1n), memory: fc.boolean() }), // prettier-ignore
  fc.record({ kind: fc.constant('event' as const), vector: fc.nat(31), code: fc.option(fc.nat(0xffff)) }),
  fc.record({ kind: fc.constant('pending' as const), bits: fc.constantFrom(Pending.nmi, Pending.init, Pending.interrupt, Pending.debug, 0) }),
  fc.record({ kind: fc.constant('time' as const), ticks: fc.nat(1000) }),
  fc.record({
    kind: fc.constant('access' as const),
    address: fc.constantFrom(0x26_5080, 0x26_50b0, 0x26_5300, 0x80_0000, 0x1_0000_0000),
    write: fc.boolean(),
  }),
);

/** One thing that happens to the guest; faults are delivered as the core delivers them. */
function perform(rig: Rig, s: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  const { cpu } = rig;
  if (s.kind === 'instruction') {
    cpu.setGpr(s.register, s.value);
    const operand = s.memory ? memory(0x20_8000, { reg: s.register }) : { reg: s.register & 7, rm: s.register };
    const outcome = rig.run(insn(s.name, operand));
    const fault = /^#(\d+)(?:\((\d+)\))?$/.exec(outcome);
    if (fault && cpu.guest)
      rig.event({ vector: Number(fault[1]), type: 'hardware', errorCode: fault[2] === undefined ? undefined : Number(fault[2]) });
  } else if (s.kind === 'event') rig.event({ vector: s.vector, type: 'hardware', errorCode: s.code ?? undefined });
  else if (s.kind === 'time') rig.machine.clock.advance(s.ticks);
  else if (s.kind === 'pending') cpu.raise(s.bits);
  else {
    try {
      if (s.write) writeLinear(cpu, BigInt(s.address), 4, 0x50n);
      else readLinear(cpu, BigInt(s.address), 4);
    } catch (e) {
      if (e instanceof GuestFault) rig.event({ vector: e.vector, type: 'hardware', errorCode: e.errorCode });
      else if (e !== ABANDONED) throw e;
    }
  }
  if (cpu.guest) boundary(cpu);
}

it('random controls of random models, random instructions, events and accesses: the guest runs, exits by a known reason, or its entry names a rule', () => {
  let entered = 0;
  let exited = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...cpuModels.filter((m) => m.features.has('vmx'))),
      fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(), fc.nat()),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      (model, random, steps) => {
        const rig = new Rig(model).ready();
        for (const [n, [word, field]] of controlWords.entries()) {
          const { must, may } = allowedSettings(model, word);
          // Few optional bits at once, or nearly every entry would be refused for their dependencies.
          const sparse = random[n]! & Math.imul(random[(n + 1) % 5]!, 0x9e37_79b1);
          rig.bits(field, BigInt((must | (may & sparse & ~Secondary.unrestrictedGuest)) >>> 0));
        }
        support(rig);
        const outcome = rig.launch();
        if (outcome !== 'ok') {
          expect(outcome).toMatch(/^(VMfail [78]|entry failure 3[34]|exit \d+)$/);
          if (!outcome.startsWith('exit')) expect(lastFailure(rig.cpu)!.rule).not.toBe('');
          return;
        }
        entered++;
        boundary(rig.cpu);
        for (const s of steps) if (rig.cpu.guest) perform(rig, s);
        if (rig.cpu.guest) return;
        exited++;
        const reason = rig.vmcs.num(F.exitReason);
        expect(exitReasonName(reason)).not.toMatch(/^REASON_/);
        expect(rig.cpu.rip).toBe(rig.get(F.hostRip));
      },
    ),
    { numRuns: 1500, seed: 20240 },
  );
  // The property says something only if guests ran.
  expect(entered).toBeGreaterThan(200);
  expect(exited).toBeGreaterThan(100);
}, 120_000);
