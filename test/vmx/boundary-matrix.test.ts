/**
 * What happens between two instructions of a guest: every combination of IF, blocking, activity, pending events, NMI and interrupt
 * controls and windows. The oracle below is SDM Vol. 3, 26.2, 25.6.1, 25.6.2 and table 6-2 as a list of questions in order of priority.
 */
import { describe, expect, it } from 'vitest';
import { Activity } from '../../src/machine/cpu/cpu.ts';
import { Pending } from '../../src/machine/cpu/layout.ts';
import { Pin, Primary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { Rig } from './rig.ts';

const blockings = { none: 0, STI: 1, 'MOV SS': 2, NMI: 8 } as const;
const nmiModes = { 'NMIs not exiting': 0, 'NMIs exiting': Pin.nmiExiting, 'virtual NMIs': Pin.nmiExiting | Pin.virtualNmis } as const;
const windows = { 'no window': 0, 'interrupt window': Primary.interruptWindowExiting, 'NMI window': Primary.nmiWindowExiting } as const;
const activities = { active: Activity.active, HLT: Activity.hlt, shutdown: Activity.shutdown } as const;

interface Situation {
  readonly interruptFlag: boolean;
  readonly blocking: keyof typeof blockings;
  readonly activity: keyof typeof activities;
  readonly nmi: boolean;
  readonly interrupt: boolean;
  readonly exiting: boolean;
  readonly nmiMode: keyof typeof nmiModes;
  readonly window: keyof typeof windows;
}

function oracle(s: Situation): string {
  const virtual = s.nmiMode === 'virtual NMIs';
  const shadow = s.blocking === 'STI' || s.blocking === 'MOV SS';
  if (s.window === 'NMI window' && s.blocking === 'none') return 'exit 8';
  const nmiHeld = s.blocking === 'MOV SS' || (s.blocking === 'NMI' && !virtual);
  if (s.nmi && !nmiHeld) return s.nmiMode === 'NMIs not exiting' ? 'nothing' : 'exit 0';
  const open = !shadow && s.activity !== 'shutdown';
  if (s.window === 'interrupt window' && s.interruptFlag && open) return 'exit 7';
  return s.interrupt && s.exiting && open ? 'exit 1' : 'nothing';
}

const situations: Situation[] = [];
for (const interruptFlag of [false, true])
  for (const blocking of Object.keys(blockings) as Situation['blocking'][])
    for (const activity of Object.keys(activities) as Situation['activity'][])
      for (const [nmi, interrupt] of [[false, false], [true, false], [false, true], [true, true]] as const)
        for (const exiting of [false, true])
          for (const nmiMode of Object.keys(nmiModes) as Situation['nmiMode'][])
            for (const window of Object.keys(windows) as Situation['window'][]) {
              // States that VM entry refuses: 27.2.1.1 and 27.3.1.5.
              if (window === 'NMI window' && nmiMode !== 'virtual NMIs') continue;
              if (blocking === 'STI' && !interruptFlag) continue;
              if (activity !== 'active' && (blocking === 'STI' || blocking === 'MOV SS')) continue;
              situations.push({ interruptFlag, blocking, activity, nmi, interrupt, exiting, nmiMode, window });
            } // prettier-ignore

const text = (s: Situation): string =>
  `IF ${Number(s.interruptFlag)}, blocking ${s.blocking}, ${s.activity}, ${s.nmi ? 'NMI' : 'no NMI'}, ${s.interrupt ? 'interrupt' : 'no interrupt'}, external-interrupt exiting ${Number(s.exiting)}, ${s.nmiMode}, ${s.window}`;

describe('instruction boundaries', () => {
  it.each(situations.map((s) => [text(s), oracle(s), s] as const))('%s: %s', (_, outcome, s) => {
    const rig = new Rig().inGuest((r) => {
      r.bits(F.pinControls, nmiModes[s.nmiMode] | (s.exiting ? Pin.externalInterruptExiting : 0));
      r.primary(windows[s.window]);
      r.set(F.guestRflags, s.interruptFlag ? 0x202 : 2);
      r.set(F.guestInterruptibility, blockings[s.blocking]);
      r.set(F.guestActivity, activities[s.activity]);
    });
    if (s.interrupt) (rig.cpu.irq as unknown as { vectors: number[] }).vectors.push(0x50);
    rig.cpu.raise((s.nmi ? Pending.nmi : 0) | (s.interrupt ? Pending.interrupt : 0));
    expect(rig.boundary()).toBe(outcome);
    if (outcome !== 'nothing') expect(rig.get(F.guestInterruptibility)).toBe(BigInt(blockings[s.blocking]));
  });
});
