/** INIT, SIPI and NMI meet a processor in every mode and activity state, alone and together: SDM Vol. 3, 24.8, 26.2 and 26.3. */
import { describe, expect, it } from 'vitest';
import { boundary } from '../../src/machine/cpu/boundary.ts';
import { Activity, VmxMode } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { Pin } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, handlerOf, insn, Rig } from './rig.ts';

const { Pending: P } = L;
const SIPI = P.sipi | ((0x9a << 24) >>> 0);

type Mode = 'off' | 'root' | 'non-root';
type ActivityName = 'active' | 'HLT' | 'shutdown' | 'wait-for-SIPI';
const activities: Readonly<Record<ActivityName, number>> = { active: 0, HLT: 1, shutdown: 2, 'wait-for-SIPI': 3 };

function processor(mode: Mode, activity: ActivityName, nmiExiting: boolean): Rig {
  const rig = new Rig().ready();
  if (mode === 'off') rig.run(insn('vmxoff'));
  else if (mode === 'non-root') {
    rig.set(F.guestActivity, activities[activity]);
    rig.bits(F.pinControls, nmiExiting ? Pin.nmiExiting : 0);
    expect(rig.launch()).toBe('ok');
  }
  const { cpu } = rig;
  cpu.setU64(L.IDTR_BASE, BigInt(At.guestIdt));
  cpu.setU32(L.IDTR_LIMIT, 0xfff);
  cpu.setU64(L.GDTR_BASE, BigInt(At.guestGdt));
  cpu.setU32(L.GDTR_LIMIT, 0xff);
  cpu.rsp = BigInt(At.guestStack);
  cpu.activity = activities[activity];
  return rig;
}

/** What became of it, in a word. */
function outcome(rig: Rig, before: Mode): string {
  const { cpu } = rig;
  if (before === 'non-root' && !cpu.guest) return `exit ${rig.vmcs.num(F.exitReason)}`;
  if (cpu.realMode) return cpu.activity === Activity.active && cpu.segments[1]!.selector === 0x9a00 ? 'started' : 'reset';
  if (cpu.rip === handlerOf(2)) return 'NMI handler';
  return 'nothing';
}

interface Case {
  readonly mode: Mode;
  readonly activity: ActivityName;
  readonly signals: readonly ('INIT' | 'SIPI' | 'NMI')[];
  readonly nmiExiting?: boolean;
  readonly outcome: string;
  /** Signals that are still pending. */
  readonly kept?: number;
}

const cases: readonly Case[] = [
  // Outside VMX operation.
  { mode: 'off', activity: 'active', signals: ['INIT'], outcome: 'reset' },
  { mode: 'off', activity: 'HLT', signals: ['INIT'], outcome: 'reset' },
  { mode: 'off', activity: 'shutdown', signals: ['INIT'], outcome: 'reset' },
  { mode: 'off', activity: 'active', signals: ['SIPI'], outcome: 'nothing' },
  { mode: 'off', activity: 'HLT', signals: ['SIPI'], outcome: 'nothing' },
  { mode: 'off', activity: 'active', signals: ['NMI'], outcome: 'NMI handler' },
  { mode: 'off', activity: 'HLT', signals: ['NMI'], outcome: 'NMI handler' },
  // VMX root operation blocks INIT and ignores SIPIs (24.8).
  { mode: 'root', activity: 'active', signals: ['INIT'], outcome: 'nothing', kept: P.init },
  { mode: 'root', activity: 'HLT', signals: ['INIT'], outcome: 'nothing', kept: P.init },
  { mode: 'root', activity: 'active', signals: ['SIPI'], outcome: 'nothing' },
  { mode: 'root', activity: 'active', signals: ['NMI'], outcome: 'NMI handler' },
  { mode: 'root', activity: 'active', signals: ['INIT', 'NMI'], outcome: 'NMI handler', kept: P.init },
  { mode: 'root', activity: 'HLT', signals: ['NMI'], outcome: 'NMI handler' },
  // Non-root operation (26.2).
  ...(['active', 'HLT', 'shutdown'] as const).flatMap((activity): Case[] => [
    { mode: 'non-root', activity, signals: ['INIT'], outcome: 'exit 3' },
    { mode: 'non-root', activity, signals: ['INIT', 'NMI'], outcome: 'exit 3', kept: P.nmi },
    { mode: 'non-root', activity, signals: ['INIT', 'SIPI'], outcome: 'exit 3' },
    { mode: 'non-root', activity, signals: ['SIPI'], outcome: 'nothing' },
    { mode: 'non-root', activity, signals: ['SIPI', 'NMI'], nmiExiting: true, outcome: 'exit 0' },
    { mode: 'non-root', activity, signals: ['NMI'], nmiExiting: true, outcome: 'exit 0' },
  ]),
  { mode: 'non-root', activity: 'active', signals: ['NMI'], outcome: 'NMI handler' },
  { mode: 'non-root', activity: 'HLT', signals: ['NMI'], outcome: 'NMI handler' },
  { mode: 'non-root', activity: 'wait-for-SIPI', signals: ['INIT'], outcome: 'nothing', kept: P.init },
  { mode: 'non-root', activity: 'wait-for-SIPI', signals: ['NMI'], nmiExiting: true, outcome: 'nothing', kept: P.nmi },
  { mode: 'non-root', activity: 'wait-for-SIPI', signals: ['SIPI'], outcome: 'exit 4' },
  { mode: 'non-root', activity: 'wait-for-SIPI', signals: ['INIT', 'SIPI'], outcome: 'exit 4', kept: P.init },
  { mode: 'non-root', activity: 'wait-for-SIPI', signals: ['SIPI', 'NMI'], nmiExiting: true, outcome: 'exit 4', kept: P.nmi },
];

describe('INIT, SIPI and NMI', () => {
  it.each(cases.map((c) => [c.mode, c.activity, c.signals.join(' and '), c.nmiExiting ?? false, c.outcome, c] as const))(
    '%s, %s: %s (NMI exiting %s): %s',
    (...[, , , , , c]) => {
      const rig = processor(c.mode, c.activity, c.nmiExiting ?? false);
      const bits = { INIT: P.init, SIPI, NMI: P.nmi };
      for (const s of c.signals) rig.cpu.raise(bits[s]);
      boundary(rig.cpu);
      expect(outcome(rig, c.mode)).toBe(c.outcome);
      expect(rig.cpu.pending & (P.init | P.nmi)).toBe(c.kept ?? 0);
      if (c.outcome === 'exit 4') expect(rig.get(F.exitQualification)).toBe(0x9an);
      if (c.outcome.startsWith('exit')) expect(rig.get(F.guestActivity)).toBe(BigInt(activities[c.activity]));
    },
  );

  it('an INIT that VMX root operation blocked is taken after VMXOFF', () => {
    const rig = processor('root', 'active', false);
    rig.cpu.raise(P.init);
    boundary(rig.cpu);
    rig.run(insn('vmxoff'));
    boundary(rig.cpu);
    expect(rig.cpu.realMode).toBe(true);
    expect(rig.cpu.vmxMode).toBe(VmxMode.off);
  });

  it('an INIT that VMX root operation blocked exits from the guest at once', () => {
    const rig = new Rig().ready();
    rig.cpu.raise(P.init);
    expect(rig.launch()).toBe('ok');
    boundary(rig.cpu);
    expect(rig.vmcs.num(F.exitReason)).toBe(3);
    expect(rig.cpu.pending & P.init).toBe(0);
  });
});
