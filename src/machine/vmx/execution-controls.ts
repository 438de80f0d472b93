import { Primary } from './controls.ts';
import { F } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/** The secondary controls in effect: all 0 unless activated (SDM Vol. 3, 25.6.2). */
export function secondaryControls(vmcs: Vmcs): number {
  return (vmcs.num(F.primaryControls) & Primary.activateSecondaryControls) !== 0 ? vmcs.num(F.secondaryControls) : 0;
}

export const primaryControls = (vmcs: Vmcs): number => vmcs.num(F.primaryControls);
export const pinControls = (vmcs: Vmcs): number => vmcs.num(F.pinControls);
