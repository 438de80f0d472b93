import type { GuestEvent } from '../../src/machine/cpu/fault.ts';
import type { GuestHooks } from '../../src/machine/cpu/hooks.ts';

/** Hooks for `cpu.guest` that note events instead of letting them through the IDT, and change nothing else. */
export function noteEvents(note: (event: GuestEvent) => void): GuestHooks {
  return {
    instruction: () => false,
    event(_cpu, event) {
      note(event);
      return true;
    },
    tripleFault: () => true,
    taskSwitch: () => {},
    boundary: () => false,
    translate: (_cpu, p) => p,
    nested: false,
    peek: (_cpu, p) => p,
  };
}
